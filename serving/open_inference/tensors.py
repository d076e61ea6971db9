"""The values of a tensor of one column: from and to binary data, and from JSON.

Binary data are in little-endian order without padding; an element of BYTES is its length, in four bytes, and its bytes
(the protocol's binary tensor data extension). None stands for a missing value: NaN, or null in JSON.
"""

import math
import struct
from collections.abc import Sequence
from typing import Any

from serving.open_inference.datatypes import BOUNDS, BYTES, NUMBERS

Values = list[Any]
"""Python's bool, int, float, str or None: what JSON would have."""

_FLOATS = ("FP16", "FP32", "FP64")
_TEXT, _FLAG, _INTEGER = (frozenset((kind, type(None))) for kind in (str, bool, int))
_NUMBER = _INTEGER | {float}
_LENGTH = struct.Struct("<I")


class TensorError(ValueError):
    """What is wrong with a tensor, and with which element where it is one. Never says what the element is."""

    def __init__(self, message: str, place: int | None = None) -> None:
        super().__init__(message)
        self.place = place


def from_binary(data: memoryview, datatype: str, count: int) -> Values:
    """The values of `count` elements. Raises TensorError where the data are not exactly these, or no UTF-8."""
    if datatype == BYTES:
        return _texts(bytes(data), count)
    layout = struct.Struct(f"<{count}{NUMBERS[datatype]}")
    if len(data) != layout.size:
        raise TensorError(f"{count} elements of {datatype} take {layout.size} bytes of binary data")
    if datatype == "BOOL":
        for place, byte in enumerate(data):
            if byte > 1:
                raise TensorError("expected a byte 0 or 1", place)
    values: Values = list(layout.unpack(data))
    return _nan_is_none(values) if datatype in _FLOATS else values


def to_binary(values: Sequence[Any], datatype: str) -> bytes:
    """Values as binary data; None is NaN."""
    if datatype != BYTES:
        numbers = [math.nan if value is None else value for value in values]
        return struct.pack(f"<{len(numbers)}{NUMBERS[datatype]}", *numbers)
    parts: list[bytes] = []
    for value in values:
        text = value.encode()
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
        return _checked(data, _TEXT, "a string")
    if datatype == "BOOL":
        return _checked(data, _FLAG, "true or false")
    if datatype in _FLOATS:
        numbers = _checked(data, _NUMBER, "a number")
        return numbers if datatype == "FP64" else _rounded(numbers, datatype)
    whole = _checked(data, _INTEGER, "an integer")
    least, greatest = BOUNDS[datatype]
    for place, value in enumerate(whole):
        if value is not None and not least <= value <= greatest:
            raise TensorError(f"expected an integer of {datatype}, from {least} to {greatest}", place)
    return whole


def _texts(data: bytes, count: int) -> Values:
    # An element takes four bytes at least: no list is made for more of them than came.
    found: Values = []
    start, end = 0, len(data)
    length_at = _LENGTH.unpack_from
    try:
        for place in range(count):
            (length,) = length_at(data, start)
            start += 4 + length
            if start > end:
                raise TensorError("the binary data end before its last byte", place)
            found.append(data[start - length : start].decode())
    except struct.error:
        raise TensorError("the binary data end before its length", len(found)) from None
    except UnicodeDecodeError:
        raise TensorError("expected UTF-8", len(found)) from None
    if start != end:
        raise TensorError(f"the binary data go on after {count} elements")
    return found


def _nan_is_none(numbers: Values) -> Values:
    return [None if number != number else number for number in numbers]


def _checked(data: list[Any], allowed: frozenset[type], expected: str) -> Values:
    if not allowed.issuperset(map(type, data)):
        place = next(place for place, value in enumerate(data) if type(value) not in allowed)
        raise TensorError(f"expected {expected}", place)
    return data


def _rounded(numbers: Values, datatype: str) -> Values:
    """Numbers as binary data of the same datatype hold them."""
    one = struct.Struct(f"<{NUMBERS[datatype]}")
    found: Values = []
    try:
        for number in numbers:
            found.append(None if number is None else one.unpack(one.pack(number))[0])
    except (OverflowError, struct.error):
        raise TensorError(f"expected a number that {datatype} can hold", len(found)) from None
    return found
