"""The table of a model's trials: `<model>_trials`, a Python model upstream of the training."""

import json
from functools import partial
from typing import Any

import duckdb
import pyarrow as pa
from dbt_common.events.base_types import EventLevel
from dbt_common.events.functions import fire_event
from dbt_common.events.types import Note

from ml.datasets.versions import dataset_version
from ml.errors import DeclarationError
from ml.registry.history import history
from ml.training.spec import ModelSpec
from ml.tuning.identity import latest_dataset_version, search_name
from ml.tuning.journal import SearchIsHeld, journal_path, open_to_read
from ml.tuning.search import Budget, Progress, best_trial, search
from ml.tuning.show import describe
from ml.tuning.trial import Trial, all_trials

_TEXT, _TIME = pa.string(), pa.timestamp("us", tz="UTC")
_COLUMNS: list[tuple[str, pa.DataType]] = [
    ("model", _TEXT),
    ("search", _TEXT),
    ("study", _TEXT),
    ("trial", pa.int32()),
    ("dataset_version", pa.int32()),
    ("estimator", _TEXT),
    ("state", _TEXT),
    ("params", _TEXT),
    ("metric", _TEXT),
    ("value", pa.float64()),
    ("losses", pa.map_(pa.int32(), pa.float64())),
    ("reason", _TEXT),
    ("started_at", _TIME),
    ("finished_at", _TIME),
    ("seconds", pa.float64()),
    ("is_best", pa.bool_()),
]


def trials(
    dbt: Any, session: duckdb.DuckDBPyConnection, declared: dict[str, str], datasets: duckdb.DuckDBPyRelation
) -> duckdb.DuckDBPyRelation:
    """Run what is left of a model's search, and return all of its trials.

    declared: `dbt.config.meta_get("trials")`, {model}; datasets: dbt.ref("datasets"). Where another process searches, the
    trials that are finished come, and the best stays the one that it was. Raises DeclarationError where the model
    declares no search.
    """
    # dbt tells a Python model its own declaration only; the materialization keeps the other's here.
    model = declared["model"]
    spec = ModelSpec.parse(model, json.loads(journal_path(model).with_name("declaration.json").read_text()))
    if spec.search is None:
        raise DeclarationError(
            f"model {spec.name}: {dbt.this.identifier} holds its trials, and it declares no search; add tune: {{trials: 30}} or "
            "automl: true to its config.meta.model, or remove that model."
        )
    before = history(session, dbt.this, "study, trial, is_best")
    stands = {(study, trial) for study, trial, is_best in before if is_best}
    try:
        search(spec, partial(dataset_version, datasets, spec.dataset), Budget.of(spec.search), partial(_say, spec))
        is_running = False
    except SearchIsHeld:
        is_running = True
        _note(
            f"model {spec.name}: a search is running in another process; its parameters stay as they are until it ends"
        )
    storage = open_to_read(spec.name)
    found = all_trials(storage) if storage else []
    best = None if is_running and stands else _best(spec, found)
    is_best = stands if best is None else {(best.study, best.trial)}
    rows = [_row(spec.name, trial, (trial.study, trial.trial) in is_best) for trial in found]
    table = session.from_arrow(pa.Table.from_pylist(rows, schema=pa.schema(_COLUMNS)))
    relation = table.select("* replace (params::json as params)")
    lost = stands - is_best - {(trial.study, trial.trial) for trial in found}
    for study, trial in lost:
        # The journal was removed.
        kept = session.table(f"{dbt.this.schema}.{dbt.this.identifier}").filter(
            f"study = '{study}' and trial = {trial}"
        )
        relation = relation.union(kept.select("* replace (false as is_best)"))
    return relation


def _best(spec: ModelSpec, found: list[Trial]) -> Trial | None:
    """The best trial of the search that stands for the present declaration."""
    version = latest_dataset_version(spec, {trial.search for trial in found})
    if version is None:
        return None
    return best_trial([trial for trial in found if trial.search == search_name(spec, version)])


def _row(model: str, trial: Trial, is_best: bool) -> dict[str, Any]:
    values = {name: getattr(trial, name) for name, _ in _COLUMNS if hasattr(trial, name)}
    return values | {
        "model": model,
        "params": json.dumps(trial.params, sort_keys=True),
        "losses": list(trial.losses.items()),
        "is_best": is_best,
    }


def _say(spec: ModelSpec, progress: Progress) -> None:
    """In dbt's log a line for each trial that is better than those before."""
    if progress.latest is not None and progress.latest is progress.best:
        _note(f"model {spec.name}: {describe(progress)}")


def _note(text: str) -> None:
    fire_event(Note(msg=text), level=EventLevel.INFO)
