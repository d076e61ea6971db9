"""What a version of a model was trained on, to tell whether there is something new to learn, and what."""

import dataclasses
from typing import Any

from ml.datasets.versions import DatasetVersion
from ml.scoring.signature import Expression, ViewInput
from ml.training.code_fingerprint import code_fingerprint
from ml.training.spec import ModelSpec

NOT_LEARNED_FROM = ("features", "parameters", "promote", "tune", "automl", "optional", "serving", "retrain")
"""Fields of a declaration that shape no artifact, or that show elsewhere: the columns in their hashes."""


def training_inputs(
    spec: ModelSpec,
    declaration: dict[str, Any],
    dataset: DatasetVersion,
    used: list[str],
    views: list[ViewInput],
    expressions: list[Expression],
    parameters: dict[str, Any],
) -> dict[str, Any]:
    """All that shapes a version, as JSON: of the dataset only what the model uses."""
    row_id, at = dataset.definition["row_id"], dataset.definition["at"]
    names = {name.lower() for name in used}
    needed = names | {key for view in views for key in view.entity}
    others = [*([spec.split.column] if spec.split.column else []), *spec.slices]
    learned = [spec.learn_from.probabilities] if spec.learn_from else []
    columns = [*used, spec.target, row_id, at, *others, *learned]
    return {
        "columns": {column: dataset.column_hashes[column] for column in dict.fromkeys(columns)},
        "features": used,
        "request": [dataclasses.asdict(field) for field in dataset.request if field.name in needed],
        # A version of a view keeps its meaning, so of its fingerprint only a column that was added could be new.
        "views": {
            view.name: {
                "entity": view.entity,
                "ttl_seconds": view.ttl_seconds,
                "features": {name: kind for name, kind in view.features.items() if name.lower() in names},
            }
            for view in views
        },
        "expressions": {expression.name: dataclasses.asdict(expression) for expression in expressions},
        "declaration": {name: value for name, value in declaration.items() if name not in NOT_LEARNED_FROM},
        "parameters": parameters,
        "code": code_fingerprint(spec.estimator),
    }


def reason_to_train(before: dict[str, Any] | None, now: dict[str, Any], target: str) -> str:
    """What differs between the inputs of two versions, in words; empty where nothing does. before: None of no version."""
    if before is None:
        return "first version"
    added, left_out = _only_in(now["features"], before["features"]), _only_in(before["features"], now["features"])
    both = [column for column in now["columns"] if column in before["columns"]]
    changed = [column for column in both if now["columns"][column] != before["columns"][column]]
    reasons = [
        *([f"new features: {', '.join(added)}"] if added else []),
        *([f"features left out: {', '.join(left_out)}"] if left_out else []),
        *_changed_columns(changed, both, target, (now["declaration"].get("learn_from") or {}).get("probabilities")),
        *(
            f"{part} changed: {', '.join(names)}"
            for part in ("views", "expressions")
            if (names := _differing(before[part], now[part]))
        ),
        *(["request changed"] if before["request"] != now["request"] else []),
        *_changed_values("", before["declaration"], now["declaration"]),
        *_changed_values("parameters.", before["parameters"], now["parameters"]),
        *(["training code changed"] if before["code"] != now["code"] else []),
    ]
    return "; ".join(reasons)


def _changed_columns(changed: list[str], both: list[str], target: str, learned: str | None) -> list[str]:
    if not changed:
        return []
    if len(changed) == len(both):
        return ["other rows"]
    part = {target: " (target)", learned: " (learned from)"}
    said = [f"{column}{part.get(column, '')}" for column in changed]
    return [f"columns changed: {', '.join(said)}"]


def _changed_values(prefix: str, before: dict[str, Any], now: dict[str, Any]) -> list[str]:
    return [
        f"{prefix}{name}: {before.get(name, 'default')} -> {now.get(name, 'default')}"
        for name in _differing(before, now)
    ]


def _differing(before: dict[str, Any], now: dict[str, Any]) -> list[str]:
    return [name for name in dict.fromkeys([*before, *now]) if before.get(name) != now.get(name)]


def _only_in(these: list[str], others: list[str]) -> list[str]:
    return [name for name in these if name not in others]
