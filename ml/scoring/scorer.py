"""A trained model that can score: its checked artifact and its signature."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa

from ml.errors import ArtifactError
from ml.estimators import ESTIMATORS
from ml.files import read_checked
from ml.scoring.matrix import to_matrix
from ml.scoring.signature import Signature


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
            self._estimator = formats[artifact_format](content, signature.features, signature.outputs)
        except ArtifactError as error:
            raise ArtifactError(f"{artifact}: {error}") from error

    @property
    def tolerance(self) -> float:
        """How far a score may lie from the one that another processor gave."""
        return self._estimator.tolerance

    def score(self, features: pa.Table) -> np.ndarray:
        """The score of each row, float64: shape (rows,), or (rows, classes) of a multiclass task.

        features: a table that holds the signature's features by name.
        """
        return self._of_rows(self._estimator.predict, features)

    def score_matrix(self, matrix: np.ndarray) -> np.ndarray:
        """`score` of rows that `to_matrix` has made a matrix of."""
        return self._estimator.predict(matrix)

    def raw_score(self, features: pa.Table) -> np.ndarray:
        """The score before the link function, in the shape of `score`: log-odds, or a regression's value."""
        return self._of_rows(self._estimator.raw_score, features)

    def contributions(self, features: pa.Table) -> np.ndarray:
        """What each feature, and in the last column the base value, adds to the raw score.

        Shape (rows, features + 1), or (rows, classes, features + 1) of a multiclass task.
        """
        return self._of_rows(self._estimator.contributions, features)

    def _of_rows(self, function: Callable[[np.ndarray], np.ndarray], features: pa.Table) -> np.ndarray:
        # An estimator need not think of no rows: one row says what shape there would be.
        if features.num_rows == 0:
            empty = pa.table({f.name: pa.nulls(1, features.schema.field(f.name).type) for f in self.signature.features})
            return function(to_matrix(empty, self.signature.features))[:0]
        return function(to_matrix(features, self.signature.features))
