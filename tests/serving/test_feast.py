"""POST /get-online-features: the shape that Feast's clients ask in, without Feast. `test_feast_client.py` has its client."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest
from fastapi.testclient import TestClient

from serving.access.tokens import new_token
from serving.app import create_app
from serving.settings import Settings
from tests.serving.conftest import SETTINGS
from tests.serving.feast_views import KEYS, TYPED, as_sent, expected, publish_with_views

PATH = "/get-online-features"
ROW = {"place": [KEYS[0]]}


@pytest.fixture(scope="module")
def client(served_home: Path) -> Iterator[TestClient]:
    publish_with_views(served_home)
    with TestClient(create_app(SETTINGS)) as client:
        yield client


def _ask(client: TestClient, features: list[str], entities: dict[str, list], **flags: bool) -> dict[str, Any]:
    """The answer's columns by name: values, statuses and times."""
    answer = client.post(PATH, json={"features": features, "entities": entities, **flags})
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert body.keys() == {"metadata", "results", "status"}
    assert body["status"] is True
    return {
        name: (one["values"], one["statuses"], one["event_timestamps"])
        for name, one in zip(body["metadata"]["feature_names"], body["results"], strict=True)
    }


def test_each_type(client: TestClient) -> None:
    found = _ask(client, [f"typed:{name}" for name in TYPED], {"place": [*KEYS, 1]})
    values, statuses, times = found.pop("place")
    assert (values, statuses) == ([*KEYS, 1], ["PRESENT"] * 4)
    assert set(times) == {"1970-01-01T00:00:00Z"}
    for name, (values, statuses, times) in found.items():
        wanted, wanted_statuses = expected(name)
        assert (name, values) == (name, [*wanted, None])
        assert [type(value) for value in values] == [type(value) for value in [*wanted, None]]
        assert (name, statuses) == (name, [*wanted_statuses, "NOT_FOUND"])
        assert times[3] == "1970-01-01T00:00:00Z"
        assert times[0] == "2013-12-31T11:59:58.500000Z"


def test_views_with_their_own_keys_and_names(client: TestClient) -> None:
    entities = {"side": ["left", "right", "top", "below"], "place": [KEYS[0]] * 4, "tailnum": ["N0WHERE"] * 4}
    asked = ["pairs:a_double", "typed_v1:a_double", "plane_activity:mean_arrival_delay"]
    asked.append("plane_activity_v1:mean_arrival_delay")
    found = _ask(client, asked, entities, full_feature_names=True)
    assert list(found) == [*entities, *(one.replace(":", "__") for one in asked)]
    statuses = ["PRESENT", "NULL_VALUE", "OUTSIDE_MAX_AGE", "NOT_FOUND"]
    assert found["pairs__a_double"][:2] == ([1.5, None, None, None], statuses)
    assert found["typed_v1__a_double"][1] == ["INVALID"] * 4
    assert found["plane_activity__mean_arrival_delay"][1] == ["NOT_FOUND"] * 4
    body = {"features": asked[1:], "entities": {"place": [1], "tailnum": ["N"]}, "full_feature_names": True}
    answer = client.post(PATH, json={**body, "include_feature_view_version_metadata": True}).json()
    assert answer["metadata"]["feature_view_metadata"] == [
        {"name": "typed_v1", "version": 1},
        {"name": "plane_activity", "version": 2},
        {"name": "plane_activity_v1", "version": 1},
    ]


def test_the_same_as_the_release_holds_and_features_says(client: TestClient, served_home: Path) -> None:
    """All planes, of which there are enough for the answer to be made in a thread."""
    release = served_home / "releases" / (served_home / "releases" / "current").read_text()
    with duckdb.connect(str(release / "release.duckdb"), read_only=True) as connection:
        rows = connection.sql("from features.plane_activity_v2 order by tailnum")
        stored = rows.to_arrow_table().to_pydict()
    planes = stored["tailnum"]
    answer = client.post("/features/plane_activity", json={"keys": [{"tailnum": plane} for plane in planes]}).json()
    features = list(answer["rows"][0]["features"])
    found = _ask(client, [f"plane_activity:{name}" for name in features], {"tailnum": planes})
    statuses = {"present": "PRESENT", "null": "NULL_VALUE", "expired": "OUTSIDE_MAX_AGE"}
    assert len(planes) * len(features) > 1000
    for name in features:
        values, found_statuses, times = found[name]
        assert {"PRESENT", "OUTSIDE_MAX_AGE"} <= set(found_statuses)
        assert values == as_sent(stored[name], found_statuses)
        assert found_statuses == [statuses[row["features"][name]["status"]] for row in answer["rows"]]
        assert times == [row["event_at"] for row in answer["rows"]]


def test_a_key_that_feast_cannot_hold(client: TestClient) -> None:
    """It is found, and not sent back; where the view's type is smaller it is refused."""
    found = _ask(client, ["pairs:a_double"], {"place": [2**64 - 1, KEYS[0]], "side": ["huge", "left"]})
    assert found["place"][:2] == ([None, KEYS[0]], ["INVALID", "PRESENT"])
    assert found["a_double"][:2] == ([3.5, 1.5], ["PRESENT", "PRESENT"])
    answer = client.post(PATH, json={"features": ["typed:a_flag"], "entities": {"place": [2**64 - 1]}})
    assert answer.status_code == 422
    assert answer.json()["detail"][0]["loc"] == ["body", "entities", "place", 0]


ONE = {"features": ["typed:a_flag"], "entities": ROW}
WRONG: list[tuple[dict, int, list, str]] = [
    ({"entities": ROW}, 422, ["features"], "at least one feature"),
    ({"features": [], "entities": ROW}, 422, ["features"], "at least one feature"),
    ({"features": "typed:a_flag", "entities": ROW}, 422, ["features"], "list"),
    ({"features": [None], "entities": ROW}, 422, ["features", 0], "<view>:<feature>"),
    ({"features": ["typed:a_flag", "typed"], "entities": ROW}, 422, ["features", 1], "<view>:<feature>"),
    ({"features": [":a_flag"], "entities": ROW}, 422, ["features", 0], "<view>:<feature>"),
    ({"features": ["nothing:a_flag"], "entities": ROW}, 404, ["features", 0], "no such feature view"),
    ({"features": ["../typed_v1:a_flag"], "entities": ROW}, 404, ["features", 0], "no such feature view"),
    ({"features": ["typed:place"], "entities": ROW}, 404, ["features", 0], "no such feature"),
    ({"features": ["departure:hour"], "entities": ROW}, 404, ["features", 0], "computed from the request"),
    ({"features": ["typed:a_flag"] * 2, "entities": ROW}, 422, ["features", 1], "once"),
    ({"features": ["typed:a_flag", "typed_v1:a_flag"], "entities": ROW}, 422, ["features", 1], "full_feature_names"),
    ({"features": ["typed:a_flag"]}, 422, ["entities"], "key column"),
    ({"features": ["typed:a_flag"], "entities": {}}, 422, ["entities"], "key column"),
    ({"features": ["typed:a_flag"], "entities": [ROW]}, 422, ["entities"], "key column"),
    ({"features": ["typed:a_flag"], "entities": {"secret": 1}}, 422, ["entities"], "keys are place"),
    ({"features": ["typed:a_flag"], "entities": {"place": []}}, 422, ["entities", "place"], "at least one"),
    ({"features": ["typed:a_flag"], "entities": {"place": 1}}, 422, ["entities", "place"], "list"),
    ({"features": ["typed:a_flag"], "entities": {"place": [1, None]}}, 422, ["entities", "place", 1], "null"),
    ({"features": ["typed:a_flag"], "entities": {"place": ["1"]}}, 422, ["entities", "place", 0], "integer"),
    ({"features": ["typed:a_flag"], "entities": {"place": [[1]]}}, 422, ["entities", "place", 0], "integer"),
    ({"features": ["pairs:a_double"], "entities": {"place": [1], "side": ["a" * 10_001]}}, 422, ["entities", "side", 0], ""),
    ({"features": ["pairs:a_double"], "entities": ROW}, 422, ["entities", "side"], "required"),
    ({"features": ["pairs:a_double"], "entities": {**ROW, "side": ["a", "b"]}}, 422, ["entities"], "length"),
    ({"features": ["typed:a_flag"], "entities": {**ROW, "tailnum": ["N"]}}, 422, ["entities"], "keys are place"),
    ({"features": ["typed:a_flag"], "entities": {"place": [1] * 1001}}, 413, ["entities"], "1000"),
    ({**ONE, "full_feature_names": None}, 422, ["full_feature_names"], "true or false"),
    ({**ONE, "include_feature_view_version_metadata": 1}, 422, ["include_feature_view_version_metadata"], "true or"),
    ({**ONE, "feature_service": "all"}, 422, ["feature_service"], "no feature services"),
]  # fmt: skip


@pytest.mark.parametrize(("body", "status", "location", "message"), WRONG)
def test_what_is_wrong_is_said(client: TestClient, body: dict, status: int, location: list, message: str) -> None:
    answer = client.post(PATH, json=body)
    assert answer.status_code == status
    (detail,) = answer.json()["detail"]
    assert detail["loc"] == ["body", *location]
    assert message in detail["msg"]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b'{"features": ["typed:a_flag"], "features": [], "entities": {}}', 400),
        (b'{"features": ["typed:a_flag"], "entities": {"place": [NaN]}}', 400),
        (b'{"features": ["typed:a_flag"], "entities": {"place": [1]}, "project": "p"}', 422),
        (b'["typed:a_flag"]', 422),
        (b"", 400),
    ],
)
def test_strict_bodies(client: TestClient, body: bytes, status: int) -> None:
    assert client.post(PATH, content=body).status_code == status
    assert client.post(PATH, json={**ONE, "feature_service": None}).status_code == 200


def test_the_scope_is_that_of_features(served_home: Path, tmp_path: Path) -> None:
    made = {scope: new_token([scope], scope) for scope in ("predict", "read")}
    path = tmp_path / "tokens"
    path.write_text("".join(entry.line() for _, entry in made.values()))
    path.chmod(0o600)
    with TestClient(create_app(Settings(tokens_file=str(path)))) as client:
        for scope, (token, _) in made.items():
            headers = {"authorization": f"Bearer {token}"}
            # Refused before the body is looked at, or for the body.
            assert client.post(PATH, json={}, headers=headers).status_code == (422 if scope == "predict" else 403)
        assert client.post(PATH, json={}).status_code == 401
