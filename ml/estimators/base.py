"""What an estimator is to the platform."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from ml.signature import Feature


@dataclass(frozen=True)
class TrainingData:
    """Matrices of shape (rows, features), float64 with NaN for missing, and targets of shape (rows,), 0 or 1."""

    features: list[Feature]
    train: tuple[np.ndarray, np.ndarray]
    validation: tuple[np.ndarray, np.ndarray]


class Estimator(ABC):
    """A learner and its artifact. Training with the same data, parameters and seed gives the same artifact.

    `name` is what a model's YAML says, `artifact_format` the file's format and `suffix` the end of its name.
    """

    name: ClassVar[str]
    artifact_format: ClassVar[str]
    suffix: ClassVar[str]

    @classmethod
    @abstractmethod
    def train(cls, data: TrainingData, parameters: dict[str, Any], seed: int) -> tuple[bytes, dict[str, Any]]:
        """Learn. Returns the artifact's bytes and all parameters as they were used."""

    @abstractmethod
    def __init__(self, artifact: bytes, features: list[Feature]) -> None:
        """Load an artifact whose SHA-256 has been checked. Raises ArtifactError where it is not safe to read."""

    @abstractmethod
    def predict(self, matrix: np.ndarray) -> np.ndarray:
        """The probability of the positive class per row: shape (rows,), float64. One row scores as in any batch."""
