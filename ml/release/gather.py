"""Rows of numbers out of mapped columns into a matrix, compiled: Python takes a microsecond for each column of a row."""

import ctypes
import functools

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from llvmlite import ir

from ml.native import DOUBLE, I8, I64, POINTER, Program, counting, load, load_struct

# The kinds of columns, in the order of their numbers: how a value is stored, and how it becomes a double.
_KINDS: list[tuple[pa.DataType, ir.Type, str | None]] = [
    (pa.float64(), DOUBLE, None),
    (pa.float32(), ir.FloatType(), "fpext"),
    (pa.int64(), I64, "sitofp"),
    (pa.int32(), ir.IntType(32), "sitofp"),
    (pa.int16(), ir.IntType(16), "sitofp"),
    (pa.int8(), I8, "sitofp"),
    (pa.uint64(), I64, "uitofp"),
    (pa.uint32(), ir.IntType(32), "uitofp"),
    (pa.uint16(), ir.IntType(16), "uitofp"),
    (pa.uint8(), I8, "uitofp"),
    (pa.bool_(), I8, "bit"),
]
_COLUMN = ir.LiteralStructType([POINTER, POINTER, I64, I64])
_COLUMN_DTYPE = np.dtype([("values", np.int64), ("valid", np.int64), ("kind", np.int64), ("target", np.int64)])
EXACT = 2**53
"""Up to which a double holds every whole number."""


class Gather:
    """Some columns of a file, and where they go in a matrix. Safe to call from many threads."""

    def __init__(self, columns: list[tuple[pa.Array, int]]) -> None:
        """columns: of types for which `is_gathered` holds, each with the number of its column in the matrix."""
        # The compiled program reads them by their addresses.
        self._arrays = [array for array, _ in columns]
        kinds = [kind for kind, _, _ in _KINDS]
        facts = []
        for array, target in columns:
            valid, values = array.buffers()[:2]
            facts.append((values.address, valid.address if array.null_count else 0, kinds.index(array.type), target))
        self._columns = np.array(facts, _COLUMN_DTYPE)
        self._address = self._columns.ctypes.data
        self._gather = _program()

    def __call__(self, places: npt.NDArray[np.int64], matrix: npt.NDArray[np.float64]) -> None:
        """Fill the columns of a matrix (rows, features), row after row: NaN for a null and where the place is -1."""
        rows, width = matrix.shape
        self._gather(self._address, len(self._columns), places.ctypes.data, rows, width, matrix.ctypes.data)


def is_gathered(column: pa.ChunkedArray) -> bool:
    """Whether a column is of numbers that a double holds, all of them."""
    if not len(column):
        return False
    array = column.chunk(0)
    if array.type in (pa.int64(), pa.uint64()) and len(array) > array.null_count:
        values = np.frombuffer(array.buffers()[1], array.type.to_pandas_dtype())[: len(array)]
        if values.max() > EXACT or values.min() < -EXACT:
            return False
    return array.type in [kind for kind, _, _ in _KINDS]


@functools.cache
def _program() -> "ctypes._FuncPointer":
    address, count = ctypes.c_void_p, ctypes.c_int64
    program = Program(_module())
    function = program.function("gather", address, count, address, count, count, address)
    # The engine is freed with the program.
    function.program = program  # type: ignore[attr-defined]
    return function  # type: ignore[return-value]


def _module() -> ir.Module:
    module = ir.Module()
    function = ir.Function(module, ir.FunctionType(ir.VoidType(), [POINTER, I64, POINTER, I64, I64, POINTER]), "gather")
    build = ir.IRBuilder(function.append_basic_block())
    columns, count, places, rows, width, matrix = function.args
    with counting(build, I64(0), count, 1) as number:
        values, valid, kind, target = load_struct(build, columns, number, _COLUMN)
        done = function.append_basic_block()
        switch = build.switch(kind, done)
        for case, (_, stored, conversion) in enumerate(_KINDS):
            block = function.append_basic_block()
            switch.add_case(I64(case), block)
            build.position_at_end(block)
            with counting(build, I64(0), rows, 1) as row:
                place = load(build, places, row, I64)
                cell = build.gep(matrix, [build.add(build.mul(row, width), target)], source_etype=DOUBLE)
                build.store(DOUBLE(float("nan")), cell)
                with build.if_then(_is_there(build, values, valid, place)):
                    build.store(_value(build, values, place, stored, conversion), cell)
            build.branch(done)
        build.position_at_end(done)
    build.ret_void()
    return module


def _is_there(build: ir.IRBuilder, values: ir.Value, valid: ir.Value, place: ir.Value) -> ir.Value:
    """Whether there is a row, and its value is not null. Reads a bit in any case, of the values where there are no nulls."""
    has_nulls = build.icmp_unsigned("!=", build.ptrtoint(valid, I64), I64(0))
    is_row = build.icmp_signed(">=", place, I64(0))
    bit = _bit(build, build.select(has_nulls, valid, values), build.select(is_row, place, I64(0)))
    return build.and_(is_row, build.or_(bit, build.not_(has_nulls)))


def _value(build: ir.IRBuilder, values: ir.Value, place: ir.Value, stored: ir.Type, conversion: str | None) -> ir.Value:
    if conversion == "bit":
        return build.uitofp(_bit(build, values, place), DOUBLE)
    value = load(build, values, place, stored)
    return value if conversion is None else getattr(build, conversion)(value, DOUBLE)


def _bit(build: ir.IRBuilder, bits: ir.Value, place: ir.Value) -> ir.Value:
    """A bit of a bitmap, whose first is the lowest of its first byte."""
    byte = load(build, bits, build.lshr(place, I64(3)), I8)
    return build.trunc(build.lshr(byte, build.trunc(build.and_(place, I64(7)), I8)), ir.IntType(1))
