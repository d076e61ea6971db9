"""The comparison of two dataset versions beside plain Python, NumPy and SciPy."""

import datetime as dt
import math
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import ks_2samp

from ml.datasets.diff import diff_versions
from ml.datasets.distribution import QUANTILES, DistributionChange, compare_column
from ml.errors import ArtifactError
from tests.recorded import record, view


def test_known_edits_are_found(tmp_path: Path) -> None:
    old = record(
        tmp_path,
        1,
        {
            "id": "varchar",
            "size": "integer",
            "price": "decimal(9,2)",
            "city": "varchar",
            "gone": "boolean",
            "seen_at": "timestamptz",
        },
        "from (values ('a', 1, 1.10, 'Oslo', true, '2026-01-01'), ('b', 2, null, 'Oslo', true, '2026-01-02'), "
        "('c', 3, 3.30, 'Rome', true, '2026-01-03'), ('d', 4, 4.40, null, false, '2026-01-04')) "
        "t(id, size, price, city, gone, seen_at)",
        request={"city": {"type": "varchar", "required": True}},
        expressions=[{"name": "size", "type": "integer", "expression": "size + 1", "view": "sizes_v1"}],
        views=[view("shops", 1), view("weather", 1)],
        not_null=["id", "city"],
    )
    new = record(
        tmp_path,
        2,
        {
            "id": "varchar",
            "size": "double",
            "price": "decimal(9,2)",
            "city": "varchar",
            "seen_at": "timestamptz",
            "come": "date",
        },
        "from (values ('b', 2, 2.20, 'Oslo', '2026-01-02', '2026-01-01'), ('c', 3.5, 3.30, 'Rome', '2026-01-03', null), "
        "('d', 4, null, null, '2026-01-04', null), ('e', 5, 5, 'Lima', '2026-01-05', null), "
        "('f', 6, 6, 'Lima', '2026-01-06', null)) t(id, size, price, city, seen_at, come)",
        request={"city": {"type": "varchar", "required": False}, "size": {"type": "double", "required": True}},
        expressions=[{"name": "size", "type": "double", "expression": "size + 2", "view": "sizes_v1"}],
        views=[view("shops", 2), view("stock", 1)],
        sql="select *\nfrom orders\nwhere true",
    )
    found = diff_versions(old, new, memory_limit="200MB")
    assert (found.dataset, found.old, found.new) == ("orders", 1, 2)
    assert vars(found.rows) == {"old": 4, "new": 5, "added": 2, "removed": 1, "changed": 3}
    assert found.changed_values == {"size": 1, "price": 2, "city": 0, "seen_at": 0}
    assert found.columns_added == {"come": "date"}
    assert found.columns_removed == {"gone": "boolean"}
    assert found.columns_retyped == {"size": ("integer", "double")}
    assert found.views == {"shops": (1, 2), "weather": (1, None), "stock": (None, 1)}
    assert found.definition == {
        "request.city": ({"type": "varchar", "required": True}, {"type": "varchar", "required": False}),
        "request.size": (None, {"type": "double", "required": True}),
        "not_null.city": (True, None),
        "expression.size": ("size + 1", "size + 2"),
    }
    assert [line for line in found.sql if line[0] in "+-" and line[:3] not in ("+++", "---")] == [
        "-select * from orders",
        "+select *",
        "+from orders",
        "+where true",
    ]
    city = found.distributions["city"]
    assert (city.old.top, city.new.top) == ([("Oslo", 2), ("Rome", 1)], [("Lima", 2), ("Oslo", 1), ("Rome", 1)])
    assert (city.old.null_count, city.new.null_count) == (1, 1)
    assert (city.method, city.distance) == ("l_infinity", 0.5)
    at = found.distributions["seen_at"].new
    assert (at.min, at.max) == (dt.datetime(2026, 1, 2, tzinfo=dt.UTC), dt.datetime(2026, 1, 6, tzinfo=dt.UTC))
    assert at.mean is None
    assert set(found.distributions) == {"size", "price", "city", "seen_at"}


def test_a_version_is_equal_to_itself(tmp_path: Path) -> None:
    version = record(
        tmp_path, 1, {"id": "integer", "x": "double"}, "select 1 as id, 'nan' as x union all select 2, null"
    )
    found = diff_versions(version, version)
    assert (found.rows.added, found.rows.removed, found.rows.changed) == (0, 0, 0)
    assert found.distributions["x"].distance == 0
    assert not (found.views or found.definition or found.sql or found.columns_retyped)


def test_other_kinds_of_types_are_compared_as_text(tmp_path: Path) -> None:
    old = record(
        tmp_path, 1, {"id": "integer", "x": "varchar"}, "from (values (1, '1'), (2, 'two'), (3, '03')) t(id, x)"
    )
    new = record(tmp_path, 2, {"id": "varchar", "x": "integer"}, "from (values ('1', 1), ('2', 2), ('3', 3)) t(id, x)")
    found = diff_versions(old, new)
    assert (found.rows.added, found.rows.removed, found.changed_values) == (0, 0, {"x": 2})
    assert found.distributions["x"].method == "l_infinity"
    assert found.distributions["x"].distance == pytest.approx(1 / 3)


def test_rows_of_another_row_id_are_not_matched(tmp_path: Path) -> None:
    old = record(tmp_path, 1, {"id": "integer", "key": "integer"}, "select 1 as id, 2 as key")
    new = record(tmp_path, 2, {"id": "integer", "key": "integer"}, "select 1 as id, 2 as key", row_id="key")
    found = diff_versions(old, new)
    assert vars(found.rows) == {"old": 1, "new": 1, "added": None, "removed": None, "changed": None}
    assert found.definition == {"row_id": ("id", "key")}


def test_an_altered_file_is_refused(tmp_path: Path) -> None:
    version = record(tmp_path, 1, {"id": "integer"}, "select 1 as id")
    version.path.write_bytes(version.path.read_bytes() + b"x")
    with pytest.raises(ArtifactError, match="missing or altered; it holds version 1 of the dataset orders"):
        diff_versions(version, version)


NUMBERS = st.lists(st.none() | st.integers(-5, 5).map(float) | st.floats(-1e6, 1e6), max_size=30)


def compare(old: list[Any], new: list[Any], arrow: pa.DataType, sql_type: str) -> DistributionChange:
    with duckdb.connect() as session:
        session.register("old", pa.table({"x": pa.array(old, arrow)}))
        session.register("new", pa.table({"x": pa.array(new, arrow)}))
        return compare_column(session, "old", "new", "x", (sql_type, sql_type))


@settings(max_examples=40)
@given(NUMBERS, NUMBERS)
def test_distributions_of_numbers_agree_with_numpy_and_scipy(old: list[float | None], new: list[float | None]) -> None:
    found = compare(old, new, pa.float64(), "double")
    for given_values, distribution in ((old, found.old), (new, found.new)):
        values = np.array([value for value in given_values if value is not None])
        assert distribution.count == len(values)
        assert distribution.null_count == len(given_values) - len(values)
        assert distribution.distinct_count == len(set(values.tolist()))
        if not len(values):
            assert (distribution.mean, distribution.min, distribution.max) == (None, None, None)
            continue
        assert distribution.mean == pytest.approx(values.mean(), rel=1e-9, abs=1e-9)
        assert (distribution.min, distribution.max) == (values.min(), values.max())
        assert distribution.quantiles == {
            percent: np.percentile(values, percent, method="inverted_cdf") for percent in QUANTILES
        }
        if len(values) > 1:
            assert distribution.std == pytest.approx(values.std(ddof=1), rel=1e-9, abs=1e-9)
    both = [[value for value in values if value is not None] for values in (old, new)]
    assert found.distance == (pytest.approx(ks_2samp(*both).statistic) if all(both) else None)


@settings(max_examples=20)
@given(*[st.lists(st.none() | st.sampled_from("abcdefg"), max_size=20)] * 2)
def test_distributions_of_categories_agree_with_counting(old: list[str | None], new: list[str | None]) -> None:
    found = compare(old, new, pa.string(), "varchar")
    shares = []
    for given_values, distribution in ((old, found.old), (new, found.new)):
        values = [value for value in given_values if value is not None]
        counts = sorted(((value, values.count(value)) for value in set(values)), key=lambda pair: (-pair[1], pair[0]))
        assert distribution.top == counts[:5]
        assert distribution.distinct_count == len(counts)
        shares.append({value: count / len(values) for value, count in counts})
    before, after = shares
    expected = (
        max(abs(before.get(value, 0) - after.get(value, 0)) for value in before | after) if before and after else None
    )
    assert found.distance == (None if expected is None else pytest.approx(expected))


def test_numbers_that_are_not_finite_have_no_part_in_the_mean() -> None:
    found = compare([1.0, 3.0, math.inf, math.nan], [1.0, 3.0, -math.inf, None], pa.float64(), "double")
    assert (found.old.mean, found.old.std, found.old.count) == (2.0, pytest.approx(math.sqrt(2)), 4)
    assert (found.new.min, found.new.mean) == (-math.inf, 2.0)
    assert found.distance == pytest.approx(0.5)


def test_whole_numbers_beyond_doubles_stay_exact() -> None:
    large = 2**63 - 1
    found = compare([large, large - 1], [large], pa.int64(), "bigint")
    assert (found.old.min, found.old.max, found.old.quantiles and found.old.quantiles[50]) == (
        large - 1,
        large,
        large - 1,
    )
