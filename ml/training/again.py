"""Training a recorded version again, from nothing but its record and its dataset's file, and what came out."""

import datetime as dt
import hashlib
import importlib.util
import json
import os
from typing import Any

from ml.datasets.versions import DatasetVersion, find_version, in_memory
from ml.errors import ArtifactError, DeclarationError
from ml.estimators import ESTIMATORS
from ml.estimators.base import Estimator, Trained
from ml.registry.models import ModelVersion
from ml.training.code_fingerprint import code_fingerprint
from ml.training.data import Prepared, prepare
from ml.training.reproduction import DIFFERENT, EQUAL, IMPOSSIBLE, Reproduction, keep_reproduction
from ml.training.spec import ModelSpec
from ml.training.train import libraries


def reproduce(version: ModelVersion, datasets: list[DatasetVersion]) -> Reproduction:
    """Train a version again and keep the outcome, which registry.model_reproductions reads. The warehouse stays closed.

    datasets: the recorded versions of every dataset, as ml.datasets.versions.kept_versions gives them.
    """
    differences = _environment(version)
    found: str | None = None
    try:
        prepared, trained = _train_again(version, datasets)
    except (ArtifactError, DeclarationError) as error:
        differences.append(str(error))
        outcome = IMPOSSIBLE
    else:
        found = hashlib.sha256(trained.artifact).hexdigest()
        outcome = EQUAL if found == version.artifact_sha256 else DIFFERENT
        if outcome == DIFFERENT:
            differences += _results(version, prepared, trained)
    now = dt.datetime.now(dt.UTC)
    done = Reproduction(version.model, version.version, now, outcome, version.artifact_sha256, found, differences)
    keep_reproduction(done)
    return done


def _train_again(version: ModelVersion, datasets: list[DatasetVersion]) -> tuple[Prepared, Trained]:
    estimator = _estimator(version)
    dataset = find_version(datasets, version.dataset, version.dataset_version)
    parameters = version.inputs["parameters"]
    # What a search chose is recorded among the inputs, and not what was declared.
    declared = version.declaration | {"estimator": version.estimator, "parameters": parameters}
    spec = ModelSpec.parse(version.model, declared)
    with in_memory() as session:
        prepared = prepare(session, spec, dataset, [feature.name for feature in version.signature.features])
    return prepared, estimator.train(prepared.data, parameters, version.seed)


def _estimator(version: ModelVersion) -> type[Estimator]:
    if version.estimator not in ESTIMATORS:
        raise DeclarationError(f"{version.name}: this version of the platform has no estimator '{version.estimator}'.")
    estimator = ESTIMATORS[version.estimator]
    if missing := [package for package in estimator.requires if importlib.util.find_spec(package) is None]:
        raise DeclarationError(
            f"{version.name}: {', '.join(missing)} is not installed: pip install 'eiderdown[{estimator.extra}]'."
        )
    return estimator


def _environment(version: ModelVersion) -> list[str]:
    """What is not as it was when the version was trained, before anything is trained."""
    try:
        estimator = _estimator(version)
    except DeclarationError:
        return []
    here = libraries(estimator)
    found = [
        f"{name}: {recorded} recorded, {here.get(name, 'none')} here"
        for name, recorded in version.libraries.items()
        if here.get(name) != recorded
    ]
    if code_fingerprint(version.estimator) != version.code_fingerprint:
        found.append("the code that trains is another one than was recorded (code_fingerprint)")
    return found


def _results(version: ModelVersion, prepared: Prepared, trained: Trained) -> list[str]:
    """Where a training went another way than the recorded one."""
    found = []
    if prepared.data.features != version.signature.features:
        found.append("the features or their categories differ")
    if dict(prepared.row_counts) != version.row_counts:
        found.append(f"rows: {version.row_counts} recorded, {dict(prepared.row_counts)} here")
    for name in dict.fromkeys([*version.params, *trained.parameters]):
        recorded, here = version.params.get(name), _as_json(trained.parameters.get(name))
        if recorded != here:
            found.append(f"parameter {name}: {recorded} recorded, {here} here")
    for name, recorded in version.learning_curve.items():
        here = trained.learning_curve.get(name, [])
        first = next(
            (place for place, pair in enumerate(zip(recorded, here, strict=False)) if pair[0] != pair[1]), None
        )
        if first is not None:
            found.append(f"{name}: differs from iteration {first + 1} on, with {os.cpu_count()} processors here")
    return found


def _as_json(value: Any) -> Any:
    return json.loads(json.dumps(value))
