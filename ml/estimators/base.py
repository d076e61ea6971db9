"""What an estimator is to the platform."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from ml.scoring.signature import Feature

Report = Callable[[int, float], None]
"""Takes the iteration and the loss on the validation split (lower is better). What it raises ends the training."""


def report_to_nobody(iteration: int, loss: float) -> None:
    """The Report of a training that nobody watches."""


@dataclass(frozen=True)
class TrainingData:
    """What is to be learned: matrices of shape (rows, features), float64 with NaN for missing, with their targets.

    Targets have the shape (rows,), float64: 0 or 1 of a binary task, the place of the class of a multiclass one, the
    value of a regression. Soft targets are probabilities: of a binary task anything from 0 to 1, of a multiclass one of the
    shape (rows, outputs). `outputs` is the number of classes of a multiclass task, otherwise 1. Weights, of the shape
    (rows,), say how much a row's loss counts; None: all alike.
    """

    task: str
    outputs: int
    features: list[Feature]
    train: tuple[np.ndarray, np.ndarray]
    validation: tuple[np.ndarray, np.ndarray]
    train_weights: np.ndarray | None = None
    validation_weights: np.ndarray | None = None

    @property
    def is_soft(self) -> bool:
        """Whether a target is not one class alone."""
        if self.task == "regression":
            return False
        targets = (self.train[1], self.validation[1])
        return any(target.ndim == 2 or (self.task == "binary" and (target % 1 != 0).any()) for target in targets)


@dataclass(frozen=True)
class Trained:
    """The artifact's bytes, all parameters as they were used, and what was measured at each iteration.

    learning_curve: '<split> <metric>', such as 'validation auc', to a value for each iteration.
    """

    artifact: bytes
    parameters: dict[str, Any]
    learning_curve: dict[str, list[float]] = field(default_factory=dict)


class Estimator(ABC):
    """A learner and its artifact. Training with the same data, parameters and seed gives the same artifact.

    `name` is what a model's YAML says; `artifact_format` the file's format and `suffix` the end of its name; `tasks` what
    it can learn; `requires` the packages that training imports beyond the platform's own, and `extra` the extra of this
    distribution that brings them; `search_space` what tuning tries unless the YAML says otherwise: a parameter to
    {low, high, log} or {choices}; `code` the modules beside its own whose change trains anew; `cost` about how long a
    training takes beside LightGBM's, by which automl tries cheap ones first; `tolerance` how far a score may lie from the
    recorded one on another processor.
    """

    name: ClassVar[str]
    artifact_format: ClassVar[str]
    suffix: ClassVar[str]
    tasks: ClassVar[tuple[str, ...]] = ("binary", "multiclass", "regression")
    requires: ClassVar[tuple[str, ...]] = ()
    extra: ClassVar[str] = ""
    search_space: ClassVar[dict[str, dict[str, Any]]] = {}
    code: ClassVar[tuple[str, ...]] = ()
    cost: ClassVar[float] = 1.0
    tolerance: ClassVar[float] = 0.0

    @classmethod
    @abstractmethod
    def check_parameters(cls, task: str, parameters: dict[str, Any]) -> None:
        """Raise DeclarationError with the parameter, what is wrong and the remedy. Imports nothing that takes long."""

    @classmethod
    def check_soft_targets(cls, task: str, parameters: dict[str, Any]) -> None:
        """`check_parameters` of a model that learns from soft targets, which may not go with as much."""
        cls.check_parameters(task, parameters)

    @classmethod
    @abstractmethod
    def train(
        cls, data: TrainingData, parameters: dict[str, Any], seed: int, report: Report = report_to_nobody
    ) -> Trained:
        """Learn from the training split, with the validation split to say when to stop."""

    @abstractmethod
    def __init__(self, artifact: bytes, features: list[Feature], outputs: int) -> None:
        """Load an artifact whose SHA-256 has been checked. Raises ArtifactError where it is not safe to read."""

    @abstractmethod
    def predict(self, matrix: np.ndarray) -> np.ndarray:
        """The scores, float64: a binary task's probability of the positive class or a regression's value, shape (rows,);
        a multiclass task's probabilities, shape (rows, outputs). One row scores as in any batch, bit for bit.
        """

    @abstractmethod
    def raw_score(self, matrix: np.ndarray) -> np.ndarray:
        """The scores before the link function (log-odds, or the value itself), in the shape of `predict`."""

    @abstractmethod
    def contributions(self, matrix: np.ndarray) -> np.ndarray:
        """What each feature adds to the raw score: shape (rows, features + 1), or (rows, outputs, features + 1).

        The last column is the base value; a row adds up to its raw score.
        """
