"""Look-ups in a feature file against a dictionary, with hashes that meet."""

import datetime as dt
import decimal
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ml.release import feature_file
from ml.release.feature_file import FeatureFile, write_feature_file

KEYS = st.dictionaries(st.tuples(st.text(max_size=3), st.integers(-(2**63), 2**63 - 1)), st.integers(0, 9), max_size=40)


def _table(rows: dict[tuple[str, int], int]) -> pa.Table:
    names = pa.array([key[0] for key in rows], pa.string())
    numbers = pa.array([key[1] for key in rows], pa.int64())
    return pa.table({"name": names, "number": numbers, "value": pa.array(list(rows.values()), pa.int64())})


@pytest.mark.parametrize("hashes", ["real", "two"])
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=KEYS, others=st.lists(st.tuples(st.text(max_size=3), st.integers())))
def test_finds_what_is_there_and_nothing_else(
    rows: dict[tuple[str, int], int],
    others: list[tuple[str, int]],
    hashes: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if hashes == "two":
        monkeypatch.setattr(feature_file, "key_hash", lambda key: len(key[0]) % 2)
    path = tmp_path / "view.arrow"
    assert write_feature_file(_table(rows), ["name", "number"], path) == len(rows)
    file = FeatureFile(path, ["name", "number"])
    for key, value in rows.items():
        assert file.table.column("value")[int(file.find([key])[0])].as_py() == value
    for key in others:
        assert (file.find([key])[0] >= 0) == (key in rows)
    assert file.find([(None, 1)]).tolist() == [-1]


@given(
    present=st.sets(st.integers(-5, 40)), asked=st.lists(st.integers(-8, 45) | st.none() | st.just(True), max_size=9)
)
def test_many_whole_numbers_are_found_as_each_alone(
    present: set[int], asked: list[int | None], tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("view") / "view"
    keys = pa.array(sorted(present), pa.int64())
    write_feature_file(pa.table({"key": keys, "value": keys}), ["key"], path)
    file = FeatureFile(path, ["key"])
    together = file.find([(key,) for key in asked]).tolist()
    assert together == [file.find([(key,)])[0] for key in asked]
    assert [place >= 0 for place in together] == [key is not True and key in present for key in asked]


def test_the_bytes_do_not_depend_on_the_order_of_rows(tmp_path: Path) -> None:
    rows = {("a", 1): 1, ("b", 2): 2, ("c", 3): 3}
    write_feature_file(_table(rows), ["name", "number"], tmp_path / "one")
    write_feature_file(_table(dict(reversed(rows.items()))), ["name", "number"], tmp_path / "other")
    assert (tmp_path / "one").read_bytes() == (tmp_path / "other").read_bytes()


def test_keys_that_look_alike_are_different(tmp_path: Path) -> None:
    table = pa.table({"key": pa.array(["1", "2"]), "value": [1, 2]})
    write_feature_file(table, ["key"], tmp_path / "view")
    file = FeatureFile(tmp_path / "view", ["key"])
    assert file.find([("1",)])[0] >= 0
    assert file.find([(1,)])[0] == -1


def test_a_negative_zero_is_zero(tmp_path: Path) -> None:
    zero = decimal.Decimal("0.00")
    table = pa.table({"key": pa.array([zero], pa.decimal128(9, 2)), "value": [1]})
    write_feature_file(table, ["key"], tmp_path / "view")
    assert FeatureFile(tmp_path / "view", ["key"]).find([(decimal.Decimal("-0.00"),)]) == [0]


def test_a_time_is_the_same_key_in_every_zone(tmp_path: Path) -> None:
    noon = dt.datetime(2024, 1, 1, 12, tzinfo=dt.UTC)
    table = pa.table({"key": pa.array([noon], pa.timestamp("us", tz="UTC")), "value": [1]})
    write_feature_file(table, ["key"], tmp_path / "view")
    elsewhere = noon.astimezone(dt.timezone(dt.timedelta(hours=5)))
    assert FeatureFile(tmp_path / "view", ["key"]).find([(elsewhere,)]) == [0]
