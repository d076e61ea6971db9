"""Find the columns of a relation that tell every row from the others."""

import itertools
import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

import duckdb

from ml.quoting import quote

if TYPE_CHECKING:
    from ml.contracts.inference import Column

MAX_COLUMNS = 3
MAX_TRIES = 40
"""The most sets of columns that are counted; each reads the columns once."""
_SLACK = 1.3
"""Counts of distinct values are estimates, within some percent."""


def find_key(
    connection: duckdb.DuckDBPyConnection,
    relation: str,
    row_count: int,
    columns: list["Column"],
    first: list[str] | None = None,
) -> list[str]:
    """The names of the fewest columns without nulls that are unique together; none where none is found.

    first: columns to try before all others. Sets of up to three columns are tried by size and in the columns' order;
    those whose distinct values are too few to tell the rows apart are left out, and at most MAX_TRIES are counted, exactly.
    """
    # Equal values of floats and of nested types are chance; a key is none of them.
    whole = [
        column
        for column in columns
        if column.null_count == 0 and column.type not in ("FLOAT", "DOUBLE") and column.type[-1] not in "])"
    ]
    candidates = ([first] if first else []) + [
        list(names) for names in itertools.islice(_large_enough(whole, row_count), MAX_TRIES)
    ]
    for names in candidates:
        quoted = ", ".join(map(quote, names))
        query = f"select count(*) from (select distinct {quoted} from {relation})"
        if connection.execute(query).fetchall() == [(row_count,)]:
            return names
    return []


def _large_enough(columns: list["Column"], row_count: int) -> Iterator[tuple[str, ...]]:
    for size in range(1, MAX_COLUMNS + 1):
        for chosen in itertools.combinations(columns, size):
            if math.prod(column.distinct * _SLACK for column in chosen) >= row_count:
                yield tuple(column.name for column in chosen)
