"""Programs in LLVM's intermediate representation: what they are built of, and how they are compiled for this processor."""

import ctypes
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import llvmlite.binding as llvm
from llvmlite import ir

I1, I8, I32, I64 = ir.IntType(1), ir.IntType(8), ir.IntType(32), ir.IntType(64)
DOUBLE, POINTER = ir.DoubleType(), ir.PointerType()


class Program:
    """A compiled module; its functions let go of the interpreter's lock. Compiling takes tens of milliseconds."""

    def __init__(self, module: ir.Module) -> None:
        llvm.initialize_native_target()
        llvm.initialize_native_asmprinter()
        target = llvm.Target.from_default_triple().create_target_machine(
            cpu=llvm.get_host_cpu_name(), features=llvm.get_host_cpu_features().flatten(), opt=3
        )
        compiled = llvm.parse_assembly(str(module))
        compiled.verify()
        passes = llvm.create_pass_builder(target, llvm.create_pipeline_tuning_options(speed_level=2))
        passes.getModulePassManager().run(compiled, passes)
        library = ctypes.CDLL("ucrtbase" if sys.platform == "win32" else None)
        llvm.add_symbol("exp", ctypes.cast(library.exp, ctypes.c_void_p).value)
        self._engine = llvm.create_mcjit_compiler(compiled, target)
        self._engine.finalize_object()

    def function(self, name: str, *types: Any) -> Callable[..., None]:
        """A function of the module, which takes arguments of these types of ctypes and gives nothing."""
        return ctypes.CFUNCTYPE(None, *types)(self._engine.get_function_address(name))


def load(build: ir.IRBuilder, array: ir.Value, number: ir.Value, kind: ir.Type) -> ir.Value:
    """An array's element."""
    return build.load(build.gep(array, [number], source_etype=kind), typ=kind)


def load_struct(build: ir.IRBuilder, array: ir.Value, number: ir.Value, kind: ir.LiteralStructType) -> list[ir.Value]:
    """The parts of an array's element."""
    return [
        build.load(build.gep(array, [number, I32(part)], source_etype=kind), typ=element)
        for part, element in enumerate(kind.elements)
    ]


@contextmanager
def counting(build: ir.IRBuilder, start: ir.Value, stop: ir.Value, step: int) -> Iterator[ir.Value]:
    """What is built inside runs for each number of `range(start, stop, step)`."""
    before, head, body, done = build.block, *(build.append_basic_block() for _ in range(3))
    build.branch(head)
    build.position_at_end(head)
    number = build.phi(I64)
    number.add_incoming(start, before)
    build.cbranch(build.icmp_signed("<", number, stop), body, done)
    build.position_at_end(body)
    yield number
    number.add_incoming(build.add(number, I64(step)), build.block)
    build.branch(head)
    build.position_at_end(done)
