"""Why each model was trained, or was not: the latest decision of each, which registry.training_decisions reads."""

import json

from ml import files
from ml.datasets import DatasetVersion

FOLDER = "artifacts/training"


def keep_decision(model: str, decision: str, version: int | None, dataset: DatasetVersion, reason: str) -> None:
    """Keep a decision ('trained', 'kept' or 'skipped') on a dataset version, with the version of the model that stands.

    That a version is kept for the very dataset version that the file speaks of is nothing new.
    """
    path = files.home() / FOLDER / f"{model}.json"
    stands = {"model": model, "version": version, "dataset": dataset.dataset, "dataset_version": dataset.version}
    if decision == "kept" and path.is_file() and stands.items() <= json.loads(path.read_text()).items():
        return
    files.write_changed(path, json.dumps(stands | {"decision": decision, "reason": reason}).encode())
