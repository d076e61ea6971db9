"""Tensors of the Open Inference Protocol against numpy's."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from serving.open_inference.datatypes import BYTES
from serving.open_inference.tensors import from_binary, from_json, to_binary
from tests.open_inference import DTYPES, column

_VALUES = {
    datatype: st.none() | st.floats(width=kind.itemsize * 8, allow_nan=False)
    if kind.kind == "f"
    else st.booleans()
    if kind.kind == "b"
    else st.integers(-(2 ** (kind.itemsize * 8 - 1)), 2 ** (kind.itemsize * 8 - 1) - 1)
    if kind.kind == "i"
    else st.integers(0, 2 ** (kind.itemsize * 8) - 1)
    for datatype, kind in DTYPES.items()
} | {BYTES: st.text()}


@given(
    st.sampled_from(sorted(_VALUES)).flatmap(lambda name: st.tuples(st.just(name), st.lists(_VALUES[name], min_size=1)))
)
def test_binary_data_are_read_as_they_were_written(case: tuple[str, list[Any]]) -> None:
    datatype, values = case
    data = to_binary(values, datatype)
    assert data == column(values, datatype)
    assert from_binary(memoryview(data), datatype, len(values)) == values
    assert from_json(values, datatype, [len(values)]) == values


def test_numbers_in_json_are_rounded_as_binary_data_are() -> None:
    for datatype in ("FP16", "FP32"):
        numbers = [0.1, -1 / 3, 1e-8, 6e4, 7, None]
        assert from_json(numbers, datatype, [6]) == from_binary(memoryview(column(numbers, datatype)), datatype, 6)
