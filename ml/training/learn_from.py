"""What `learn_from` in a model's declaration says, checked: probabilities to learn from in the place of the target."""

from dataclasses import dataclass
from typing import Any

from ml.declared import refuse_other, refuse_unknown
from ml.errors import DeclarationError
from ml.field_types import PROBABILITIES, canonical

WAYS = ("soft_targets", "sample_weights")


@dataclass(frozen=True)
class LearnFrom:
    """The dataset's column that a model learns from: class -> probability, or of a binary task the probability of true.

    way: 'soft_targets' learns the expected loss, 'sample_weights' the likeliest class, weighted by its probability. Rows where
    the column is null are not learned from.
    """

    probabilities: str
    way: str

    @classmethod
    def parse(cls, where: str, task: str, declared: Any) -> "LearnFrom":
        """From {probabilities, as}. Raises DeclarationError with the field, what is wrong and the remedy."""
        refuse_unknown(where, declared, ("probabilities", "as"))
        if task == "regression":
            raise DeclarationError(f"{where} is for classes, and the task is regression; remove it.")
        for required in ("probabilities", "as"):
            if required not in declared:
                raise DeclarationError(f"{where} lacks '{required}'; write {{probabilities: a column, as: {WAYS[0]}}}.")
        if not isinstance(declared["probabilities"], str):
            raise DeclarationError(
                f"{where}.probabilities is '{declared['probabilities']}'; it must be a column of the dataset."
            )
        refuse_other(f"{where}.as", declared["as"], WAYS)
        return cls(declared["probabilities"], declared["as"])

    def check_column(self, where: str, task: str, columns: dict[str, str], labels: set[str], dataset: str) -> None:
        """Raise DeclarationError where the column holds no probabilities, or is none of the dataset's labels.

        columns: the dataset's, with their types, among which it is; labels: those that are no features.
        """
        kind = canonical(columns[self.probabilities])
        if kind != PROBABILITIES and (task, kind) != ("binary", "DOUBLE"):
            binary = ", or a double, the probability of true" if task == "binary" else ""
            raise DeclarationError(
                f"{where}.probabilities: '{self.probabilities}' is {columns[self.probabilities]}; a {task} task learns from a "
                f"map(varchar, double), class to probability{binary}."
            )
        if self.probabilities not in labels:
            raise DeclarationError(
                f"{where}.probabilities: '{self.probabilities}' is none of the dataset's labels, so that it could become a "
                f"feature; add it to config.meta.dataset.labels of the dataset {dataset}."
            )
