"""The label model and the majority vote as scorers, to be measured beside trained models."""

from typing import Any

import duckdb
import numpy as np
import pyarrow as pa

from ml.datasets.versions import dataset_version
from ml.errors import DeclarationError
from ml.labeling.declaration import VotesSpec, positive_class, scores_spec
from ml.labeling.label_model import LabelModel
from ml.labeling.majority_vote import MajorityLabelVoter
from ml.labeling.votes import class_places, recorded_votes
from ml.quoting import quote
from ml.registry.history import history
from ml.scoring.hold_out import rows_to_score, score_array, scores_schema

THRESHOLD = 0.5
"""A vote is for what is likelier."""


def score_labels(
    dbt: Any,
    session: duckdb.DuckDBPyConnection,
    declaration: dict[str, Any],
    votes: duckdb.DuckDBPyRelation,
    versions: duckdb.DuckDBPyRelation,
    datasets: duckdb.DuckDBPyRelation,
) -> duckdb.DuckDBPyRelation:
    """Score the newest version of a label model, and the majority vote, on every split of the newest version of a dataset.

    declaration: `dbt.config.meta_get("scores")`; votes, versions: dbt.ref() of <task>_votes and <task>_model; datasets:
    dbt.ref("datasets"). Returns rows of the scores contract that are not in dbt.this yet, of the models <task>_label_model and
    <task>_majority_vote; both have the label model's version. Experts' labels do not count. A row without a vote, also one that
    the votes do not have, gets the label model's class balance from both. Rows whose target is null are left out.
    """
    task = declaration["labels"]
    declared, _ = recorded_votes(session, dbt.this.schema, f"{task}_votes")
    version, functions, classes, parameters = _newest(versions, task)
    if (functions, classes) != (declared.functions(votes.columns), declared.classes):
        raise DeclarationError(
            f"{task}_model: its newest version learned from other functions or classes than {task}_votes has. Build it first."
        )
    spec = scores_spec(dbt.this.identifier, declaration, classes)
    dataset = dataset_version(datasets, spec.dataset)
    if (version, dataset.version) in set(history(session, dbt.this, "distinct version, dataset_version")):
        return session.sql(f"select * from {dbt.this} limit 0")

    rows, common = rows_to_score(session, spec, dataset)
    table = f"{quote(dbt.this.schema)}.{quote(f'{task}_votes')}"
    row_ids = rows.column(dataset.definition["row_id"])
    row_votes = _votes_of_rows(session, table, declared, functions, row_ids)
    model = LabelModel.from_json(parameters)
    has_vote = row_votes.max(axis=1, keepdims=True) >= 0
    if not has_vote.any():
        raise DeclarationError(
            f"{dbt.this.identifier}: no row of the dataset {spec.dataset} has a vote in {task}_votes; its row id, "
            f"{dataset.definition['row_id']}, and that of the votes, {declared.row_id}, must hold the same values."
        )
    scored = []
    for name, scorer in (("label_model", model), ("majority_vote", MajorityLabelVoter(len(classes)))):
        scores = np.where(has_vote, scorer.predict_proba(row_votes), model.class_balance)
        positive = positive_class(classes)
        columns = common | {
            "model": pa.array([f"{task}_{name}"] * rows.num_rows),
            "version": pa.array(np.full(rows.num_rows, version, np.int32)),
            "score": score_array(scores, classes) if positive is None else pa.array(scores[:, positive]),
            "threshold": pa.array([None if positive is None else THRESHOLD] * rows.num_rows, pa.float64()),
        }
        schema = scores_schema(spec.task)
        columns["baseline"] = pa.nulls(rows.num_rows, schema.field("baseline").type)
        scored.append(pa.table({column: columns[column] for column in schema.names}).cast(schema))
    found = pa.concat_tables(scored)
    return session.from_arrow(found.filter(found.column("target").is_valid()))


def _newest(versions: duckdb.DuckDBPyRelation, task: str) -> tuple[int, list[str], list[str], str]:
    """Of the newest version of a label model: version, functions, classes, parameters."""
    found = versions.order("version desc").limit(1)
    rows = found.select("version, functions, classes, cast(parameters as varchar)").fetchall()
    if not rows:
        raise DeclarationError(f"the label model of {task} has no version yet. Build {task}_model first.")
    return rows[0]


def _votes_of_rows(
    session: duckdb.DuckDBPyConnection, table: str, declared: VotesSpec, functions: list[str], row_ids: pa.ChunkedArray
) -> np.ndarray:
    """The votes of some rows, in their order: shape (rows, functions); a row that the votes do not have has none."""
    names = ", ".join(f"cast(votes.{quote(name)} as varchar)" for name in functions)
    session.register("_asked", pa.table({"row_id": row_ids, "place": pa.array(range(len(row_ids)))}))
    try:
        found = session.sql(
            f"select {names} from _asked left join {table} as votes "
            # Arrow writes times and numbers otherwise than DuckDB does.
            f"on cast(_asked.row_id as varchar) = cast(votes.{quote(declared.row_id)} as varchar) order by _asked.place"
        ).to_arrow_table()
    finally:
        session.unregister("_asked")
    return np.stack([class_places(column, declared.classes) for column in found.columns], axis=1)
