"""A model to tune, on rows made up for tests."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from ml.datasets.versions import DatasetVersion, find_version
from ml.training.spec import ModelSpec
from ml.tuning.journal import open_to_read
from ml.tuning.search import Budget, Progress, search
from ml.tuning.trial import Trial, all_trials
from tests.recorded import record

COLUMNS = {
    "id": "INTEGER",
    "seen_at": "TIMESTAMPTZ",
    "a": "DOUBLE",
    "b": "DOUBLE",
    "late": "BOOLEAN",
    "delay": "DOUBLE",
}
ROWS = """
    select
        place as id,
        timestamptz '2024-01-01' + to_hours(place) as seen_at,
        hash(place, 'a') % 1000 / 1000.0 as a,
        hash(place, 'b') % 1000 / 1000.0 as b,
        a + b * b + hash(place, 'noise') % 1000 / 1000.0 as delay,
        delay > 1.3 as late
    from range(600) as places (place)
"""
SPACE = {"l2": {"low": 0.01, "high": 1e4, "log": True}, "max_iterations": {"low": 1, "high": 12}}
MODEL: dict[str, Any] = {
    "task": "binary",
    "dataset": "orders",
    "target": "late",
    "estimator": "linear",
    "features": ["a", "b"],
    "parameters": {"max_iterations": 2},
}


def model(tune: dict[str, Any] | None = None, **changes: Any) -> ModelSpec:
    """The model, with a search in its declaration."""
    declared = MODEL | changes
    return ModelSpec.parse("late", declared if tune is None else declared | {"tune": tune})


def versions(folder: Path, count: int = 1) -> Callable[[int | None], DatasetVersion]:
    """So many versions of the dataset; a later one has fewer rows."""
    recorded = [record(folder, number, COLUMNS, f"{ROWS} limit {650 - 50 * number}") for number in range(1, count + 1)]
    return lambda number: find_version(recorded, "orders", number)


def run(spec: ModelSpec, find: Callable[[int | None], DatasetVersion], **options: Any) -> Progress:
    """The search by its declared budget, or the one among the options."""
    assert spec.search is not None
    options = {"budget": Budget.of(spec.search), "watch": lambda progress: None} | options
    return search(spec, find, **options)


def trials() -> list[Trial]:
    """What the journal has."""
    storage = open_to_read("late")
    return all_trials(storage) if storage else []
