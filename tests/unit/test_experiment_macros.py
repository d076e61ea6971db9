"""What SQL says of an experiment is what Python says: losses, the arm of a unit, and the interval for all looks."""

import json
import math
from collections.abc import Callable, Iterator
from typing import Any

import duckdb
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ml.experiments import sequential
from ml.experiments.assignment import Draw, bucket, bucket_of_request
from ml.experiments.losses import LOSSES, loss_of
from tests.rendered import package

MACROS = package("experiments/losses", "experiments/drawn_arm", "experiments/sequential")
CLASSES = ["x", "y", "z"]
SHARES = st.floats(0, 1)


@pytest.fixture(scope="module")
def query() -> Iterator[Callable[..., Any]]:
    """The value of an expression over columns of one row, given with their types."""
    connection = duckdb.connect()

    def query(expression: str, **columns: tuple[Any, str]) -> Any:
        given = ", ".join(f"cast(${name} as {kind}) as {name}" for name, (_, kind) in columns.items())
        values = {name: value for name, (value, _) in columns.items()}
        return connection.execute(f"select {expression} from (select {given})", values).fetchall()[0][0]

    yield query
    connection.close()


@given(
    case=st.sampled_from([(task, kind) for task, kinds in LOSSES.items() for kind in kinds]),
    score=SHARES,
    other=SHARES,
    number=st.floats(-3, 3),
    is_true=st.booleans(),
    name=st.sampled_from([*CLASSES, "none of them"]),
    scale=st.sampled_from([0.5, 1, 60]),
)
def test_losses(
    query: Callable[..., Any],
    case: tuple[str, str],
    score: float,
    other: float,
    number: float,
    is_true: bool,
    name: str,
    scale: float,
) -> None:
    task, kind = case
    probabilities = [score / 2, other / 2, 1 - score / 2 - other / 2]
    given_score: Any = probabilities if task == "multiclass" else score
    outcome: Any = {"binary": is_true, "multiclass": name, "regression": number}[task]
    found = query(
        MACROS.loss_of(),
        loss_kind=(kind, "varchar"),
        score=(score, "double"),
        label=(score >= 0.3 if task == "binary" else None, "boolean"),
        probabilities=(
            dict(zip(CLASSES, probabilities, strict=True)) if task == "multiclass" else None,
            "map(varchar, double)",
        ),
        outcome=(str(outcome).lower() if task == "binary" else str(outcome), "varchar"),
        loss_scale=(scale if task == "regression" else None, "double"),
    )
    expected = loss_of(task, kind, given_score, outcome, CLASSES, scale, threshold=0.3)
    assert found == (None if expected is None else pytest.approx(expected, abs=1e-12))


@pytest.mark.parametrize(("score", "outcome"), [(math.nan, "true"), (0.5, "late"), (0.5, None), (None, "true")])
def test_there_is_no_loss_without_score_or_outcome(
    query: Callable[..., Any], score: float | None, outcome: str | None
) -> None:
    for kind in ("brier", "log_loss", "error", "absolute", "squared"):
        columns = {"loss_kind": (kind, "varchar"), "score": (score, "double"), "label": (None, "boolean")}
        columns |= {"probabilities": (None, "map(varchar, double)"), "loss_scale": (1, "double")}
        assert query(MACROS.loss_of(), outcome=(outcome, "varchar"), **columns) is None


def test_without_a_scale_an_error_is_not_cut(query: Callable[..., Any]) -> None:
    columns: dict[str, tuple[Any, str]] = {"loss_kind": ("squared", "varchar"), "score": (30.0, "double")}
    columns |= {
        "label": (None, "boolean"),
        "probabilities": (None, "map(varchar, double)"),
        "loss_scale": (None, "double"),
    }
    assert query(MACROS.loss_of(), outcome=("27", "varchar"), **columns) == 9


@settings(max_examples=30)
@given(
    unit=st.text(),
    request=st.text("0123456789abcdef", min_size=32, max_size=32),
    parts=st.lists(st.integers(0, 20), min_size=2, max_size=6).filter(any),
)
def test_the_arm_of_a_unit(query: Callable[..., Any], unit: str, request: str, parts: list[int]) -> None:
    weights = {f"arm {place}": part / sum(parts) for place, part in enumerate(parts)}
    unit, draw = json.dumps([unit]), Draw(weights)
    columns = {"fingerprint": ("00c0ffee00c0ffee", "varchar"), "weights": (weights, "map(varchar, double)")}
    for one, drawn in ((unit, draw(bucket("00c0ffee00c0ffee", unit))), (request, draw(bucket_of_request(request)))):
        found = query(MACROS.drawn_arm(), unit=(one, "varchar"), request_id=(request, "varchar"), **columns)
        assert found == drawn


@settings(max_examples=30)
@given(variance=st.floats(1e-9, 1), movement=st.floats(1e-6, 1))
def test_the_interval_for_all_looks(query: Callable[..., Any], variance: float, movement: float) -> None:
    columns = {"variance": (variance, "double"), "movement": (movement, "double")}
    found = query(MACROS.radius_at_all_looks("variance", "movement"), **columns)
    assert found == pytest.approx(sequential.radius(variance, movement, 0.05), rel=1e-12)


def test_of_the_same_rows_it_holds_its_level() -> None:
    """Two arms that err as often, mostly on the same rows: of 400 runs looked at after each row, few ever leave zero out."""
    random = np.random.default_rng(5)
    for rate in (0.01, 0.2):
        differences = (random.random((400, 3000)) < rate).astype(int) - (random.random((400, 3000)) < rate)
        counts = np.arange(1, 3001)
        means = differences.cumsum(axis=1) / counts
        variances = ((differences**2).cumsum(axis=1) / counts - means**2 + 1 / counts) / counts
        radii = sequential.radius(variances, 1 / counts, 0.05, np.log)
        assert (np.abs(means) > radii).any(axis=1).mean() < 0.05
