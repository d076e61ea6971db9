"""Feast's remote online store and `FeatureStore.get_online_features`, unchanged, against the running server."""

import datetime as dt
import json
import subprocess
from pathlib import Path
from typing import Any

import duckdb
import httpx
import pytest

from eiderdown.demonstration import tour
from tests.environments import environment, pins
from tests.serving.feast_views import KEYS, RANDOM_FEATURES, TYPED, as_sent, expected, publish_with_views

CLIENTS = Path(__file__).parent / "clients"
AS_OF = dt.datetime(2013, 12, 31, 12, tzinfo=dt.UTC)
PLANES = 200
DECLARED = {
    "a_flag": ["Bool"],
    "a_tinyint": ["Int32"],
    "a_bigint": ["Int64"],
    "a_decimal": ["Decimal"],
    "a_double": ["Float64"],
    "a_float": ["Float32"],
    "a_text": ["String"],
    "a_time": ["UnixTimestamp"],
    "an_early_time": ["UnixTimestamp"],
    "a_date": ["UnixTimestamp"],
    "numbers": ["Array", "Float64"],
    "counts": ["Array", "Int64"],
    "times": ["Array", "UnixTimestamp"],
    "a_struct": ["Map"],
}
"""Features of `typed` with the types that a feature view of Feast would declare for them."""


def _planes(home: Path) -> dict[str, list[Any]]:
    release = home / "releases" / (home / "releases" / "current").read_text()
    with duckdb.connect(str(release / "release.duckdb"), read_only=True) as connection:
        connection.execute("set TimeZone = 'UTC'")
        planes = connection.sql(f"from features.plane_activity_v2 order by hash(tailnum) limit {PLANES}")
        found: dict[str, list[Any]] = planes.to_arrow_table().to_pydict()
        return found


@pytest.fixture(scope="module")
def stored(served_home: Path) -> dict[str, list[Any]]:
    """Columns of planes, as the release's database has them."""
    publish_with_views(served_home)
    return _planes(served_home)


@pytest.fixture(scope="module")
def asked(stored: dict[str, list[Any]]) -> list[dict[str, Any]]:
    planes = [{"tailnum": tailnum} for tailnum in stored["tailnum"]]
    places = [{"place": key} for key in KEYS]
    several = [{**place, "side": side, "tailnum": "N0WHERE"} for place in places for side in ("left", "right", "top")]
    features = [name for name in stored if name not in ("tailnum", "event_at", "known_at")]
    return [
        {"features": [f"plane_activity:{name}" for name in features], "entity_rows": planes},
        {"features": [f"typed:{name}" for name in TYPED], "entity_rows": places},
        {"features": [f"random:{name}" for name in RANDOM_FEATURES], "entity_rows": places},
        {
            "features": ["pairs:a_double", "typed_v1:a_double", "plane_activity_v2:mean_arrival_delay"],
            "entity_rows": several,
            "full_feature_names": True,
            "include_feature_view_version_metadata": True,
        },
        {"feature_service": "all_of_them", "entity_rows": places},
        {"features": ["departure:hour"], "entity_rows": places},
    ]


@pytest.fixture(scope="module")
def found(
    stored: dict[str, list[Any]], asked: list[dict[str, Any]], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Any]:
    """What Feast's client found; under "random", what the server answers to the third."""
    read = {"view": "typed", "key": "place", "keys": [*KEYS, 1], "declared": DECLARED}
    python = environment("feast", *pins(CLIENTS / "feast.txt"))
    with tour.server() as (url, _):
        run = subprocess.run(
            [python, "-I", CLIENTS / "feast_client.py", url, tmp_path_factory.mktemp("feast")],
            input=json.dumps({"asked": asked, "read": read}),
            capture_output=True,
            text=True,
        )
        assert run.returncode == 0, run.stderr
        random = {"features": asked[2]["features"], "entities": {"place": KEYS}}
        answer = httpx.post(f"{url}/get-online-features", json=random)
    found: dict[str, Any] = json.loads(run.stdout)
    return {**found, "random": answer.json()}


def test_values_are_those_of_the_release(found: dict[str, Any], stored: dict[str, list[Any]]) -> None:
    planes = found["asked"][0]
    assert planes["rows"] == len(stored["tailnum"])
    assert planes["values"]["tailnum"] == stored["tailnum"]
    since = AS_OF - dt.timedelta(days=2)
    is_current = [event_at >= since for event_at in stored["event_at"]]
    assert set(is_current) == {True, False}
    assert len(planes["values"]) > 5
    for name in planes["values"].keys() - {"tailnum"}:
        statuses = planes["statuses"][name]
        assert [status in ("PRESENT", "NULL_VALUE") for status in statuses] == is_current
        assert planes["values"][name] == as_sent(stored[name], statuses)


def test_each_type_by_its_value(found: dict[str, Any]) -> None:
    typed = found["asked"][1]
    assert typed["values"].pop("place") == KEYS
    for name, values in typed["values"].items():
        assert (name, values, typed["statuses"][name]) == (name, *expected(name))


def test_each_type_by_its_declaration(found: dict[str, Any]) -> None:
    read = found["read"]
    assert read["event_at"] == "2013-12-31T11:59:58.500000+00:00"
    assert read["rows"][3] == dict.fromkeys(DECLARED)
    columns = {name: [row[name] for row in read["rows"][:3]] for name in DECLARED}
    exact = {
        "a_decimal": [{"decimal": text} for text in TYPED["a_decimal"][2]],
        "a_time": ["2013-12-31T01:00:00+00:00", None, None],
        "an_early_time": ["1969-12-31T23:59:59+00:00", "9999-12-31T23:59:59+00:00", None],
        "a_date": ["2013-12-31T00:00:00+00:00", None, "1969-12-31T00:00:00+00:00"],
        "times": [["1970-01-01T00:00:01+00:00"], None, None],
    }
    for name, values in columns.items():
        assert (name, values) == (name, exact.get(name) or expected(name)[0])


def test_whatever_is_sent_can_be_read(found: dict[str, Any]) -> None:
    """The client reads all that the server says is there, nested as it may be, and it means the same to it."""
    answer, read = found["random"], found["asked"][2]
    sent = dict(zip(answer["metadata"]["feature_names"], answer["results"], strict=True))
    assert read["values"] == {name: one["values"] for name, one in sent.items()}
    assert read["statuses"] == {name: one["statuses"] for name, one in sent.items()}
    nested = [value for one in sent.values() for value in one["values"] if isinstance(value, list | dict)]
    assert len(nested) > 20


def test_several_views(found: dict[str, Any]) -> None:
    several = found["asked"][3]
    assert several["statuses"]["pairs__a_double"] == ["PRESENT", "NULL_VALUE", "OUTSIDE_MAX_AGE", *["NOT_FOUND"] * 6]
    assert several["values"]["pairs__a_double"] == [1.5] + [None] * 8
    assert several["values"]["typed_v1__a_double"] == [None] * 6 + [0.1] * 3
    assert set(several["statuses"]["plane_activity_v2__mean_arrival_delay"]) == {"NOT_FOUND"}
    assert several["versions"] == {"pairs": 1, "typed_v1": 1, "plane_activity_v2": 2}


def test_refusals_are_told(found: dict[str, Any]) -> None:
    service, computed = found["asked"][4:]
    assert "422" in service["error"]
    assert "no feature services" in service["error"]
    assert "404" in computed["error"]
    assert "computed from the request" in computed["error"]
