"""SQL statements on DuckDB: `python ours.py FILE`, a JSON list of them; the macros of the platform, rendered."""

import json
import sys
from pathlib import Path

import duckdb
from measured import measure

from ml.drift import numbers, probabilities


def work() -> None:
    with duckdb.connect() as connection:
        connection.execute("set TimeZone = 'UTC'")
        probabilities.register(connection)
        numbers.register(connection)
        for statement in json.loads(Path(sys.argv[1]).read_text()):
            connection.execute(statement)


measure(work)
