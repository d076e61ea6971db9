"""A trained model that can score: its checked artifact and its signature."""

from pathlib import Path

import numpy as np
import pyarrow as pa

from ml.errors import ArtifactError
from ml.estimators import ESTIMATORS
from ml.files import read_checked
from ml.matrix import to_matrix
from ml.signature import Signature


class Scorer:
    """Scores tables of features: the one way from features to scores, for hold-outs, batch, canaries and HTTP."""

    def __init__(self, artifact: Path, artifact_format: str, sha256: str, signature: Signature) -> None:
        """Load a model. Raises ArtifactError where the file is not the recorded one or its format is unknown."""
        formats = {estimator.artifact_format: estimator for estimator in ESTIMATORS.values()}
        if artifact_format not in formats:
            raise ArtifactError(
                f"{artifact}: unknown artifact format '{artifact_format}'; this version reads {', '.join(formats)}."
            )
        self.signature = signature
        content = read_checked(artifact, sha256)
        try:
            self._estimator = formats[artifact_format](content, signature.features)
        except ArtifactError as error:
            raise ArtifactError(f"{artifact}: {error}") from error

    def score(self, features: pa.Table) -> np.ndarray:
        """The score of each row: shape (rows,), float64. The table holds the signature's features by name."""
        if features.num_rows == 0:
            return np.empty(0, dtype=np.float64)
        return self._estimator.predict(to_matrix(features, self.signature.features))
