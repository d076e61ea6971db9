"""Arrow columns are checked as JSON's instances are: the same values, and the place of what is wrong; nothing crashes."""

import datetime as dt
import decimal
import subprocess
import sys
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ml.field_types import arrow_type, encode
from serving.problems import Problem
from serving.requests.arrow_stream import MOST_MESSAGES
from serving.requests.instances import MAX_CHARACTERS
from tests.arrow_streams import FIELDS, read, written

times = st.datetimes(dt.datetime(1000, 1, 1), dt.datetime(9999, 12, 30))
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "VARCHAR": st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20),
    "BIGINT": st.integers(-(2**63), 2**63 - 1),
    "UTINYINT": st.integers(0, 255),
    "DOUBLE": st.floats(allow_nan=False, allow_infinity=False),
    "BOOLEAN": st.booleans(),
    "DECIMAL(9,2)": st.decimals(-9_999_999, 9_999_999, places=2).map(lambda number: number + decimal.Decimal("0.00")),
    "DATE": st.dates(dt.date(1000, 1, 1)),
    "TIMESTAMP": times,
    "TIMESTAMP WITH TIME ZONE": times.map(lambda time: time.replace(tzinfo=dt.UTC)),
}
rows = st.lists(
    st.fixed_dictionaries(
        {
            name: VALUES[kind] if name in FIELDS.required else st.none() | VALUES[kind]
            for name, kind in FIELDS.types.items()
        }
    ),
    min_size=1,
    max_size=20,
)
END = b"\xff\xff\xff\xff\0\0\0\0"
"""Of a stream."""
OTHER_TYPES = {"text": pa.large_string(), "view": pa.string_view(), "code": pa.dictionary(pa.int8(), pa.string())}


@settings(max_examples=40)
@given(rows, st.integers(1, 3))
def test_arrow_and_json_give_the_same_rows(instances: list[dict[str, Any]], batches: int) -> None:
    by_json = FIELDS.check([{name: encode(value) for name, value in one.items()} for one in instances], "instances", 20)
    schema = pa.schema([(name, OTHER_TYPES.get(name, arrow_type(kind))) for name, kind in FIELDS.types.items()])
    by_arrow = read(written(pa.Table.from_pylist(instances, schema), batches))
    assert [list(map(repr, row)) for row in by_arrow] == [list(map(repr, row)) for row in by_json] * batches


@pytest.mark.parametrize(
    ("name", "column", "value"),
    [
        ("number", pa.array([3], pa.uint64()), 3),
        ("real", pa.array([3], pa.int64()), 3.0),
        ("real", pa.array([0.5], pa.float32()), 0.5),
        ("amount", pa.array([3], pa.int64()), decimal.Decimal("3.00")),
        ("amount", pa.array([decimal.Decimal("1.5")]), decimal.Decimal("1.50")),
        ("text", pa.nulls(1), None),
        ("at", pa.array([1], pa.timestamp("s", "Europe/Berlin")), dt.datetime(1970, 1, 1, 0, 0, 1, tzinfo=dt.UTC)),
        ("at", pa.array([1000], pa.timestamp("ns", "UTC")), dt.datetime(1970, 1, 1, 0, 0, 0, 1, tzinfo=dt.UTC)),
    ],
)
def test_a_type_that_loses_nothing_is_taken(name: str, column: pa.Array, value: Any) -> None:
    found = read(written(pa.table({"number": [1], name: column} if name != "number" else {name: column})))
    assert found[0][list(FIELDS.types).index(name)] == value


@pytest.mark.parametrize(
    ("name", "column", "location"),
    [
        ("number", pa.array([1, None]), ("instances", 1, "number")),
        ("number", pa.array([1, 2**63], pa.uint64()), ("instances", 1, "number")),
        ("number", pa.array([1.0, 2.0]), ("columns", "number")),
        ("number", pa.array(["1", "2"]), ("columns", "number")),
        ("small", pa.array([1, 256]), ("instances", 1, "small")),
        ("real", pa.array([1.0, float("nan")]), ("instances", 1, "real")),
        ("real", pa.array([1, 2**53 + 1]), ("instances", 1, "real")),
        ("text", pa.array(["a", "a\0"]), ("instances", 1, "text")),
        ("text", pa.array(["a", "a" * (MAX_CHARACTERS + 1)]), ("instances", 1, "text")),
        ("text", pa.array([b"a", b"b"]), ("columns", "text")),
        ("text", pa.array([["a"], ["b"]]), ("columns", "text")),
        ("amount", pa.array([decimal.Decimal("1.25"), decimal.Decimal("1.255")]), ("instances", 1, "amount")),
        ("day", pa.array([0, 2**30], pa.int32()).view(pa.date32()), ("instances", 1, "day")),
        ("at", pa.array([0, 1], pa.timestamp("us")), ("columns", "at")),
        ("at", pa.array([0, 1], pa.timestamp("ns", "UTC")), ("instances", 1, "at")),
        ("at", pa.array([0, 2**40], pa.timestamp("s", "UTC")), ("instances", 1, "at")),
        ("wall", pa.array([0, 1], pa.timestamp("us", "UTC")), ("columns", "wall")),
        ("nothing", pa.array([0, 1]), ("columns",)),
    ],
)
def test_what_is_wrong_is_named(name: str, column: pa.Array, location: tuple) -> None:
    table = pa.table({"number": [1, 2]} | {name: column})
    first = pa.table({"number": [1], **({} if name == "number" else {name: table.column(name).slice(0, 1)})})
    with pytest.raises(Problem) as refused:
        read(written(table.select(first.column_names)))
    assert (refused.value.status, refused.value.location) == (422, location)


def test_rows_are_counted_over_batches() -> None:
    good, bad = (pa.table({"number": [1, 2], "text": ["a", text]}) for text in ("b", "\0"))
    without_schema = written(bad)[len(written(bad, 0)) - len(END) :]
    with pytest.raises(Problem) as refused:
        read(written(good, 3).removesuffix(END) + without_schema)
    assert refused.value.location == ("instances", 7, "text")


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"nonsense", 400),
        (b'{"instances": []}', 400),
        (written(pa.table({"number": [1]}))[:-12], 400),
        (written(pa.table({"number": [1]})) + b"more", 400),
        (written(pa.table({"number": [1] * 100}), compression="zstd"), 415),
        (written(pa.table({"number": [1] * 100}), compression="lz4"), 415),
        (written(pa.table({"number": [1]}), 0), 422),
        (written(pa.table({"number": pa.array([], pa.int64())})), 422),
        (written(pa.table({"text": ["a"]})), 422),
        (written(pa.table([[1], [2]], ["number", "number"])), 422),
        (written(pa.table({"number": [1] * 10_001})), 413),
        (written(pa.table({"number": [1]}), MOST_MESSAGES + 1), 413),
        # Small on the wire, and 10 MB once each row has its own text.
        (written(pa.table({"number": [1] * 5000, "code": pa.array(["x" * 2000] * 5000).dictionary_encode()})), 413),
    ],
    ids=range(14),
)
def test_a_stream_that_is_none_or_too_large_is_refused(body: bytes, status: int) -> None:
    with pytest.raises(Problem) as refused:
        read(body)
    assert refused.value.status == status


def test_dictionaries_that_grow_are_refused() -> None:
    dictionaries = [pa.array(["a"]), pa.array(["a", "b"])]
    batches = [
        pa.record_batch({"number": [1], "code": pa.DictionaryArray.from_arrays(pa.array([0]), one)})
        for one in dictionaries
    ]
    sink = pa.BufferOutputStream()
    options = pa.ipc.IpcWriteOptions(emit_dictionary_deltas=True)
    with pa.ipc.new_stream(sink, batches[0].schema, options=options) as writer:
        for batch in batches:
            writer.write_batch(batch)
    with pytest.raises(Problem) as refused:
        read(sink.getvalue().to_pybytes())
    assert refused.value.status == 415


def test_broken_streams_are_refused_and_never_crash() -> None:
    """In a child, since Arrow follows some bytes that are wrong to where nothing is."""
    child = [sys.executable, "-m", "tests.arrow_streams", "0", "2000"]
    run = subprocess.run(child, capture_output=True, text=True, timeout=300)
    assert run.returncode == 0, run.stderr[-2000:]
    assert 0 < int(run.stdout) < 2000


def test_what_stands_where_null_is_is_not_followed() -> None:
    """Arrow's own cast adds up the lengths of the views of nulls too, and crashes where one is negative."""
    nothing = np.array([-5, 0, 0, 0], np.int32)
    views = np.concatenate([np.array([1, ord("a"), 0, 0], np.int32), nothing])
    valid = pa.py_buffer(b"\x01")
    column = pa.Array.from_buffers(pa.string_view(), 2, [valid, pa.py_buffer(views), pa.py_buffer(b"x" * 40)])
    found = read(written(pa.table({"number": [1, 2], "view": column})))
    assert [row[list(FIELDS.types).index("view")] for row in found] == ["a", None]


def test_a_scale_that_no_decimal_has_is_refused() -> None:
    """Arrow's own cast trusts it, and crashes."""
    body = written(pa.table({"number": [1], "amount": pa.array([None], pa.decimal128(31, 29))}))
    scale = (29).to_bytes(4, "little")
    assert body.count(scale) == 1
    with pytest.raises(Problem) as refused:
        read(body.replace(scale, (2**26 + 2).to_bytes(4, "little")))
    assert refused.value.location == ("columns", "amount")
