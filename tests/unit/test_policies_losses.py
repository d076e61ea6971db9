"""Losses of single predictions against scikit-learn's of many, and what has none."""

import math
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import brier_score_loss, log_loss, mean_absolute_error, zero_one_loss

from ml.experiments.losses import LEAST_PROBABILITY, LOSSES, loss_of

CLASSES = ["a", "b", "c"]


def test_means_are_scikit_learns() -> None:
    rng = np.random.default_rng(1)
    scores, outcomes = rng.uniform(0.01, 0.99, 200), rng.random(200) < 0.3
    shares, labels = rng.dirichlet(np.ones(3) * 3, 200), rng.choice(CLASSES, 200)

    def binary(kind: str, threshold: float = 0.5) -> list[float | None]:
        both = zip(scores.tolist(), outcomes.tolist(), strict=True)
        return [loss_of("binary", kind, score, outcome, threshold=threshold) for score, outcome in both]

    def multiclass(kind: str) -> list[float | None]:
        both = zip(shares.tolist(), labels.tolist(), strict=True)
        return [loss_of("multiclass", kind, score, outcome, CLASSES) for score, outcome in both]

    nats = -math.log(LEAST_PROBABILITY)
    assert np.mean(binary("brier")) == pytest.approx(brier_score_loss(outcomes, scores))
    assert np.mean(binary("log_loss")) * nats == pytest.approx(log_loss(outcomes, scores))
    assert np.mean(binary("error", 0.7)) == pytest.approx(zero_one_loss(outcomes, scores >= 0.7))
    assert np.mean(multiclass("brier")) == pytest.approx(brier_score_loss(labels, shares, scale_by_half=True))
    assert np.mean(multiclass("log_loss")) * nats == pytest.approx(log_loss(labels, shares))
    guessed = np.array(CLASSES)[shares.argmax(axis=1)]
    assert np.mean(multiclass("error")) == pytest.approx(zero_one_loss(labels, guessed))
    absolute = [loss_of("regression", "absolute", s, o, scale=2) for s, o in zip(scores, scores[::-1], strict=True)]
    assert np.mean(absolute) == pytest.approx(mean_absolute_error(scores, scores[::-1]) / 2)


@pytest.mark.parametrize(
    ("task", "score", "outcome", "expected"),
    [
        ("binary", 0.0, True, (1.0, 1.0, 1.0)),
        ("binary", 1.0, 1, (0.0, 0.0, 0.0)),
        ("binary", 0.5, 0, (0.25, math.log(0.5) / math.log(0.001), 1.0)),
        ("multiclass", [0.0, 1.0, 0.0], "a", (1.0, 1.0, 1.0)),
        ("multiclass", {"c": 1.0, "a": 0.0}, "c", (0.0, 0.0, 0.0)),
        ("regression", 5, 8.0, (0.3, 0.09)),
        ("regression", -1e300, 1e300, (1.0, 1.0)),
    ],
)
def test_losses_lie_between_0_and_1(task: str, score: Any, outcome: object, expected: tuple[float, ...]) -> None:
    found = [loss_of(task, kind, score, outcome, CLASSES, scale=10.0) for kind in LOSSES[task]]
    assert found == [pytest.approx(one) for one in expected]


@pytest.mark.parametrize(
    ("task", "score", "outcome"),
    [
        ("binary", 0.5, None),
        ("binary", 0.5, "true"),
        ("binary", 0.5, 0.5),
        ("binary", math.nan, True),
        ("binary", None, True),
        ("multiclass", [0.2, 0.8, 0.0], "d"),
        ("multiclass", [0.2, 0.8, 0.0], None),
        ("multiclass", [0.2, 0.8], "a"),
        ("multiclass", [math.nan, 0.8, 0.2], "a"),
        ("multiclass", 0.5, "a"),
        ("regression", 1.0, math.inf),
        ("regression", 1.0, "a"),
        ("regression", None, 1.0),
    ],
)
def test_what_is_no_outcome_of_the_task_has_no_loss(task: str, score: Any, outcome: object) -> None:
    for kind in LOSSES[task]:
        assert loss_of(task, kind, score, outcome, CLASSES) is None
