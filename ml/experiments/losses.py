"""What a prediction cost once its outcome is known: a loss in [0, 1], as bandits and intervals of bounded means need it."""

import math
from collections.abc import Mapping, Sequence

LOSSES = {
    "binary": ("brier", "log_loss", "error"),
    "multiclass": ("brier", "log_loss", "error"),
    "regression": ("absolute", "squared"),
}
"""By task, the default first."""
LEAST_PROBABILITY = 0.001
"""What log_loss takes for a lower probability of the outcome; it is the loss of 1."""


def loss_of(
    task: str,
    kind: str,
    score: float | Sequence[float] | Mapping[str, float],
    outcome: object,
    classes: Sequence[str] = (),
    scale: float = 1.0,
    threshold: float = 0.5,
) -> float | None:
    """The loss of a prediction, in [0, 1], or None where the task has no such outcome or the score is no number.

    kind: one of LOSSES[task]. score: the probability of a positive, the value, or the probabilities of the classes, in their
    order or by name. outcome: a boolean (or 0, 1), a number, or a class. scale: of a regression, the error whose loss is 1;
    greater ones are cut. threshold: from which score on a binary prediction is positive.

    brier: the squared error of the probability (Brier 1950), over several classes half the sum of the squares; log_loss: the
    logarithm of the outcome's probability, 0 where that is 1 and 1 where it is LEAST_PROBABILITY or less; error: 1 where the
    class is wrong, of equally likely classes the first counts; absolute, squared: of (score - outcome) / scale.

    >>> loss_of("binary", "brier", 0.5, True), loss_of("multiclass", "error", {"a": 0.2, "b": 0.8}, "a", ["a", "b"])
    (0.25, 1.0)
    >>> loss_of("regression", "absolute", 30.0, 75, scale=60.0), loss_of("binary", "brier", 0.5, "late")
    (0.75, None)
    """
    if task == "multiclass":
        return _of_classes(kind, score, outcome, classes)
    if not isinstance(score, int | float) or not isinstance(outcome, bool | int | float):
        return None
    if not (math.isfinite(score) and math.isfinite(outcome)):
        return None
    if task == "regression":
        error = min(abs(score - outcome) / scale, 1.0)
        return error if kind == "absolute" else error * error
    if outcome not in (0, 1):
        return None
    if kind == "error":
        return float((score >= threshold) != bool(outcome))
    probability = score if outcome else 1 - score
    return (1 - probability) ** 2 if kind == "brier" else _log_loss(probability)


def _of_classes(kind: str, score: object, outcome: object, classes: Sequence[str]) -> float | None:
    if outcome not in classes:
        return None
    if isinstance(score, Mapping):
        score = [score.get(name, 0.0) for name in classes]
    if not isinstance(score, Sequence) or len(score) != len(classes) or not all(map(math.isfinite, score)):
        return None
    place = classes.index(str(outcome))
    if kind == "error":
        return float(score.index(max(score)) != place)
    if kind == "log_loss":
        return _log_loss(score[place])
    return min(math.fsum((one - (at == place)) ** 2 for at, one in enumerate(score)) / 2, 1.0)


def _log_loss(probability: float) -> float:
    return min(max(math.log(max(probability, LEAST_PROBABILITY)) / math.log(LEAST_PROBABILITY), 0.0), 1.0)
