"""Arrow streams to send: of tables, and broken ones."""

import datetime as dt
import decimal
import io
import random
import sys
from typing import Any

import pyarrow as pa

from serving.predictions.given_columns import Block, GivenColumns
from serving.problems import Problem
from serving.requests.arrow_fields import check_columns
from serving.requests.arrow_stream import read_stream
from serving.requests.instances import Fields

FIELDS = Fields(
    {
        "text": "VARCHAR",
        "view": "VARCHAR",
        "code": "VARCHAR",
        "number": "BIGINT",
        "small": "UTINYINT",
        "real": "DOUBLE",
        "flag": "BOOLEAN",
        "amount": "DECIMAL(9,2)",
        "day": "DATE",
        "wall": "TIMESTAMP",
        "at": "TIMESTAMP WITH TIME ZONE",
    },
    required={"number"},
)
_WORDS = {0: b"\xff" * 4, 1: b"\0" * 4, 2: (2**31 - 1).to_bytes(4, "little")}


def written(table: pa.Table, batches: int = 1, **options: Any) -> bytes:
    """A table as a stream. batches: how often; options: of pa.ipc.IpcWriteOptions."""
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, table.schema, options=pa.ipc.IpcWriteOptions(**options)) as writer:
        for _ in range(batches):
            writer.write_table(table)
    return sink.getvalue()


def read(body: bytes) -> list[list[Any]]:
    """A stream of FIELDS as rows. Raises Problem."""
    block = Block(check_columns(read_stream(body, 10_000), FIELDS, 1_000_000))
    return GivenColumns(block, 0, block.rows).rows()


def random_stream(chance: random.Random) -> bytes:
    """A stream with some of FIELDS, in the types that its clients have."""
    rows = chance.choice([1, 3, 40])
    columns = {
        "number": pa.array([chance.choice([1, 7]) for _ in range(rows)], pa.int32()),
        "text": pa.array([chance.choice(["a", "bcd" * 10, None]) for _ in range(rows)]),
        "view": pa.array([chance.choice(["x" * 40, "y", None]) for _ in range(rows)], pa.string_view()),
        "code": pa.array([chance.choice(["JFK", "EWR", None]) for _ in range(rows)]).dictionary_encode(),
        "real": pa.array([chance.choice([0.5, None]) for _ in range(rows)], pa.float64()),
        "flag": pa.array([True] * rows),
        "amount": pa.array([decimal.Decimal("1.25")] * rows),
        "day": pa.array([dt.date(2013, 1, 1)] * rows),
        "at": pa.array([0] * rows, pa.timestamp("s", "UTC")),
    }
    names = [name for name in columns if chance.random() < 0.8] or ["number"]
    return written(pa.table({name: columns[name] for name in names}), chance.choice([1, 2]))


def broken(chance: random.Random, body: bytes) -> bytes:
    """A stream cut off, or with some bytes changed, left out or put in."""
    if chance.random() < 0.15:
        return body[: chance.randrange(len(body) + 1)]
    changed = bytearray(body)
    for _ in range(chance.choice([1, 1, 2, 4, 16])):
        place, kind = chance.randrange(len(changed)), chance.randrange(5)
        if kind == 0:
            changed[place] ^= 1 << chance.randrange(8)
        elif kind == 1:
            changed[place] = chance.choice([0, 127, 128, 255])
        elif kind == 2:
            start = place & ~3
            changed[start : start + 4] = _WORDS.get(chance.randrange(4), chance.randbytes(4))
        elif kind == 3:
            del changed[place : place + chance.choice([1, 4, 8])]
        else:
            changed[place:place] = chance.randbytes(chance.choice([1, 4, 8]))
        changed = changed or bytearray(b"-")
    return bytes(changed)


def main() -> None:
    """Read broken streams by the seeds from one number up to another, and print how many gave rows."""
    taken = 0
    for seed in range(int(sys.argv[1]), int(sys.argv[2])):
        chance = random.Random(seed)
        body = broken(chance, random_stream(chance))
        # What a crash leaves of this process is the seed.
        print(seed, file=sys.stderr, flush=True)
        try:
            read(body)
        except Problem as problem:
            assert 400 <= problem.status < 500
        else:
            taken += 1
    print(taken)


if __name__ == "__main__":
    main()
