"""The macros of macros/metrics against scikit-learn."""

import math
import warnings
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import calibration, metrics

from tests.metrics import load, rows
from tests.rendered import CompilerError, package

MACROS = package("metrics/*")
CLASSES = ("ant", "bee", "Cat", "é")


@pytest.fixture(scope="module")
def connection() -> duckdb.DuckDBPyConnection:
    return duckdb.connect(config={"threads": 1})


def measured(connection: duckdb.DuckDBPyConnection, query: str) -> dict[str, Any]:
    return {row["metric"]: row["value"] for row in rows(connection, query)}


def assert_equal(found: dict[str, Any], expected: dict[str, Any]) -> None:
    """Equal to 1e-9, and null where scikit-learn has no number."""
    assert set(found) == set(expected)
    for name, value in expected.items():
        if value is None or math.isnan(value):
            assert found[name] is None, name
        else:
            assert found[name] == pytest.approx(value, rel=1e-9, abs=1e-9), name


def calibration_error(target: list[float], score: list[float]) -> float:
    """From the definition, over ten quantile bins as of calibration_curve."""
    # An edge lies between two neighbouring scores, or on the lower of them: what is above it is above the lower one.
    edges = np.sort(score)[[(len(score) - 1) * k // 10 for k in range(1, 10)]]
    bins = np.searchsorted(edges, score)
    gaps = np.array(score) - np.array(target)
    return float(sum(abs(gaps[bins == one].sum()) for one in range(10)) / len(score))


def binary_of_sklearn(target: list[float], score: list[float], threshold: float) -> dict[str, Any]:
    predicted = [value >= threshold for value in score]
    both = 0 < sum(target) < len(target)
    return {
        "auc": metrics.roc_auc_score(target, score) if both else None,
        "average_precision": metrics.average_precision_score(target, score) if sum(target) else None,
        "log_loss": metrics.log_loss(target, score, labels=[0, 1]),
        "brier": metrics.brier_score_loss(target, score, labels=[0, 1]),
        "precision": metrics.precision_score(target, predicted, zero_division=0),
        "recall": metrics.recall_score(target, predicted, zero_division=0),
        "f1": metrics.f1_score(target, predicted, zero_division=0),
        "specificity": metrics.recall_score(target, predicted, pos_label=0, zero_division=0),
        "accuracy": metrics.accuracy_score(target, predicted),
        "calibration_error": calibration_error(target, score),
        "positive_rate": np.mean(target),
    }


# Few distinct scores make ties, the ends of the range are among them.
SCORES = st.one_of(st.sampled_from([0.0, 1e-300, 0.25, 0.5, 1 - 2**-53, 1.0]), st.floats(0, 1))
BINARY = st.lists(st.tuples(st.sampled_from([0.0, 1.0]), SCORES), min_size=1, max_size=40)


@settings(max_examples=40)
@given(pairs=BINARY, threshold=SCORES)
def test_binary_metrics_are_those_of_scikit_learn(
    connection: duckdb.DuckDBPyConnection, pairs: list[tuple[float, float]], threshold: float
) -> None:
    target, score = map(list, zip(*pairs, strict=True))
    load(connection, target=target, score=score)
    found = measured(connection, MACROS.binary_metrics("scored", "target", "score", f"cast('{threshold!r}' as double)"))
    assert_equal(found, binary_of_sklearn(target, score, threshold))


@pytest.mark.parametrize("shape", ["constant", "ties", "distinct", "perfect", "rare"])
def test_binary_metrics_of_many_rows(connection: duckdb.DuckDBPyConnection, shape: str) -> None:
    random = np.random.default_rng(7)
    target = (random.random(5000) < (0.002 if shape == "rare" else 0.3)).astype(float)
    score = {
        "constant": np.full(5000, 0.3),
        "ties": np.round(random.random(5000), 1),
        "distinct": random.random(5000),
        "perfect": target,
        "rare": np.clip(random.normal(0.3 + 0.2 * target, 0.2), 0, 1),
    }[shape]
    load(connection, target=target, score=score)
    found = measured(connection, MACROS.binary_metrics("scored", "target", "score", 0.5))
    assert_equal(found, binary_of_sklearn(list(target), list(score), 0.5))


# In eighths: of targets that differ in their last bit alone, scikit-learn's mean is rounded to one of them.
NUMBERS = st.one_of(st.integers(-8, 8), st.integers(-(2**23), 2**23), st.integers(2**30, 2**30 + 80)).map(
    lambda n: n / 8
)


@settings(max_examples=40)
@given(pairs=st.lists(st.tuples(NUMBERS, NUMBERS), min_size=1, max_size=40), quantile=st.floats(0.01, 0.99))
def test_regression_metrics_are_those_of_scikit_learn(
    connection: duckdb.DuckDBPyConnection, pairs: list[tuple[float, float]], quantile: float
) -> None:
    target, score = map(np.array, zip(*pairs, strict=True))
    load(connection, target=target, score=score)
    with warnings.catch_warnings(action="ignore", category=metrics._regression.UndefinedMetricWarning):
        expected = {
            "rmse": metrics.root_mean_squared_error(target, score),
            "mae": metrics.mean_absolute_error(target, score),
            "r2": metrics.r2_score(target, score),
            "pinball": metrics.mean_pinball_loss(target, score, alpha=quantile),
            "mape": metrics.mean_absolute_percentage_error(target, score),
            "bias": np.mean(score - target),
            "mean_target": np.mean(target),
        }
    assert_equal(measured(connection, MACROS.regression_metrics("scored", "target", "score", quantile)), expected)


@settings(max_examples=25)
@given(data=st.data(), classes=st.integers(2, 4), count=st.integers(1, 30))
def test_multiclass_metrics_are_those_of_scikit_learn(
    connection: duckdb.DuckDBPyConnection, data: st.DataObject, classes: int, count: int
) -> None:
    names = sorted(CLASSES[:classes])
    target = data.draw(st.lists(st.sampled_from(names), min_size=count, max_size=count))
    weights = st.lists(st.integers(0, 4), min_size=classes, max_size=classes).filter(any)
    score = np.array(data.draw(st.lists(weights, min_size=count, max_size=count)), dtype=float)
    score /= score.sum(axis=1, keepdims=True)
    # In another order than by name, which must not matter.
    maps = [list(zip(names, row, strict=True))[::-1] for row in score]
    load(connection, target=target, score=pa.array(maps, pa.map_(pa.string(), pa.float64())))
    predicted = [names[place] for place in score.argmax(axis=1)]
    expected = {
        "accuracy": metrics.accuracy_score(target, predicted),
        "log_loss": metrics.log_loss(target, score, labels=names),
        "auc_macro": None,
    }
    for metric in ("precision", "recall", "f1"):
        of_sklearn = getattr(metrics, f"{metric}_score")
        for average in ("macro", "micro"):
            expected[f"{metric}_{average}"] = of_sklearn(target, predicted, average=average, zero_division=0)
        by_class = of_sklearn(target, predicted, labels=names, average=None, zero_division=0)
        expected |= {f"{metric}[{name}]": value for name, value in zip(names, by_class, strict=True)}
    for place, name in enumerate(names):
        came = [one == name for one in target]
        expected[f"auc[{name}]"] = metrics.roc_auc_score(came, score[:, place]) if 0 < sum(came) < count else None
    if set(target) == set(names):
        expected["auc_macro"] = np.mean([expected[f"auc[{name}]"] for name in names])
    if set(target) == set(names) and classes > 2:
        assert expected["auc_macro"] == pytest.approx(metrics.roc_auc_score(target, score, multi_class="ovr"))
    assert_equal(measured(connection, MACROS.multiclass_metrics("scored", "target", "score")), expected)


def test_each_group_is_measured_as_if_it_were_alone(connection: duckdb.DuckDBPyConnection) -> None:
    random = np.random.default_rng(3)
    target = (random.random(900) < 0.4).astype(float)
    where = random.choice(np.array(["north", "south", None], dtype=object), 900)
    load(connection, target=target, score=random.random(900), where_=where, target_missing=target)
    connection.execute("update scored set target = null where row_id % 10 = 0")
    together = rows(connection, MACROS.binary_metrics("scored", "target", "score", 0.5, ["where_"], "row_id", 10, 40))
    assert {row["where_"] for row in together} == {"north", "south", None}
    for place in ("north", "south", None):
        literal = "null" if place is None else f"'{place}'"
        part = f"(select * from scored where where_ is not distinct from {literal})"
        alone = rows(connection, MACROS.binary_metrics(part, "target", "score", 0.5, [], "row_id", 10, 40))
        found = [{**row} for row in together if row["where_"] == place]
        assert sorted(map(str, ({k: v for k, v in row.items() if k != "where_"} for row in found))) == sorted(
            map(str, alone)
        )
        assert alone[0]["row_count"] == sum(where[n] == place for n in range(900) if n % 10)


def test_the_order_of_rows_changes_no_bit(connection: duckdb.DuckDBPyConnection) -> None:
    random = np.random.default_rng(5)
    load(connection, target=(random.random(3000) < 0.4).astype(float), score=np.round(random.random(3000), 3))
    query = MACROS.binary_metrics("scored", "target", "score", 0.5, [], "row_id", 10, 40) + " order by metric"
    before = connection.sql(query).fetchall()
    connection.execute("create or replace table scored as from scored order by md5(cast(row_id as varchar))")
    with connection.cursor() as other:
        other.execute("set threads = 4")
        assert other.sql(query).fetchall() == before
        other.execute("set threads = 1")


@pytest.mark.parametrize("strategy", ["quantile", "uniform"])
def test_calibration_is_that_of_scikit_learn(connection: duckdb.DuckDBPyConnection, strategy: str) -> None:
    random = np.random.default_rng(8)
    score = np.round(random.random(997) ** 2, 2)
    target = random.random(997) < score
    load(connection, target=target, score=score)
    share, mean = calibration.calibration_curve(target, score, n_bins=7, strategy=strategy)
    query = MACROS.calibration_table("scored", "target", "score", bins=7, strategy=strategy) + " order by bin"
    found = rows(connection, query)
    assert [row["mean_target"] for row in found] == pytest.approx(list(share), abs=1e-12)
    assert [row["mean_score"] for row in found] == pytest.approx(list(mean), abs=1e-12)
    assert sum(row["row_count"] for row in found) == 997


def test_an_unknown_strategy_or_task_is_an_error() -> None:
    with pytest.raises(CompilerError, match="'quantile' or 'uniform'"):
        MACROS.calibration_table("scored", "target", "score", strategy="width")
    with pytest.raises(CompilerError, match="'binary', 'multiclass' or 'regression'"):
        MACROS.metric_differences("scored", "target", "score", "champion", "row_id", "ranking")


def test_thresholds_and_lift_count_what_they_say(connection: duckdb.DuckDBPyConnection) -> None:
    random = np.random.default_rng(9)
    target = random.random(500) < 0.3
    score = np.round(random.random(500), 2)
    load(connection, target=target, score=score)
    points = rows(connection, MACROS.threshold_table("scored", "target", "score", points=50) + " order by threshold")
    assert 40 < len(points) <= 50
    assert points[0]["threshold"] == score.min()
    false_positive_rate, recall, _ = metrics.roc_curve(target, score, drop_intermediate=False)
    curve = set(zip(np.round(false_positive_rate, 9), np.round(recall, 9), strict=True))
    for point in points:
        matrix = metrics.confusion_matrix(target, score >= point["threshold"])
        counted = [point[f"{name}s"] for name in ("true_negative", "false_positive", "false_negative", "true_positive")]
        assert counted == list(matrix.ravel())
        assert (round(point["false_positive_rate"], 9), round(point["recall"], 9)) in curve
        assert point["f1"] == pytest.approx(metrics.f1_score(target, score >= point["threshold"]))
        assert point["lift"] == pytest.approx(point["precision"] / target.mean())
    bins = rows(connection, MACROS.lift_table("scored", "target", "score") + " order by bin")
    assert bins[-1]["gain"] == bins[-1]["cumulative_lift"] == bins[-1]["cumulative_share"] == 1
    for row in bins:
        chosen = (score >= row["low_score"]) & (score <= row["high_score"])
        assert (row["row_count"], row["positives"]) == (chosen.sum(), target[chosen].sum())
        assert row["lift"] == pytest.approx(target[chosen].mean() / target.mean())
        assert row["gain"] == pytest.approx(target[score >= row["low_score"]].sum() / target.sum())


def test_the_confusion_matrix_has_every_pair(connection: duckdb.DuckDBPyConnection) -> None:
    target, predicted = ["a", "a", "b", "c"], ["a", "b", "b", "a"]
    load(connection, target=target, predicted=predicted)
    found = rows(connection, MACROS.confusion_matrix("scored", "target", "predicted") + " order by all")
    assert [row["row_count"] for row in found] == list(metrics.confusion_matrix(target, predicted).ravel())
