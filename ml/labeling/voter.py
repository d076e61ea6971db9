"""What label models have in common: probabilities of classes from votes, as snorkel's users know them."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import numpy as np

from ml.declared import refuse_other
from ml.errors import DeclarationError
from ml.labeling.patterns import ABSTAIN

TIE_BREAKS = ("abstain", "random")
METRICS = ("accuracy", "coverage", "precision", "recall", "f1", "f1_macro")
# Probabilities that differ by less are a tie.
_TIE = 1e-9


class Voter(ABC):
    """Gives rows of votes a class. Votes are whole numbers, shape (rows, functions): a class from 0, or -1 to abstain."""

    def __init__(self, cardinality: int = 2) -> None:
        if cardinality < 2:
            raise DeclarationError(f"cardinality is {cardinality}; there must be at least two classes.")
        self.cardinality = cardinality

    @abstractmethod
    def predict_proba(self, L: np.ndarray) -> np.ndarray:  # noqa: N803
        """The probability of each class, shape (rows, cardinality)."""

    def predict(self, L: np.ndarray, return_probs: bool = False, tie_break_policy: str = "abstain") -> Any:  # noqa: N803
        """The likeliest class of each row, shape (rows,), with `return_probs` also the probabilities.

        tie_break_policy: of classes that are as likely, 'abstain' gives -1, 'random' one by the place of the row, always the
        same.
        """
        refuse_other("tie_break_policy", tie_break_policy, TIE_BREAKS)
        probabilities = self.predict_proba(L)
        leads = probabilities >= probabilities.max(axis=1, keepdims=True) - _TIE
        predicted = leads.argmax(axis=1)
        tied = np.flatnonzero(leads.sum(axis=1) > 1)
        for row in tied:
            classes = np.flatnonzero(leads[row])
            predicted[row] = ABSTAIN if tie_break_policy == "abstain" else classes[row % len(classes)]
        return (predicted, probabilities) if return_probs else predicted

    def score(
        self,
        L: np.ndarray,  # noqa: N803
        Y: np.ndarray,  # noqa: N803
        metrics: Sequence[str] = ("accuracy",),
        tie_break_policy: str = "abstain",
    ) -> dict[str, float]:
        """Metrics of the predictions against the classes `Y`, over the rows that are given one; class 1 is the positive one.

        metrics: of METRICS; `coverage` is the share of rows that are given a class.
        """
        for metric in metrics:
            refuse_other("metrics", metric, METRICS)
        predicted, truth = self.predict(L, tie_break_policy=tie_break_policy), np.asarray(Y)
        if truth.shape != predicted.shape:
            raise DeclarationError(
                f"Y has the shape {truth.shape} and L {predicted.shape[0]} rows; give a class for each."
            )
        given = predicted != ABSTAIN
        return {metric: _measure(metric, predicted[given], truth[given], float(given.mean())) for metric in metrics}


def check_votes(votes: Any, cardinality: int, functions: int | None = None) -> np.ndarray:
    """Votes as an array of small whole numbers. Raises DeclarationError where they are none, with the row and the function."""
    given = np.asarray(votes)
    if given.ndim != 2 or (functions is not None and given.shape[1] != functions):
        wanted = "(rows, functions)" if functions is None else f"(rows, {functions})"
        raise DeclarationError(f"the votes have the shape {given.shape}; it must be {wanted}.")
    if given.dtype.kind not in "iub" and (given.dtype.kind != "f" or not (given == np.round(given)).all()):
        raise DeclarationError(f"the votes are {given.dtype}; they must be whole numbers, -1 where one abstains.")
    if given.size and (given.min() < ABSTAIN or given.max() >= cardinality):
        row, place = np.argwhere((given < ABSTAIN) | (given >= cardinality))[0]
        raise DeclarationError(
            f"function {place} votes {given[row, place]} in row {row}; a vote is a class from 0 to {cardinality - 1}, or -1 to "
            "abstain."
        )
    return np.asarray(given, dtype=np.int8 if cardinality < 127 else np.int32)


def _measure(metric: str, predicted: np.ndarray, truth: np.ndarray, coverage: float) -> float:
    if metric == "coverage":
        return coverage
    if metric == "accuracy":
        return float((predicted == truth).mean()) if len(truth) else float("nan")
    if metric == "f1_macro":
        return float(np.mean([_f1(predicted, truth, one) for one in np.union1d(truth, predicted)]))
    hits = int(((predicted == 1) & (truth == 1)).sum())
    if metric == "precision":
        return hits / max(int((predicted == 1).sum()), 1)
    if metric == "recall":
        return hits / max(int((truth == 1).sum()), 1)
    return _f1(predicted, truth, 1)


def _f1(predicted: np.ndarray, truth: np.ndarray, positive: int) -> float:
    hits = int(((predicted == positive) & (truth == positive)).sum())
    return 2 * hits / max(int((predicted == positive).sum() + (truth == positive).sum()), 1)
