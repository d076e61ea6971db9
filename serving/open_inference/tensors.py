"""The values of a tensor of one column: from and to binary data, and from JSON.

Binary data are in little-endian order without padding; an element of BYTES is its length, in four bytes, and its bytes
(the protocol's binary tensor data extension). None stands for a missing value: NaN, or null in JSON.
"""

import struct
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from serving.open_inference.datatypes import BYTES, NUMBERS

Values = list[Any]
"""Python's bool, int, float, str or None: what JSON would have."""

_LENGTH = struct.Struct("<I")


class TensorError(ValueError):
    """What is wrong with a tensor, and with which element where it is one. Never says what the element is."""

    def __init__(self, message: str, place: int | None = None) -> None:
        super().__init__(message)
        self.place = place


def from_binary(data: memoryview, datatype: str, count: int) -> Values:
    """The values of `count` elements. Raises TensorError where the data are not exactly these, or no UTF-8."""
    if datatype == BYTES:
        return _texts(data, count)
    kind = NUMBERS[datatype]
    if len(data) != count * kind.itemsize:
        raise TensorError(f"{count} elements of {datatype} take {count * kind.itemsize} bytes of binary data")
    if datatype == "BOOL":
        flags = np.frombuffer(data, np.uint8)
        if (wrong := flags > 1).any():
            raise TensorError("expected a byte 0 or 1", int(wrong.argmax()))
        return flags.astype(bool).tolist()  # type: ignore[no-any-return]
    return _nan_is_none(np.frombuffer(data, kind))


def to_binary(values: Sequence[Any], datatype: str) -> bytes:
    """Values as binary data; None is NaN. Texts are str, or bytes."""
    if datatype != BYTES:
        return np.array(values, NUMBERS[datatype]).tobytes()
    parts: list[bytes] = []
    for value in values:
        text = value if isinstance(value, bytes) else value.encode()
        parts += (_LENGTH.pack(len(text)), text)
    return b"".join(parts)


def from_json(data: Any, datatype: str, shape: Sequence[int]) -> Values:
    """The values of a JSON list, flat or nested as the shape is. Raises TensorError where they are not of the datatype."""
    if not isinstance(data, list):
        raise TensorError("data must be a list")
    if len(data) != shape[0]:
        raise TensorError(f"data must have as many elements as the shape says, {shape[0]}")
    if len(shape) == 2 and all(type(one) is list and len(one) == 1 for one in data):
        data = [one[0] for one in data]
    if datatype == BYTES:
        return _checked(data, (str,), "a string")
    if datatype == "BOOL":
        return _checked(data, (bool,), "true or false")
    kind = NUMBERS[datatype]
    if kind.kind == "f":
        numbers = _checked(data, (float, int), "a number")
        return numbers if datatype == "FP64" else _rounded(numbers, kind)
    whole = _checked(data, (int,), "an integer")
    bounds = np.iinfo(kind.name)
    for place, value in enumerate(whole):
        if value is not None and not bounds.min <= value <= bounds.max:
            raise TensorError(f"expected an integer of {datatype}, from {bounds.min} to {bounds.max}", place)
    return whole


def _texts(data: memoryview, count: int) -> Values:
    # An element takes four bytes at least: no list is made for more of them than came.
    found: Values = []
    start, end = 0, len(data)
    for place in range(count):
        if end - start < 4:
            raise TensorError("the binary data end before its length", place)
        (length,) = _LENGTH.unpack_from(data, start)
        start += 4
        if length > end - start:
            raise TensorError("the binary data end before its last byte", place)
        try:
            found.append(str(data[start : start + length], "utf-8"))
        except UnicodeDecodeError:
            raise TensorError("expected UTF-8", place) from None
        start += length
    if start != end:
        raise TensorError(f"the binary data go on after {count} elements")
    return found


def _nan_is_none(numbers: npt.NDArray[Any]) -> Values:
    values: Values = numbers.tolist()
    if numbers.dtype.kind == "f":
        for place in np.flatnonzero(np.isnan(numbers)).tolist():
            values[place] = None
    return values


def _checked(data: list[Any], kinds: tuple[type, ...], expected: str) -> Values:
    allowed = {*kinds, type(None)}
    if not allowed.issuperset(map(type, data)):
        place = next(place for place, value in enumerate(data) if type(value) not in allowed)
        raise TensorError(f"expected {expected}", place)
    return data


def _rounded(numbers: Values, kind: np.dtype[Any]) -> Values:
    """Numbers as binary data of the same datatype hold them."""
    try:
        wide = np.array(numbers, np.float64)
    except OverflowError:
        raise TensorError("expected numbers that a double can hold") from None
    with np.errstate(over="ignore"):
        return _nan_is_none(wide.astype(kind))
