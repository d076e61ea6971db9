"""Label models: the votes of a task in, a row of labels.<task>_model out, when there is something new to learn."""

import datetime as dt
import json
import math
from typing import Any

import duckdb
import pyarrow as pa

from ml.digest import digest
from ml.errors import DeclarationError
from ml.labeling.declaration import LabelModelSpec, VotesSpec
from ml.labeling.label_model import LabelModel
from ml.labeling.votes import CountedVotes, count_votes, expert_labels, recorded_votes
from ml.quoting import quote
from ml.registry.history import history
from ml.training.code_fingerprint import syntax_digest

LABELING_CODE = (
    "ml.labeling.dependencies",
    "ml.labeling.label_model",
    "ml.labeling.latent_class",
    "ml.labeling.majority_vote",
    "ml.labeling.patterns",
    "ml.labeling.triplet",
    "ml.labeling.voter",
    "ml.labeling.votes",
)
"""What shapes a learned label model: a change in one of these learns anew."""


def learn_label_model(
    dbt: Any,
    session: duckdb.DuckDBPyConnection,
    declaration: dict[str, Any],
    votes: duckdb.DuckDBPyRelation,
    experts: duckdb.DuckDBPyRelation | None = None,
) -> duckdb.DuckDBPyRelation:
    """Learn the label model that the calling dbt model declares, if its newest version is not what would come out.

    declaration: `dbt.config.meta_get("label_model")`; votes: dbt.ref() of <task>_votes; experts: dbt.ref() of expert_labels,
    where known labels are to count. Returns a relation with the new version's row, or without rows. Raises DeclarationError
    where the declaration does not fit the votes.
    """
    spec = LabelModelSpec.parse(dbt.this.identifier, declaration)
    declared, fingerprint = recorded_votes(session, dbt.this.schema, spec.votes)
    functions = declared.functions(votes.columns)
    spec.check(functions, declared.classes)
    known = expert_labels(experts, spec.task, declared.classes)
    counted = count_votes(session, f"{quote(dbt.this.schema)}.{quote(spec.votes)}", declared, functions, known)
    if not counted.row_count:
        raise DeclarationError(
            f"model {spec.name}: {spec.votes} has no rows to learn from. Load data, or mend its SQL."
        )
    inputs = {
        "functions": fingerprint,
        "votes": counted.votes_hash(),
        # Of the methods only this one learns from known labels.
        "experts": counted.gold_hash() if spec.method == "em" else None,
        "declaration": declaration,
        "code": syntax_digest(LABELING_CODE),
    }
    recorded = history(session, dbt.this, "version, cast(inputs as varchar)")
    latest, before = max(recorded, default=(0, None))
    reason = _reason_to_learn(json.loads(before) if before else None, inputs)
    if not reason:
        return _to_relation(session, None)
    row = _learn(spec, declared, counted)
    return _to_relation(
        session,
        row
        | {
            "version": latest + 1,
            "reason": reason,
            "functions_fingerprint": fingerprint,
            "inputs": json.dumps(inputs, sort_keys=True),
            "training_fingerprint": digest(inputs),
        },
    )


def _reason_to_learn(before: dict[str, Any] | None, now: dict[str, Any]) -> str:
    """What differs between the inputs of two versions, in words; empty where nothing does. before: None of no version."""
    if before is None:
        return "first version"
    words = {
        "functions": "functions changed",
        "votes": "other votes",
        "experts": "other expert labels",
        "declaration": "declaration changed",
        "code": "label model's code changed",
    }
    return "; ".join(said for part, said in words.items() if before.get(part) != now[part])


def _learn(spec: LabelModelSpec, declared: VotesSpec, counted: CountedVotes) -> dict[str, Any]:
    """Learn, and describe what was learned: the row of the label model but for what is known before."""
    functions, classes = counted.functions, declared.classes
    groups = spec.dependencies
    model = LabelModel(len(classes), spec.method).fit(
        counted.votes,
        class_balance=[spec.class_balance[name] for name in classes] if spec.class_balance else None,
        gold=counted.gold if counted.gold_count else None,
        counts=counted.counts,
        accuracies={functions.index(name): accuracy for name, accuracy in spec.accuracies.items()} or None,
        dependencies=[[functions.index(name) for name in group] for group in groups]
        if isinstance(groups, list)
        else (None if groups == "none" else "detect"),
    )
    return {
        "task": spec.task,
        "created_at": dt.datetime.now(dt.UTC),
        "method": spec.method,
        "functions": functions,
        "classes": classes,
        "row_count": counted.row_count,
        "pattern_count": counted.pattern_count,
        "gold_count": counted.gold_count,
        "class_balance": list(zip(classes, model.class_balance.tolist(), strict=True)),
        "accuracies": [
            (name, weight)
            for name, weight in zip(functions, model.get_weights().tolist(), strict=True)
            if not math.isnan(weight)
        ],
        "dependencies": [[functions[place] for place in group] for group in model.groups],
        "parameters": model.to_json(),
    }


_TEXT, _COUNT = pa.string(), pa.int64()
_COLUMNS: list[tuple[str, pa.DataType]] = [
    ("task", _TEXT),
    ("version", pa.int32()),
    ("created_at", pa.timestamp("us", tz="UTC")),
    ("reason", _TEXT),
    ("method", _TEXT),
    ("functions", pa.list_(_TEXT)),
    ("classes", pa.list_(_TEXT)),
    ("functions_fingerprint", _TEXT),
    ("inputs", _TEXT),
    ("training_fingerprint", _TEXT),
    ("row_count", _COUNT),
    ("pattern_count", _COUNT),
    ("gold_count", _COUNT),
    ("class_balance", pa.map_(_TEXT, pa.float64())),
    ("accuracies", pa.map_(_TEXT, pa.float64())),
    ("dependencies", pa.list_(pa.list_(_TEXT))),
    ("parameters", _TEXT),
]


def _to_relation(session: duckdb.DuckDBPyConnection, row: dict[str, Any] | None) -> duckdb.DuckDBPyRelation:
    """A row of the label_model contract, or none."""
    table = pa.Table.from_pylist([row] if row else [], schema=pa.schema(_COLUMNS))
    return session.from_arrow(table).select("* replace (inputs::json as inputs, parameters::json as parameters)")
