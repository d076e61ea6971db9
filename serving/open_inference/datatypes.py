"""The protocol's types of tensors: how they are written, and which of them a field of a SQL type takes."""

import functools

from ml.field_types import INTEGERS, canonical

NUMBERS = {
    "BOOL": "?",
    "INT8": "b",
    "INT16": "h",
    "INT32": "i",
    "INT64": "q",
    "UINT8": "B",
    "UINT16": "H",
    "UINT32": "I",
    "UINT64": "Q",
    "FP16": "e",
    "FP32": "f",
    "FP64": "d",
}
"""The datatypes of a fixed size, with their codes in `struct`; in little-endian order as they go over the wire."""
BYTES = "BYTES"

_WHOLE = tuple(name for name in NUMBERS if "INT" in name)
_WHOLE_OF = dict(zip(INTEGERS, _WHOLE, strict=True))
BOUNDS = {datatype: INTEGERS[name][1:] for name, datatype in _WHOLE_OF.items()}
"""The least and the greatest number of the datatypes of whole numbers."""


@functools.cache
def datatypes_of(sql_type: str) -> tuple[str, ...]:
    """The datatypes that a field of this type takes, the one that the metadata names first.

    What does not lose a digit: times, dates and decimal numbers are texts.

    >>> datatypes_of("varchar"), datatypes_of("usmallint")[0], datatypes_of("float")[:3]
    (('BYTES',), 'UINT16', ('FP32', 'FP64', 'FP16'))
    """
    name = canonical(sql_type)
    if name in INTEGERS:
        own = _WHOLE_OF[name]
        return own, *(other for other in _WHOLE if other != own)
    if name == "DOUBLE":
        return "FP64", "FP32", "FP16", *_WHOLE
    if name == "FLOAT":
        return "FP32", "FP64", "FP16", *_WHOLE
    if name == "BOOLEAN":
        return ("BOOL",)
    return (BYTES, *_WHOLE) if name.startswith("DECIMAL") else (BYTES,)
