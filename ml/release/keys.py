"""Entity keys as 64-bit numbers, for a binary search in a sorted column."""

import datetime as dt
import decimal
import hashlib
from typing import Any


def key_hash(key: tuple[Any, ...]) -> int:
    """A 64-bit hash of an entity's key that is the same in every process and release (BLAKE2b).

    key: the values of the entity's columns, in order, as Arrow gives them to Python. Two keys may share a hash: compare
    the keys themselves after a match.
    """
    parts = []
    for value in key:
        kind = type(value)
        if kind is str or kind is int:
            text = b"str:" + value.encode() if kind is str else b"int:%d" % value
            parts.append(len(text).to_bytes(4, "little") + text)
            continue
        if isinstance(value, dt.datetime) and value.tzinfo is not None:
            value = value.astimezone(dt.UTC)
        if isinstance(value, decimal.Decimal) and value.is_zero():
            value = value.copy_abs()
        text = f"{type(value).__name__}:{value}".encode()
        parts.append(len(text).to_bytes(4, "little") + text)
    return int.from_bytes(hashlib.blake2b(b"".join(parts), digest_size=8).digest(), "little")
