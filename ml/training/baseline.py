"""The linear model that is trained beside each version, as what it is to be compared with."""

import hashlib
from dataclasses import dataclass
from typing import Any

from ml import files
from ml.estimators import ESTIMATORS
from ml.estimators.base import TrainingData
from ml.scoring.scorer import Scorer
from ml.scoring.signature import Signature
from ml.training.spec import ModelSpec

ESTIMATOR = "linear"
MOST_ROWS = 20_000
"""A sample says as well what a linear model can do, and its training costs little beside the model's own."""


@dataclass(frozen=True)
class Baseline:
    """Its artifact, under the home folder; stored as JSON in registry.model_versions."""

    artifact_format: str
    artifact: str
    artifact_sha256: str

    def scorer(self, signature: Signature) -> Scorer:
        """The baseline of a version, which takes the same features. Raises ArtifactError as Scorer does."""
        return Scorer(files.home() / self.artifact, self.artifact_format, self.artifact_sha256, signature)


def train_baseline(spec: ModelSpec, data: TrainingData, folder: str, table: str) -> Baseline | None:
    """Train the baseline of a model; None where it declares none, or is linear itself.

    folder: where artifacts lie, under the home folder; table: the one that is to name it.
    """
    if not spec.baseline or spec.estimator == ESTIMATOR:
        return None
    estimator = ESTIMATORS[ESTIMATOR]
    parameters: dict[str, Any] = {"max_rows": MOST_ROWS}
    artifact = estimator.train(data, parameters, spec.seed).artifact
    path = f"{folder}/{hashlib.sha256(artifact).hexdigest()}{estimator.suffix}"
    files.note_unregistered(files.home() / path, table)
    return Baseline(estimator.artifact_format, path, files.write_whole(files.home() / path, artifact))
