"""The walk of rows through decision trees, compiled for this processor by LLVM: one program for all models.

One row that goes down one tree waits for memory at each level. Here LANES rows go down side by side, so that the
processor has something to do meanwhile, and a level takes no branch: a node's children stand side by side, and which of
them follows is a sum of the first one's place and the outcome of the comparison. A leaf is its own first child.
"""

import ctypes
import functools
from collections.abc import Callable

from llvmlite import ir

from ml.native import DOUBLE, I1, I32, I64, POINTER, Program, counting, load, load_struct

LANES = 16
BLOCK = 64
"""Rows that are prepared at once; their values, and a tree of common size, stay in the processor's first cache."""

NAN_MISSING, ZERO_MISSING, CATEGORY = 0, 1, 2
"""The kinds of a column: how a feature's value becomes what nodes compare."""

NO_CATEGORY = 2**31 - 1
"""What stands in a column of categories for a value that is none; no node sends it left."""

_NODE_BYTES = 16
# LightGBM takes what is not farther from zero than this as zero: `kZeroThreshold`, a float.
_ZERO = 1.0000000180025095e-35


class Ensemble(ctypes.Structure):
    """The trees of a model, as the compiled program reads them. Whoever fills it keeps the arrays alive."""

    _fields_ = [
        ("columns", ctypes.c_int64),
        ("trees", ctypes.c_int64),
        ("outputs", ctypes.c_int64),
        # Of each column {feature, kind: int64; fill: float64}, where fill is what stands for a missing value.
        ("column", ctypes.c_void_p),
        # Of each tree {place of the root, depth, 1 if there are categories: int64}.
        ("tree", ctypes.c_void_p),
        # Of each node {threshold: float64; column, first child: uint32}, where a column is given in bytes of a block,
        # and a place in bytes of this array.
        ("node", ctypes.c_void_p),
        # Of each node its value as a leaf, float64.
        ("value", ctypes.c_void_p),
        # Of each node {start, words: uint32} of its set of categories; a word of zeros follows each set.
        ("set", ctypes.c_void_p),
        ("word", ctypes.c_void_p),
    ]


_COLUMN = ir.LiteralStructType([I64, I64, DOUBLE])
_TREE = ir.LiteralStructType([I64, I64, I64])
_NODE = ir.LiteralStructType([DOUBLE, I32, I32])
_SET = ir.LiteralStructType([I32, I32])


@functools.cache
def program() -> "TreeProgram":
    """The compiled program, once a process."""
    return TreeProgram()


class TreeProgram(Program):
    """The functions take addresses and counts.

    `score(ensemble, matrix, rows, row_stride, feature_stride, block, sums)` adds up the leaves of each row in the order of
    the trees. matrix: float64, strides in numbers of them; block: room for BLOCK float64 of each column; sums: float64,
    (rows, outputs), zero at first. `exponentials(values, count)` and `sigmoids(values, count, slope)` replace float64 in
    place. They call the C library's `exp`, as LightGBM does: NumPy's own differs in the last bit.
    """

    def __init__(self) -> None:
        super().__init__(_module())
        address, count, number = ctypes.c_void_p, ctypes.c_int64, ctypes.c_double
        self.score = self.function("score", address, address, count, count, count, address, address)
        self.exponentials = self.function("exponentials", address, count)
        self.sigmoids = self.function("sigmoids", address, count, number)


def _module() -> ir.Module:
    module = ir.Module()
    _score(module)
    exp = ir.Function(module, ir.FunctionType(DOUBLE, [DOUBLE]), "exp")
    _replacing(module, "exponentials", [], lambda build, value: build.call(exp, [value]))
    _replacing(
        module,
        "sigmoids",
        [DOUBLE],
        lambda build, value, slope: build.fdiv(
            DOUBLE(1), build.fadd(DOUBLE(1), build.call(exp, [build.fmul(build.fneg(slope), value)]))
        ),
    )
    return module


def _replacing(module: ir.Module, name: str, settings: list[ir.Type], link: Callable[..., ir.Value]) -> None:
    """A function of values, their count and settings, which replaces each value by what `link` builds of it."""
    function = ir.Function(module, ir.FunctionType(ir.VoidType(), [POINTER, I64, *settings]), name)
    build = ir.IRBuilder(function.append_basic_block())
    values, count, *given = function.args
    with counting(build, I64(0), count, 1) as number:
        place = build.gep(values, [number], source_etype=DOUBLE)
        build.store(link(build, build.load(place, typ=DOUBLE), *given), place)
    build.ret_void()


def _score(module: ir.Module) -> None:
    parameters = [POINTER, POINTER, I64, I64, I64, POINTER, POINTER]
    function = ir.Function(module, ir.FunctionType(ir.VoidType(), parameters), "score")
    build = ir.IRBuilder(function.append_basic_block())
    ensemble, matrix, rows, row_stride, feature_stride, block, sums = function.args
    fields = {}
    for number, (name, kind, *_) in enumerate(Ensemble._fields_):
        place = build.gep(ensemble, [I64(number)], source_etype=I64)
        fields[name] = build.load(place, typ=I64 if kind is ctypes.c_int64 else POINTER)
    with counting(build, I64(0), rows, BLOCK) as start:
        left = build.sub(rows, start)
        count = build.select(build.icmp_signed("<", left, I64(BLOCK)), left, I64(BLOCK))
        first = build.gep(matrix, [build.mul(start, row_stride)], source_etype=DOUBLE)
        _fill_block(build, fields, first, count, row_stride, feature_stride, block)
        row_sums = build.gep(sums, [build.mul(start, fields["outputs"])], source_etype=DOUBLE)
        together = build.and_(count, I64(-LANES))
        with counting(build, I64(0), fields["trees"], 1) as number:
            tree = load_struct(build, fields["tree"], number, _TREE)
            output = build.srem(number, fields["outputs"])
            with build.if_else(build.icmp_signed("!=", tree[2], I64(0))) as (with_sets, without):
                for case, has_sets in ((with_sets, True), (without, False)):
                    with case:
                        for begin, end, lanes in ((I64(0), together, LANES), (together, count, 1)):
                            with counting(build, begin, end, lanes) as row:
                                found = _walk(build, fields, tree, block, row, lanes, has_sets)
                                _add(build, fields, row_sums, row, output, found)
    build.ret_void()


def _fill_block(
    build: ir.IRBuilder,
    fields: dict[str, ir.Value],
    first: ir.Value,
    count: ir.Value,
    row_stride: ir.Value,
    feature_stride: ir.Value,
    block: ir.Value,
) -> None:
    """Bring the values to the block, column by column: missing ones as what goes to their side, categories as numbers."""
    with counting(build, I64(0), fields["columns"], 1) as number:
        feature, kind, fill = load_struct(build, fields["column"], number, _COLUMN)
        source = build.gep(first, [build.mul(feature, feature_stride)], source_etype=DOUBLE)
        target = build.gep(block, [build.mul(number, I64(BLOCK))], source_etype=DOUBLE)
        is_zero_missing = build.icmp_signed("==", kind, I64(ZERO_MISSING))
        with build.if_else(build.icmp_signed("==", kind, I64(CATEGORY))) as (categories, numbers):
            with categories, counting(build, I64(0), count, 1) as row:
                value = load(build, source, build.mul(row, row_stride), DOUBLE)
                inside = build.and_(
                    build.fcmp_ordered(">", value, DOUBLE(-1)), build.fcmp_ordered("<", value, DOUBLE(2.0**31))
                )
                code = build.fptosi(build.select(inside, value, DOUBLE(NO_CATEGORY)), I64)
                build.store(code, build.gep(target, [row], source_etype=I64))
            with numbers, counting(build, I64(0), count, 1) as row:
                value = load(build, source, build.mul(row, row_stride), DOUBLE)
                is_zero = build.and_(
                    build.fcmp_ordered("<=", value, DOUBLE(_ZERO)), build.fcmp_ordered(">=", value, DOUBLE(-_ZERO))
                )
                is_missing = build.or_(build.fcmp_unordered("uno", value, value), build.and_(is_zero, is_zero_missing))
                value = build.select(is_missing, fill, build.select(is_zero, DOUBLE(0), value))
                build.store(value, build.gep(target, [row], source_etype=DOUBLE))


def _walk(
    build: ir.IRBuilder,
    fields: dict[str, ir.Value],
    tree: list[ir.Value],
    block: ir.Value,
    row: ir.Value,
    lanes: int,
    has_sets: bool,
) -> list[ir.Value]:
    """The places of the leaves that so many rows reach, from a row of the block on."""
    root, depth, _ = tree
    values = build.gep(block, [row], source_etype=DOUBLE)
    before, body, done = build.block, build.append_basic_block(), build.append_basic_block()
    build.branch(body)
    build.position_at_end(body)
    level, places = build.phi(I64), [build.phi(I64) for _ in range(lanes)]
    following = [
        _step(build, fields, place, build.gep(values, [I64(lane)], source_etype=DOUBLE), has_sets)
        for lane, place in enumerate(places)
    ]
    left = build.sub(level, I64(1))
    # Many rows need all levels, nearly always, and one seldom does.
    is_open = build.icmp_signed(">", left, I64(0)) if lanes > 1 else build.icmp_unsigned("!=", places[0], following[0])
    starts, laters = (depth, *(root for _ in places)), (left, *following)
    for number, start, later in zip((level, *places), starts, laters, strict=True):
        number.add_incoming(start, before)
        number.add_incoming(later, body)
    build.cbranch(is_open, body, done)
    build.position_at_end(done)
    return following


def _step(
    build: ir.IRBuilder, fields: dict[str, ir.Value], place: ir.Value, values: ir.Value, has_sets: bool
) -> ir.Value:
    """The place of the child that a row goes to. values: its value in the first column."""
    node = build.gep(fields["node"], [place], source_etype=ir.IntType(8))
    threshold, column, child = load_struct(build, node, I64(0), _NODE)
    value = build.gep(values, [build.zext(column, I64)], source_etype=ir.IntType(8))
    goes_right = build.fcmp_unordered(">", build.load(value, typ=DOUBLE), threshold)
    if has_sets:
        number = build.lshr(place, I64(_NODE_BYTES.bit_length() - 1))
        start, words = load_struct(build, fields["set"], number, _SET)
        code = build.load(value, typ=I32)
        word = build.lshr(code, I32(5))
        word = build.select(build.icmp_unsigned("<", word, words), word, words)
        bits = load(build, fields["word"], build.zext(build.add(start, word), I64), I32)
        is_outside = build.not_(build.trunc(build.lshr(bits, build.and_(code, I32(31))), I1))
        goes_right = build.select(build.icmp_unsigned("==", words, I32(0)), goes_right, is_outside)
    step = build.select(goes_right, I64(_NODE_BYTES), I64(0))
    return build.add(build.zext(child, I64), step)


def _add(
    build: ir.IRBuilder,
    fields: dict[str, ir.Value],
    sums: ir.Value,
    row: ir.Value,
    output: ir.Value,
    places: list[ir.Value],
) -> None:
    for lane, place in enumerate(places):
        number = build.lshr(place, I64(_NODE_BYTES.bit_length() - 1))
        leaf = load(build, fields["value"], number, DOUBLE)
        cell = build.add(build.mul(build.add(row, I64(lane)), fields["outputs"]), output)
        total = build.gep(sums, [cell], source_etype=DOUBLE)
        build.store(build.fadd(build.load(total, typ=DOUBLE), leaf), total)
