"""The intervals of macros/metrics against a plain bootstrap of rows."""

from typing import Any

import duckdb
import numpy as np
import pytest

from tests.metrics import load, rows
from tests.rendered import package

MACROS = package("metrics/*")


@pytest.fixture(scope="module")
def connection() -> duckdb.DuckDBPyConnection:
    return duckdb.connect(config={"threads": 1})


def bootstrap(statistic: Any, count: int, replicates: int = 1000) -> tuple[float, float, float]:
    """A percentile bootstrap of whole rows: low, high and the standard deviation."""
    random = np.random.default_rng(11)
    values = [statistic(random.integers(0, count, count)) for _ in range(replicates)]
    return (*np.quantile(values, [0.025, 0.975]), np.std(values))


@pytest.mark.parametrize(("count", "separation"), [(60, 1.0), (400, 1.5), (2000, 0.5)])
def test_binary_intervals_are_those_of_a_bootstrap_of_rows(
    connection: duckdb.DuckDBPyConnection, count: int, separation: float
) -> None:
    random = np.random.default_rng(count)
    target = (random.random(count) < 0.3).astype(float)
    score = 1 / (1 + np.exp(0.8 - separation * (target - 0.3) - random.normal(size=count)))
    load(connection, target=target, score=score)
    found = rows(connection, MACROS.binary_metrics("scored", "target", "score", 0.4, [], "row_id"))
    ends = {row["metric"]: (row["low"], row["high"]) for row in found}
    losses = -np.log(np.where(target == 1, score, 1 - score))
    predicted = score >= 0.4
    of_rows = {
        "auc": lambda n: auc(target[n], score[n]),
        "average_precision": lambda n: average_precision(target[n], score[n]),
        "log_loss": lambda n: losses[n].mean(),
        "precision": lambda n: target[n][predicted[n]].mean(),
        "recall": lambda n: predicted[n][target[n] == 1].mean(),
    }
    if count < 1000:
        # Of few rows a resampled average precision lies too high, which its expansion does not copy.
        del of_rows["average_precision"]
    for metric, statistic in of_rows.items():
        low, high, deviation = bootstrap(statistic, count)
        # Both ends come from a thousand replicates; 512 groups and the first-order expansion add a little.
        assert ends[metric] == pytest.approx((low, high), abs=0.45 * deviation), metric


def auc(target: np.ndarray, score: np.ndarray) -> float:
    positives, negatives = score[target == 1], np.sort(score[target == 0])
    below = np.searchsorted(negatives, positives, "left") + np.searchsorted(negatives, positives, "right")
    return float(below.mean() / 2 / len(negatives))


def average_precision(target: np.ndarray, score: np.ndarray) -> float:
    order = np.argsort(-score, kind="stable")
    ordered, hits = score[order], np.cumsum(target[order])
    last = np.searchsorted(-ordered, -ordered, "right") - 1
    return float((hits[last] / (last + 1))[target[order] == 1].mean())


def test_regression_intervals_are_those_of_a_bootstrap_of_rows(connection: duckdb.DuckDBPyConnection) -> None:
    random = np.random.default_rng(2)
    score = random.normal(1e6, 1, 500)
    target = score + random.laplace(size=500)
    load(connection, target=target, score=score)
    found = rows(connection, MACROS.regression_metrics("scored", "target", "score", 0.5, [], "row_id"))
    ends = {row["metric"]: (row["low"], row["high"]) for row in found}
    for metric, statistic in {
        "rmse": lambda n: np.sqrt(np.mean((score[n] - target[n]) ** 2)),
        "bias": lambda n: np.mean(score[n] - target[n]),
        "r2": lambda n: 1 - np.sum((score[n] - target[n]) ** 2) / np.sum((target[n] - target[n].mean()) ** 2),
    }.items():
        low, high, deviation = bootstrap(statistic, 500)
        assert ends[metric] == pytest.approx((low, high), abs=0.45 * deviation), metric


def test_a_difference_is_resampled_in_pairs(connection: duckdb.DuckDBPyConnection) -> None:
    random = np.random.default_rng(4)
    chance = random.random(1500)
    target = (random.random(1500) < chance).astype(float)
    champion = np.clip(0.9 * chance + 0.1 * random.random(1500), 0.01, 0.99)
    score = np.clip(chance, 0.01, 0.99)
    load(connection, target=target, score=score, champion=champion)
    found = rows(connection, MACROS.metric_differences("scored", "target", "score", "champion", "row_id"))
    by_metric = {row["metric"]: row for row in found}
    assert "positive_rate" not in by_metric
    gains = np.log(np.where(target == 1, score / champion, (1 - score) / (1 - champion)))
    low, high, deviation = bootstrap(lambda n: gains[n].mean(), 1500)
    loss = by_metric["log_loss"]
    assert loss["difference"] == pytest.approx(loss["champion_value"] - loss["value"]) == pytest.approx(gains.mean())
    assert (loss["low"], loss["high"]) == pytest.approx((low, high), abs=0.45 * deviation)
    low, high, deviation = bootstrap(lambda n: auc(target[n], score[n]) - auc(target[n], champion[n]), 1500)
    assert (by_metric["auc"]["low"], by_metric["auc"]["high"]) == pytest.approx((low, high), abs=0.45 * deviation)
    # Apart, the intervals are several times as wide.
    alone = rows(connection, MACROS.binary_metrics("scored", "target", "score", 0.5, [], "row_id"))
    width = next(row["high"] - row["low"] for row in alone if row["metric"] == "log_loss")
    assert loss["high"] - loss["low"] < width / 3


def test_a_model_does_not_differ_from_itself(connection: duckdb.DuckDBPyConnection) -> None:
    load(connection, target=[0.0, 1.0, 1.0, 0.0] * 20, score=list(np.linspace(0.1, 0.9, 80)))
    for task in ("binary", "regression"):
        found = rows(connection, MACROS.metric_differences("scored", "target", "score", "score", "row_id", task))
        assert {(row["difference"], row["low"], row["high"]) for row in found} == {(0.0, 0.0, 0.0)}


def test_intervals_of_few_rows(connection: duckdb.DuckDBPyConnection) -> None:
    load(connection, target=[1.0, 0.0, 1.0, 0.0, 1.0], score=[0.9, 0.2, 0.6, 0.7, 0.8], part=["a", "b", "b", "b", "b"])
    for row in rows(connection, MACROS.binary_metrics("scored", "target", "score", 0.5, ["part"], "row_id")):
        if row["part"] == "a":
            assert row["low"] is None and row["high"] is None
        else:
            assert row["low"] <= row["value"] <= row["high"], row
    without_rows = MACROS.binary_metrics("(select * from scored where false)", "target", "score")
    assert rows(connection, without_rows) == []
    unidentified = rows(connection, MACROS.binary_metrics("scored", "target", "score"))
    assert {(row["low"], row["high"]) for row in unidentified} == {(None, None)}
