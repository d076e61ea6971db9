"""Metrics of trials beside scikit-learn's, with ties, absent classes and extreme scores."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics
from sklearn.calibration import calibration_curve

from ml.training.spec import METRICS
from ml.tuning.metrics import measure

SEEDS = st.integers(0, 2**32 - 1)
SIZES = st.integers(2, 60)
EPSILON = np.finfo(float).eps


@given(SEEDS, SIZES, st.sampled_from([2, 5, 1000]))
def test_binary(seed: int, size: int, levels: int) -> None:
    chance = np.random.default_rng(seed)
    scores = chance.integers(0, levels + 1, size) / levels
    target = np.concatenate([[0.0, 1.0], chance.integers(0, 2, size - 2)])
    labels = scores >= 0.5
    expected = {
        "auc": metrics.roc_auc_score(target, scores),
        "average_precision": metrics.average_precision_score(target, scores),
        "log_loss": metrics.log_loss(target, np.clip(scores, EPSILON, 1 - EPSILON)),
        "brier": metrics.brier_score_loss(target, scores),
        "precision": metrics.precision_score(target, labels, zero_division=0),
        "recall": metrics.recall_score(target, labels),
        "f1": metrics.f1_score(target, labels),
    }
    assert set(expected) | {"calibration_error"} == set(METRICS["binary"])
    for metric, value in expected.items():
        assert measure(metric, "binary", scores, target, 0.5) == pytest.approx(value, abs=1e-9), metric


def test_calibration_error() -> None:
    chance = np.random.default_rng(1)
    scores = chance.random(1001)
    target = (chance.random(1001) < scores**2).astype(float)
    shares, means = calibration_curve(target, scores, n_bins=10, strategy="quantile")
    # 1001 rows: the quantiles are scores, of which the lowest bin has one more.
    weights = np.array([101, *[100] * 9]) / 1001
    expected = (np.abs(shares - means) * weights).sum()
    assert measure("calibration_error", "binary", scores, target, 0.5) == pytest.approx(expected, abs=1e-12)
    assert measure("calibration_error", "binary", np.full(9, 0.25), np.zeros(9), 0.5) == 0.25


@given(SEEDS, SIZES)
def test_multiclass(seed: int, size: int) -> None:
    chance = np.random.default_rng(seed)
    scores = chance.random((size + 3, 3)) + 1e-3
    scores /= scores.sum(axis=1, keepdims=True)
    target = np.concatenate([[0.0, 1.0, 2.0], chance.integers(0, 3, size)])
    predicted = scores.argmax(axis=1)
    expected = {
        "accuracy": metrics.accuracy_score(target, predicted),
        "log_loss": metrics.log_loss(target, scores),
        "auc_macro": metrics.roc_auc_score(target, scores, multi_class="ovr"),
        "f1_macro": metrics.f1_score(target, predicted, average="macro", zero_division=0),
        "f1_micro": metrics.f1_score(target, predicted, average="micro"),
    }
    assert set(expected) == set(METRICS["multiclass"])
    for metric, value in expected.items():
        assert measure(metric, "multiclass", scores, target, None) == pytest.approx(value, abs=1e-9), metric


@given(SEEDS, SIZES)
def test_regression(seed: int, size: int) -> None:
    chance = np.random.default_rng(seed)
    scores, target = chance.normal(3, 2, size), chance.normal(3, 2, size)
    expected = {
        "rmse": metrics.root_mean_squared_error(target, scores),
        "mae": metrics.mean_absolute_error(target, scores),
        "r2": metrics.r2_score(target, scores),
        "pinball": metrics.mean_pinball_loss(target, scores, alpha=0.5),
        "mape": metrics.mean_absolute_percentage_error(target, scores),
    }
    assert set(expected) == set(METRICS["regression"])
    for metric, value in expected.items():
        assert measure(metric, "regression", scores, target, None) == pytest.approx(value, rel=1e-9), metric


def test_what_is_not_defined_is_nan() -> None:
    scores = np.array([0.2, 0.3])
    assert np.isnan(measure("auc", "binary", scores, np.ones(2), 0.5))
    assert np.isnan(measure("average_precision", "binary", scores, np.zeros(2), 0.5))
    assert np.isnan(measure("auc_macro", "multiclass", np.full((2, 3), 1 / 3), np.array([0.0, 1.0]), None))
    assert measure("precision", "binary", scores, np.ones(2), 0.5) == 0
