"""macros/drift against scipy, numpy and formulas written a second time."""

import json
import math
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some
from scipy import stats

from ml.drift.classifier import tell_apart
from ml.drift.probabilities import ks_p_value
from tests.drift import MACROS, connect, expected_of_counts, expected_of_numbers, measured

CONNECTION = connect()
NUMBERS = some.one_of(
    some.lists(some.integers(-3, 3).map(float), min_size=1, max_size=40),
    some.lists(some.floats(-1e6, 1e6, allow_subnormal=False), min_size=1, max_size=60),
    some.lists(
        some.floats(allow_nan=False, allow_infinity=False, min_value=-1e90, max_value=1e90), min_size=1, max_size=5
    ),
)


def check(found: dict[str, dict[str, Any]], expected: dict[str, float]) -> None:
    for method, value in expected.items():
        assert found[method]["value"] == pytest.approx(value, rel=1e-9, abs=1e-7 if "distance" in method else 1e-9), (
            method
        )


@given(NUMBERS, NUMBERS)
@settings(max_examples=15)
def test_numbers_are_those_of_scipy_evidently_and_nannyml(reference: list[float], current: list[float]) -> None:
    found = measured(CONNECTION, reference, current)
    check(found, expected_of_numbers(np.array(reference), np.array(current)))
    assert found["ks"]["p_value"] == pytest.approx(stats.ks_2samp(reference, current).pvalue, rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("kind", ["normal", "skewed", "few", "outlier", "shifted", "far", "rounded"])
def test_many_numbers_whatever_their_distribution(kind: str) -> None:
    random = np.random.default_rng(3)
    reference, current = random.normal(size=(2, 40_000))
    current = current[:30_000]
    made = {
        "normal": lambda x, _: x,
        "skewed": lambda x, _: np.exp(3 * x),
        "few": lambda x, _: np.round(x),
        "outlier": lambda x, _: np.append(x, 1e12),
        "shifted": lambda x, is_new: x + 0.3 * is_new,
        "far": lambda x, _: x + 1.7e9,
        "rounded": lambda x, _: np.round(x, 2),
    }[kind]
    reference, current = made(reference, False), made(current, True)
    found = measured(CONNECTION, reference, current)
    check(found, expected_of_numbers(reference, current))
    assert found["ks"]["p_value"] == pytest.approx(stats.ks_2samp(reference, current).pvalue, rel=1e-9)


@given(some.lists(some.sampled_from("abcdefgh"), min_size=1), some.lists(some.sampled_from("cdefghij"), min_size=1))
@settings(max_examples=10)
def test_categories_by_brute_force(reference: list[str], current: list[str]) -> None:
    values = sorted({*reference, *current})
    a, b = (np.array([side.count(value) for value in values]) for side in (reference, current))
    found = measured(CONNECTION, reference, current, "varchar")
    check(found, expected_of_counts(a, b))
    assert found["chi_square"]["p_value"] == pytest.approx(
        stats.chi2_contingency([a, b], correction=False)[1], rel=1e-9, abs=1e-15
    )
    exact = found["chi_square_reference_exact"]
    expected = stats.chi2.sf(exact["value"], len(values) - 1) if len(values) > 1 else 1
    assert exact["p_value"] == pytest.approx(expected, rel=1e-9, abs=1e-15)
    assert found["new_values"]["value"] == pytest.approx(sum(one not in reference for one in current) / len(current))
    assert found["lost_values"]["value"] == pytest.approx(sum(one not in current for one in reference) / len(reference))


def test_what_is_missing_takes_part_in_nothing_else() -> None:
    values = [1.0, 2.0, 3.0]
    found = measured(CONNECTION, [*values, None, math.nan, math.inf], [*values, -math.inf])
    assert found["ks"]["value"] == 0
    assert (found["ks"]["reference_count"], found["ks"]["row_count"]) == (3, 3)
    missing = found["missing"]
    assert (missing["value"], missing["reference_count"], missing["row_count"]) == (0.25, 6, 4)
    assert missing["p_value"] == pytest.approx(stats.chi2_contingency([[3, 3], [3, 1]], correction=False)[1])


@pytest.mark.parametrize(("current", "value"), [([], None), ([None], 1.0)])
def test_a_side_without_values_has_no_distance(current: list[float | None], value: float | None) -> None:
    found = measured(CONNECTION, [1.0, 2.0], current)
    assert [(row["method"], row["value"]) for row in found.values()] == [("missing", value)]


@given(some.integers(1, 60), some.integers(1, 60), some.data())
def test_the_probability_of_a_difference_is_scipys(n: int, m: int, data: Any) -> None:
    reference = data.draw(some.lists(some.integers(0, 9), min_size=n, max_size=n))
    current = data.draw(some.lists(some.integers(0, 9), min_size=m, max_size=m))
    expected = stats.ks_2samp(reference, current)
    assert ks_p_value(float(expected.statistic), n, m) == pytest.approx(expected.pvalue, rel=1e-9)


def test_groups_are_compared_with_their_own() -> None:
    with connect() as connection:
        for name in ("old", "new"):
            connection.execute(
                f"create table {name} as select hash(i, '{name}') / 1e10 as \"a b\", nullif(i % 3, 2) as g, "
                "timestamptz '2020-01-01' + to_hours(i) as t, [i] as l from range(200) as rows (i)"
            )
        columns = {"a b": "double", "t": "timestamptz", "l": "integer[]"}
        whole = connection.sql(MACROS.drift_between("old", "new", columns, ["g"])).fetchall()
        parts = []
        for group, condition in {0: "g = 0", 1: "g = 1", None: "g is null"}.items():
            sides = (f"(from {name} where {condition})" for name in ("old", "new"))
            parts += [(group, *row) for row in connection.sql(MACROS.drift_between(*sides, columns)).fetchall()]
    assert {row[:3]: row[3:] for row in whole} == {row[:3]: pytest.approx(row[3:]) for row in parts}
    assert len(whole) == len(parts)


@given(some.lists(some.floats(0, 1), min_size=1, max_size=20), some.lists(some.floats(0, 1), min_size=1, max_size=20))
@settings(max_examples=20)
def test_p_values_are_corrected_over_what_decides_in_a_group(first: list[float], second: list[float]) -> None:
    rows = ", ".join(
        f"({group}, 'f{place}', 'm', cast({p!r} as double), 1.0, 0.0)"
        for group, values in enumerate((first, second))
        for place, p in enumerate(values)
    )
    measured = (
        f"(values {rows}, (0, 'f0', 'other', 1e-9, 1.0, 0.0)) as m (g, feature, \"method\", p_value, value, chance)"
    )
    limits = (
        "(select 'f' || i as feature, unnest(['m', 'other']) as \"method\", 0.5 as tolerance, \"method\" = 'm' as decides "
        "from range(20) as r (i))"
    )
    query = MACROS.judged_drift(measured, limits, ["g"])
    found = CONNECTION.sql(
        f"select g, feature, adjusted_p_value, is_beyond from ({query}) where \"method\" = 'm'"
    ).fetchall()
    adjusted = {(group, feature): (p, is_beyond) for group, feature, p, is_beyond in found}
    for group, values in enumerate((first, second)):
        for place, expected in enumerate(stats.false_discovery_control(values)):
            p, is_beyond = adjusted[group, f"f{place}"]
            assert p == pytest.approx(expected, rel=1e-12, abs=1e-300)
            assert is_beyond == (p <= 0.05)


def test_a_classifier_names_what_it_tells_sides_apart_by() -> None:
    random = np.random.default_rng(5)
    sides = [
        pa.table(
            {"a": random.normal(size=300), "b": random.normal(size=300) + shift, "c": random.choice(["x", "y"], 300)}
        )
        for shift in (0.0, 2.0)
    ]
    told = tell_apart(*sides)
    assert told["value"] > 0.85
    assert told["p_value"] < 1e-9
    assert next(iter(json.loads(told["evidence"])["features"])) == "b"
    assert tell_apart(sides[0], sides[0].slice(0, 20))["value"] is None
