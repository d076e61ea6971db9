"""Why each model was trained, or was not: the latest decision of each, which registry.training_decisions reads."""

import json
from pathlib import Path

from ml import files
from ml.datasets.versions import DatasetVersion
from ml.training.spec import ModelSpec


def keep_decision(spec: ModelSpec, decision: str, version: int | None, dataset: DatasetVersion, reason: str) -> None:
    """Keep a decision ('trained', 'kept' or 'skipped') on a dataset version, with the version of the model that stands.

    That a version is kept for the very dataset version that the file speaks of is nothing new.
    """
    path = _path(spec.name)
    stands = {"model": spec.name, "version": version, "dataset": dataset.dataset, "dataset_version": dataset.version}
    if decision == "kept" and path.is_file() and stands.items() <= json.loads(path.read_text()).items():
        return
    files.write_changed(path, json.dumps(stands | {"decision": decision, "reason": reason, "task": spec.task}).encode())


def decided_task(model: str) -> str:
    """The task of a model that has no version, as its latest decision has it."""
    return str(json.loads(_path(model).read_text())["task"])


def _path(model: str) -> Path:
    return files.home() / "artifacts" / "training" / f"{model}.json"
