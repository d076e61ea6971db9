"""What the head of an Arrow IPC message says, read before Arrow decodes the message.

A head is a FlatBuffers table (Message.fbs of the Arrow format). pyarrow tells a message's kind, but not what makes its decoding
take more memory than was sent: compressed buffers, and dictionaries that grow by deltas, each of which copies the whole.
"""

import struct
from typing import NamedTuple

_HEADER = 2
"""The number of the field of a Message that is the table of its kind."""
_LENGTH, _COMPRESSION = 0, 3
"""Of a RecordBatch."""
_DATA, _IS_DELTA = 1, 2
"""Of a DictionaryBatch, whose data is a RecordBatch."""


class BatchHead(NamedTuple):
    """Of a record batch or a dictionary."""

    rows: int
    is_compressed: bool
    is_delta: bool


def batch_head(metadata: memoryview, is_dictionary: bool) -> BatchHead:
    """What a message's head says. Raises ValueError where it is none."""
    try:
        batch = _table(metadata, _field(metadata, _table(metadata, 0), _HEADER))
        is_delta = False
        if is_dictionary:
            delta = _field(metadata, batch, _IS_DELTA)
            is_delta = bool(delta and metadata[delta])
            batch = _table(metadata, _field(metadata, batch, _DATA))
        length = _field(metadata, batch, _LENGTH)
        rows = struct.unpack_from("<q", metadata, length)[0] if length else 0
        return BatchHead(rows, bool(_field(metadata, batch, _COMPRESSION)), is_delta)
    except (struct.error, IndexError):
        raise ValueError("not a head of a message") from None


def _table(metadata: memoryview, reference: int) -> int:
    """The place of the table that a reference leads to."""
    place: int = reference + struct.unpack_from("<I", metadata, reference)[0]
    return place


def _field(metadata: memoryview, table: int, number: int) -> int:
    """The place of a table's field; 0 where the table has none."""
    start = table - struct.unpack_from("<i", metadata, table)[0]
    if start < 0:
        raise IndexError(start)
    entry = 4 + 2 * number
    if entry >= struct.unpack_from("<H", metadata, start)[0]:
        return 0
    offset: int = struct.unpack_from("<H", metadata, start + entry)[0]
    return table + offset if offset else 0
