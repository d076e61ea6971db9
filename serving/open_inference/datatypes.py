"""The protocol's types of tensors: how numpy holds them, and which of them a field of a SQL type takes."""

import functools

import numpy as np

from ml.field_types import INTEGERS, canonical

NUMBERS = {
    "BOOL": np.dtype("?"),
    "INT8": np.dtype("<i1"),
    "INT16": np.dtype("<i2"),
    "INT32": np.dtype("<i4"),
    "INT64": np.dtype("<i8"),
    "UINT8": np.dtype("<u1"),
    "UINT16": np.dtype("<u2"),
    "UINT32": np.dtype("<u4"),
    "UINT64": np.dtype("<u8"),
    "FP16": np.dtype("<f2"),
    "FP32": np.dtype("<f4"),
    "FP64": np.dtype("<f8"),
}
"""The datatypes of a fixed size, as they go over the wire."""
BYTES = "BYTES"

_WHOLE = tuple(name for name in NUMBERS if "INT" in name)
_WHOLE_OF = dict(zip(INTEGERS, _WHOLE, strict=True))


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
