"""Votes as the warehouse holds them: distinct patterns, counted in SQL, or the votes of some rows."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ml.errors import DeclarationError
from ml.labeling.declaration import VotesSpec, recorded_declaration
from ml.labeling.patterns import ABSTAIN, distinct
from ml.quoting import literal, quote


@dataclass(frozen=True)
class CountedVotes:
    """The distinct patterns of votes and known labels, in the order of their values.

    votes: shape (patterns, functions), places of classes, -1 where one abstains; gold: shape (patterns,), the place of the known
    class or -1; counts: shape (patterns,), how many rows are like it.
    """

    functions: list[str]
    votes: np.ndarray
    gold: np.ndarray
    counts: np.ndarray

    @property
    def row_count(self) -> int:
        """Rows of votes."""
        return int(self.counts.sum())

    @property
    def gold_count(self) -> int:
        """Rows with a known label."""
        return int(self.counts[self.gold != ABSTAIN].sum())

    @property
    def pattern_count(self) -> int:
        """Distinct rows of votes, whatever is known of them."""
        return len(distinct(list(self.votes.T))[0])

    def votes_hash(self) -> str:
        """What tells other votes, or other numbers of them, apart: the SHA-256 in hex. Known labels do not count."""
        first, places = distinct(list(self.votes.T))
        counts = np.bincount(places, self.counts, len(first)).astype(np.int64)
        return hashlib.sha256(self.votes[first].tobytes() + counts.tobytes()).hexdigest()

    def gold_hash(self) -> str:
        """What tells other known labels apart: the SHA-256 in hex."""
        known = self.gold != ABSTAIN
        return hashlib.sha256(
            self.votes[known].tobytes() + self.gold[known].tobytes() + self.counts[known].tobytes()
        ).hexdigest()


def recorded_votes(session: duckdb.DuckDBPyConnection, schema: str, table: str) -> tuple[VotesSpec, str]:
    """What a table of votes declares, and the fingerprint of its functions, from the comment that its build wrote on it.

    Raises DeclarationError where the table carries none.
    """
    comments = session.execute(
        "select comment from duckdb_tables() where database_name = current_database() and schema_name = ? and table_name = ?",
        [schema, table],
    ).fetchall()
    recorded = recorded_declaration(comments[0][0]) if comments else None
    if recorded is None:
        raise DeclarationError(
            f"{schema}.{table} does not say what its functions are. Add '{{{{ eiderdown.record_fingerprint() }}}}' to its "
            "post-hooks in dbt_project.yml, declare config.meta.votes, and build it."
        )
    declared, fingerprint = recorded
    return VotesSpec.parse(table, declared), fingerprint


def count_votes(
    session: duckdb.DuckDBPyConnection, table: str, spec: VotesSpec, functions: Sequence[str], experts: pa.Table
) -> CountedVotes:
    """Count the distinct patterns of a table of votes, by one scan.

    table: the votes' name in SQL; experts: known labels of rows (row_id, label), as texts, each row once.
    """
    names = ", ".join(f"cast(votes.{quote(function)} as varchar)" for function in functions)
    session.register("_experts", experts)
    try:
        counted = session.sql(
            f"select {names}, cast(experts.label as varchar), count(*) from {table} as votes left join _experts as experts "
            f"on cast(votes.{quote(spec.row_id)} as varchar) = experts.row_id group by all order by all"
        ).to_arrow_table()
    finally:
        session.unregister("_experts")
    places = [class_places(column, spec.classes) for column in counted.columns[:-1]]
    counts = counted.column(counted.num_columns - 1).to_numpy().astype(np.int64)
    return CountedVotes(list(functions), np.stack(places[:-1], axis=1), places[-1], counts)


def expert_labels(experts: duckdb.DuckDBPyRelation | None, task: str, classes: Sequence[str]) -> pa.Table:
    """The labels (row_id, label) that experts gave rows of a task, as texts; of those that are one of the classes.

    experts: a relation with (task, row_id, label), each row of a task once, or None.
    """
    if experts is None:
        return pa.table({"row_id": pa.array([], pa.string()), "label": pa.array([], pa.string())})
    known = ", ".join(map(literal, classes))
    return experts.filter(f"task = {literal(task)} and label in ({known})").select("row_id, label").to_arrow_table()


def class_places(votes: pa.ChunkedArray, classes: Sequence[str]) -> np.ndarray:
    """The place of the class of each vote, a text as DuckDB writes it: shape (rows,), int8; -1 of null.

    >>> class_places(pa.chunked_array([["true", None, "false"]]), ["false", "true"]).tolist()
    [1, -1, 0]
    """
    places = pc.index_in(votes, pa.array(classes, pa.string()))
    return np.asarray(pc.fill_null(places, ABSTAIN).to_numpy().astype(np.int8))
