"""A body as an Arrow IPC stream, strictly: nothing is decoded that takes more memory than was sent, and all of it is checked."""

import pyarrow as pa

from serving.problems import Problem
from serving.requests.arrow_message import batch_head

ARROW = "application/vnd.apache.arrow.stream"
"""The content type of such a stream."""
MOST_MESSAGES = 10_000
"""The most batches and dictionaries of a stream: each costs Python a moment, however small it is."""
_MOST_HEAD_BYTES = 1024 * 1024


def read_stream(body: bytes, most_rows: int) -> list[pa.RecordBatch]:
    """The batches of a stream, whose buffers, offsets and texts are valid; they refer to the body.

    Raises Problem: 400 for what is no such stream, 413 for more rows or messages, 415 for compressed buffers or what else
    is not taken.
    """
    buffer = pa.py_buffer(body)
    try:
        _check_messages(buffer, most_rows)
        with pa.ipc.open_stream(buffer) as reader:
            _check_texts(reader.schema)
            batches = list(reader)
        for batch in batches:
            batch.validate(full=True)
    except (pa.ArrowException, OSError, ValueError, MemoryError):
        raise Problem(400, "the body is not a valid Arrow IPC stream, or ended early") from None
    if not batches:
        raise Problem(422, "must hold at least one row", ("instances",))
    return batches


def _check_texts(schema: pa.Schema) -> None:
    """Raise ValueError where what is read of a schema is no UTF-8, which Arrow does not look at."""
    for field in schema:
        (field.name, getattr(field.type, "tz", None))


def _check_messages(buffer: pa.Buffer, most_rows: int) -> None:
    rows = 0
    source = pa.BufferReader(buffer)
    for number, message in enumerate(pa.ipc.MessageReader.open_stream(source)):
        if number > MOST_MESSAGES:
            raise Problem(413, f"at most {MOST_MESSAGES} batches and dictionaries at a time; send larger ones")
        if message.metadata.size > _MOST_HEAD_BYTES:
            raise Problem(413, f"a message's head is longer than {_MOST_HEAD_BYTES} bytes")
        if message.type == "schema":
            continue
        is_dictionary = message.type == "dictionary"
        if not is_dictionary and message.type != "record batch":
            raise Problem(415, "the stream holds a message other than a schema, a dictionary or a record batch")
        head = batch_head(memoryview(message.metadata), is_dictionary)
        if head.is_compressed:
            raise Problem(415, "the stream's buffers are compressed; write it without compression")
        if head.is_delta:
            raise Problem(415, "a dictionary grows by deltas; write whole ones")
        if head.rows < 0:
            raise ValueError("a batch of fewer than no rows")
        if not is_dictionary:
            rows += head.rows
        if max(rows, head.rows) > most_rows:
            raise Problem(413, f"at most {most_rows} rows at a time")
    if source.tell() < buffer.size:
        raise Problem(400, "something follows the end of the Arrow IPC stream")
