"""Stored values as JSON: what is written can be read back, with every special value where it was."""

import datetime as dt
import json
import math
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ml.field_types import arrow_type, decode
from ml.json_values import to_json

LEAVES = {
    "BIGINT": st.integers(-(2**63), 2**63 - 1),
    "VARCHAR": st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00")),
    "BOOLEAN": st.booleans(),
    "DOUBLE": st.floats(),
    "DATE": st.dates(),
    "TIMESTAMP": st.datetimes().map(lambda moment: moment.replace(fold=0)),
    "TIMESTAMP WITH TIME ZONE": st.datetimes(timezones=st.just(dt.UTC)).map(lambda moment: moment.replace(fold=0)),
    "DECIMAL(38,10)": st.decimals(-(10**20), 10**20, places=10),
}
Kind = str | list | dict
"""A leaf's SQL type, [the kind of a list's entries] or {a struct's field: its kind}."""

kinds = st.recursive(
    st.sampled_from(sorted(LEAVES)),
    lambda inner: (
        st.lists(inner, min_size=1, max_size=1)
        | st.dictionaries(st.text("ab/~1\u00e9", min_size=1), inner, min_size=1, max_size=3)
    ),
    max_leaves=5,
)


def _values(kind: Kind) -> st.SearchStrategy[Any]:
    if isinstance(kind, list):
        return st.none() | st.lists(_values(kind[0]), max_size=3)
    if isinstance(kind, dict):
        struct = st.tuples(*map(_values, kind.values())).map(lambda parts: dict(zip(kind, parts, strict=True)))
        return st.none() | struct
    return st.none() | LEAVES[kind]


def _arrow(kind: Kind) -> pa.DataType:
    if isinstance(kind, list):
        return pa.list_(_arrow(kind[0]))
    if isinstance(kind, dict):
        return pa.struct([(name, _arrow(part)) for name, part in kind.items()])
    return arrow_type(kind)


def _read(answer: Any, kind: Kind, special: dict[str, str], pointer: str = "") -> Any:
    """A client that reads an answer by the types of its view."""
    if pointer in special:
        return float(special[pointer])
    if answer is None:
        return None
    if isinstance(kind, list):
        return [_read(entry, kind[0], special, f"{pointer}/{place}") for place, entry in enumerate(answer)]
    if isinstance(kind, dict):
        escaped = {name: name.replace("~", "~0").replace("/", "~1") for name in kind}
        return {name: _read(answer[name], part, special, f"{pointer}/{escaped[name]}") for name, part in kind.items()}
    return decode(answer, kind)


@given(st.data(), kinds)
def test_any_value_can_be_read_back(data: st.DataObject, kind: Kind) -> None:
    value = data.draw(_values(kind))
    answer, special = to_json(pa.scalar(value, _arrow(kind)))
    sent = json.loads(json.dumps(answer, allow_nan=False))
    # As texts: NaN is not equal to itself, and 1 is to True.
    assert repr(_read(sent, kind, special)) == repr(value)


@given(st.lists(st.none() | st.floats(width=32), min_size=3, max_size=3))
def test_an_embedding_keeps_its_places(values: list[float | None]) -> None:
    answer, special = to_json(pa.scalar(values, arrow_type("float[3]")))
    odd = {f"/{place}" for place, value in enumerate(values) if value is not None and not math.isfinite(value)}
    assert set(special) == odd
    assert answer == [None if f"/{place}" in odd else value for place, value in enumerate(values)]


@pytest.mark.parametrize(
    ("stored", "kind", "text"),
    [
        (2**63 - 1, pa.timestamp("us"), "Infinity"),
        (-(2**63) + 1, pa.timestamp("us", tz="UTC"), "-Infinity"),
        (2**31 - 1, pa.date32(), "Infinity"),
        (-(2**31) + 1, pa.date32(), "-Infinity"),
        (253402300800000000, pa.timestamp("us", tz="UTC"), "10000-01-01T00:00:00.000000Z"),
        (253402300800000001, pa.timestamp("us"), "10000-01-01T00:00:00.000001"),
        (-719529, pa.date32(), "-0001-12-31"),
    ],
)
def test_times_that_python_lacks(stored: int, kind: pa.DataType, text: str) -> None:
    whole = pa.int32() if kind == pa.date32() else pa.int64()
    assert to_json(pa.array([stored], whole).cast(kind)[0]) == (None, {"": text})
