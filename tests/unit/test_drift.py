"""macros/drift against scipy, numpy and formulas written a second time."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some
from scipy import stats

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
        # The root of a difference that is zero but for rounding.
        least = 1e-7 if "distance" in method or method == "hellinger" else 1e-9
        assert found[method]["value"] == pytest.approx(value, rel=1e-9, abs=least), method


@given(NUMBERS, NUMBERS)
@settings(max_examples=60)
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
@settings(max_examples=40)
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


@pytest.mark.parametrize("z", [1.5, 2.3, 8.0, 40.0, 330.0, 400.0])
@pytest.mark.parametrize(("n", "m"), [(30_000, 20_000), (10_001, 1_200)])
def test_the_probability_of_a_difference_of_many_is_scipys(n: int, m: int, z: float) -> None:
    size = round(n * m / (n + m))
    d = math.sqrt(z / size)
    assert ks_p_value(d, n, m) == pytest.approx(float(stats.kstwo.sf(d, size)), rel=1e-9, abs=0)


def test_the_probability_of_a_difference_of_some_thousands_is_nearly_exact() -> None:
    reference, current = np.arange(3000) / 3000, np.arange(2500) / 2500 + 0.02
    exact = stats.ks_2samp(reference, current)
    assert ks_p_value(float(exact.statistic), 3000, 2500) == pytest.approx(exact.pvalue, rel=0.015)


def test_groups_of_current_alone_are_compared_with_the_same_reference() -> None:
    with connect() as connection:
        connection.execute("select setseed(0.2)")
        connection.execute(
            "create table old as select random() as x, i % 5 as y, 'v' || i % 4 as c, nullif(i % 2, 1) as g "
            "from range(90) as rows (i)"
        )
        connection.execute(
            "create table new as select random() as x, i % 6 as y, 'v' || i % 7 as c, nullif(i % 2, 1) as g, i % 3 as w "
            "from range(100) as rows (i)"
        )
        columns = {"x": "double", "y": "integer", "c": "varchar"}
        windows = "select unnest([0, 1, 2, 7])"
        repeated = f"(select old.*, w from old cross join ({windows}) as windows (w))"
        for by in ([], ["g"]):
            of_each = MACROS.drift_between("old", "new", columns, by, {"w": windows})
            of_repeated = MACROS.drift_between(repeated, "new", columns, [*by, "w"])
            found, expected = (
                connection.sql(f"from ({query}) order by all").fetchall() for query in (of_each, of_repeated)
            )
            assert found == expected
            # Window 7 has no row, so that there is nothing but what is missing.
            assert sum(row[len(by)] == 7 for row in found) == len(columns) * (2 if by else 1)


def test_groups_are_compared_with_their_own() -> None:
    with connect() as connection:
        connection.execute("select setseed(0.4)")
        for name in ("old", "new"):
            connection.execute(
                f'create table {name} as select random() as "a b", nullif(i % 3, 2) as g, '
                "timestamptz '2020-01-01' + to_hours(i) as t, [i] as l from range(200) as rows (i)"
            )
        columns = {"a b": "double", "t": "timestamptz", "l": "integer[]"}
        whole = connection.sql(MACROS.drift_between("old", "new", columns, ["g"])).fetchall()
        parts = []
        for group in ("g = 0", "g = 1", "g is null"):
            part = MACROS.drift_between(f"(from old where {group})", f"(from new where {group})", columns)
            parts += connection.sql(
                f"select any_value(g), part.* from ({part}) as part, (select g from old where {group} limit 1) group by all"
            ).fetchall()
    assert {row[:3]: row[3:] for row in whole} == {row[:3]: pytest.approx(row[3:], nan_ok=True) for row in parts}
    assert len(whole) == len(parts)
