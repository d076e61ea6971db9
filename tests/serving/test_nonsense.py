"""Nonsense is refused with the place of what is wrong and without an echo, and the server answers on as before."""

import json
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from fastapi.testclient import TestClient
from hypothesis import example, given, settings
from hypothesis import strategies as st

from eiderdown.demonstration.tour import INSTANCE
from serving.requests.instances import MAX_CHARACTERS

MARKER = "zqxjk"
PREDICT = "/predict/flight_delay"
FEATURES = "/features/plane_activity"
FIELDS = sorted([*INSTANCE, "predicted_at"])

texts = st.text().map(lambda text: MARKER + text)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.integers(-(10**60), 10**60) | st.floats() | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)
sql = st.sampled_from(
    [
        "' or 1=1 --",
        "'; drop table registry.model_versions; --",
        '"; select 1; --',
        "N529JB' union all select * from read_csv('/etc/passwd') --",
        "$$; attach '/tmp/x.duckdb' --",
        "{{ env_var('HOME') }}",
        "%' escape '\\",
        "x'); copy (select 1) to '/tmp/x'; --",
        "../../etc/passwd",
        "\\N",
    ]
)


@pytest.fixture(scope="module")
def good(standing_client: TestClient) -> list[dict]:
    """What a good request gets before any nonsense."""
    return standing_client.post(PREDICT, json={"instances": [INSTANCE]}).json()["predictions"]


def check(client: TestClient, good: list[dict], answer: httpx.Response, marker: str = MARKER) -> None:
    """The promise: no 5xx; a refusal says what is wrong and echoes nothing; a good request gets what it got before."""
    assert answer.status_code < 500
    if answer.status_code >= 400:
        assert all(detail["msg"] for detail in answer.json()["detail"])
        assert not marker or marker not in answer.text
        assert "Traceback" not in answer.text
    after = client.post(PREDICT, json={"instances": [INSTANCE]})
    assert after.status_code == 200
    assert after.json()["predictions"] == good


def post(client: TestClient, path: str, value: Any) -> httpx.Response:
    """Post a value as Python writes it: NaN, infinities and lone surrogates among it."""
    return client.post(path, content=json.dumps(value))


@pytest.mark.parametrize(
    ("change", "location"),
    [
        ({"distance": "1069"}, ["distance"]),
        ({"distance": 2**40}, ["distance"]),
        ({"distance": 10**400}, ["distance"]),
        ({"distance": 1e300}, ["distance"]),
        ({"distance": True}, ["distance"]),
        ({"distance": [1069]}, ["distance"]),
        ({"carrier": None}, ["carrier"]),
        ({"carrier": {"zqxjk": 1}}, ["carrier"]),
        ({"tailnum": "zqxjk\x00"}, ["tailnum"]),
        ({"tailnum": "z" * (MAX_CHARACTERS + 1)}, ["tailnum"]),
        ({"sched_dep_at": "tomorrow"}, ["sched_dep_at"]),
        ({"sched_dep_at": "2013-12-31T14:00:00"}, ["sched_dep_at"]),
        ({"sched_dep_at": "2013-12-31T14:00:00Z\n"}, ["sched_dep_at"]),
        ({"sched_dep_at": "infinity"}, ["sched_dep_at"]),
        ({"predicted_at": "2013-12-01T00:00:00Z"}, ["predicted_at"]),
        ({"zqxjk": "blue"}, []),
    ],
)
def test_a_wrong_instance_is_named(
    standing_client: TestClient, good: list[dict], instance: dict, change: dict, location: list
) -> None:
    answer = post(standing_client, PREDICT, {"instances": [instance, {**instance, **change}]})
    assert answer.status_code == 422
    assert answer.json()["detail"][0]["loc"] == ["body", "instances", 1, *location]
    assert all(str(value) not in answer.text for value in change.values() if isinstance(value, str))
    check(standing_client, good, answer)


@pytest.mark.parametrize("name", sorted(set(INSTANCE) - {"tailnum"}))
def test_a_missing_field_is_named(standing_client: TestClient, instance: dict, name: str) -> None:
    del instance[name]
    answer = post(standing_client, PREDICT, {"instances": [instance]})
    assert answer.status_code == 422
    assert answer.json()["detail"] == [{"msg": "is required", "loc": ["body", "instances", 0, name]}]


@pytest.mark.parametrize("path", [PREDICT, FEATURES])
@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"nonsense", 400),
        (b"<xml/>", 400),
        (b"instances=1&keys=2", 400),
        (b"[]", 422),
        (b"null", 422),
        (b"1e400", 400),
        (b"{}", 422),
        (b'{"LIST": []}', 422),
        (b'{"LIST": {}}', 422),
        (b'{"LIST": "zqxjk"}', 422),
        (b'{"LIST": [1]}', 422),
        (b'{"LIST": [], "LIST": []}', 400),
        (b'{"LIST": [{"tailnum": "zqxjk", "tailnum": "zqxjk"}]}', 400),
        (b'{"LIST": [], "zqxjk": 1}', 422),
        (b'{"LIST": [{"distance": NaN}]}', 400),
        (b'{"LIST": [{"distance": -Infinity}]}', 400),
        (b'{"LIST": [{"distance": 1e400}]}', 400),
        (b'{"LIST": [{"tailnum": "\\ud800"}]}', 400),
        (b'{"LIST": [{"\\udfff": 1}]}', 400),
        (b'{"LIST": [{"tailnum": "zqxjk\x00"}]}', 400),
        (b'{"LIST": [{"distance": ' + b"9" * 5000 + b"}]}", 400),
        (b'{"LIST": ' + b"[" * 17 + b"]" * 17 + b"}", 400),
        (b'{"LIST": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", 400),
        (b'{"a":' * 100_000, 400),
        (b"\xff\xfe", 400),
        ('{"LIST": []}'.encode("utf-16"), 400),
        (b'\xef\xbb\xbf{"LIST": []}', 400),
        (b'{"LIST": [' + b"{}," * 1000 + b"{}]}", 413),
        (b'{"LIST": [' + b"{}," * 1_000_000 + b"{}]}", 413),
        (b" " * 5_000_000, 413),
    ],
    ids=lambda value: str(value[:32]) if isinstance(value, bytes) else None,
)
def test_a_wrong_body_is_refused(
    standing_client: TestClient, good: list[dict], path: str, body: bytes, status: int
) -> None:
    name = b"instances" if path == PREDICT else b"keys"
    answer = standing_client.post(path, content=body.replace(b"LIST", name))
    assert answer.status_code == status
    check(standing_client, good, answer)


@pytest.mark.parametrize("encoding", ["gzip", "br", "zqxjk", "identity, gzip", ""])
def test_an_encoded_body_is_refused(standing_client: TestClient, encoding: str) -> None:
    answer = standing_client.post(PREDICT, content=b"{}", headers={"content-encoding": encoding})
    assert answer.status_code == 415
    assert MARKER not in answer.text


@pytest.mark.parametrize(
    ("change", "status", "name"),
    [
        ({"version": 99}, 404, "version"),
        ({"version": -1}, 404, "version"),
        ({"version": 2**70}, 404, "version"),
        ({"version": "1"}, 422, "version"),
        ({"version": 1.0}, 422, "version"),
        ({"version": True}, 422, "version"),
        ({"version": 1, "alias": "champion"}, 422, "version"),
        ({"alias": "zqxjk"}, 404, "alias"),
        ({"alias": ""}, 404, "alias"),
        ({"alias": 1}, 422, "alias"),
        ({"alias": ["champion"]}, 422, "alias"),
        ({"alias": {}}, 422, "alias"),
    ],
)
def test_wrong_versions_and_aliases_are_named(
    standing_client: TestClient, good: list[dict], change: dict, status: int, name: str
) -> None:
    answer = post(standing_client, PREDICT, {"instances": [INSTANCE], **change})
    assert answer.status_code == status
    assert answer.json()["detail"][0]["loc"] == ["body", name]
    check(standing_client, good, answer)


def test_unknown_names_are_not_found(standing_client: TestClient) -> None:
    assert post(standing_client, "/predict/nothing", {"instances": [INSTANCE]}).status_code == 404
    assert post(standing_client, "/features/nothing", {"keys": [{}]}).status_code == 404
    assert standing_client.get("/models/nothing").status_code == 404


@pytest.mark.parametrize(
    ("keys", "location"),
    [
        ([{"tailnum": 1}], [0, "tailnum"]),
        ([{"tailnum": None}], [0, "tailnum"]),
        ([{"tailnum": "a"}, {}], [1, "tailnum"]),
        ([{"tailnum": "a", "x": 1}], [0]),
        ("N529JB", []),
        ([], []),
    ],
)
def test_wrong_keys_are_named(standing_client: TestClient, keys: Any, location: list) -> None:
    answer = post(standing_client, FEATURES, {"keys": keys})
    assert answer.status_code == 422
    assert answer.json()["detail"][0]["loc"] == ["body", "keys", *location]


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH", "OPTIONS", "HEAD", "TRACE", "ZQXJK"])
@pytest.mark.parametrize("path", [PREDICT, FEATURES])
def test_other_methods_are_refused(standing_client: TestClient, method: str, path: str) -> None:
    answer = standing_client.request(method, path)
    assert answer.status_code == 405
    assert answer.headers["allow"] == "POST"
    assert method == "HEAD" or "Allow" in answer.json()["detail"][0]["msg"]


@pytest.mark.parametrize(
    "path", ["/", "/zqxjk", "/predict", "/predict/", "/predict/a/b", "/models/", "/../zqxjk", "//"]
)
def test_unknown_paths_are_not_found(standing_client: TestClient, good: list[dict], path: str) -> None:
    for method in ("GET", "POST"):
        answer = standing_client.request(method, path)
        assert answer.status_code == 404
        check(standing_client, good, answer)


@given(name=st.sampled_from(FIELDS), value=json_values)
@example(name="sched_dep_at", value="0001-01-01T00:00:00+00:00")
@example(name="sched_dep_at", value="9999-12-31T23:59:59.999999-23:59")
@example(name="predicted_at", value="9999-12-31T23:59:59.999999Z")
@example(name="tailnum", value="")
@example(name="distance", value=-(2**31))
def test_any_value_in_any_field(standing_client: TestClient, good: list[dict], name: str, value: Any) -> None:
    answer = post(standing_client, PREDICT, {"instances": [{**INSTANCE, name: value}]})
    check(standing_client, good, answer)


@given(st.dictionaries(st.sampled_from(["instances", "alias", "version"]) | texts, json_values, max_size=4))
def test_any_object_as_body(standing_client: TestClient, good: list[dict], body: dict) -> None:
    check(standing_client, good, post(standing_client, PREDICT, body))
    check(standing_client, good, post(standing_client, PREDICT, {"instances": [INSTANCE], **body}))
    check(standing_client, good, post(standing_client, FEATURES, body))


@given(json_values, json_values)
def test_any_key(standing_client: TestClient, good: list[dict], value: Any, keys: Any) -> None:
    check(standing_client, good, post(standing_client, FEATURES, {"keys": [{"tailnum": value}]}))
    check(standing_client, good, post(standing_client, FEATURES, {"keys": keys}))


@given(st.data(), st.binary(max_size=200))
def test_any_bytes_in_a_body(standing_client: TestClient, good: list[dict], data: st.DataObject, noise: bytes) -> None:
    whole = json.dumps({"instances": [INSTANCE]}).encode()
    start = data.draw(st.integers(0, len(whole)))
    end = data.draw(st.integers(start, len(whole)))
    for path in (PREDICT, FEATURES):
        check(standing_client, good, standing_client.post(path, content=noise))
        check(standing_client, good, standing_client.post(path, content=whole[:start] + noise + whole[end:]))


@given(texts.map(str.encode) | st.binary(), st.sampled_from(["{}", "flight_delay{}", "{}flight_delay", "../{}"]))
@example(b"\x00", "{}")
@example(b"..%2f..%2fetc%2fpasswd", "{}")
@example(b"a" * 60_000, "{}")
@example(b"?", "flight_delay{}")
def test_any_name_in_a_path(standing_client: TestClient, good: list[dict], name: bytes, place: str) -> None:
    segment = place.format(quote(name, safe=""))
    body = {"instances": [INSTANCE]}
    for answer in (
        post(standing_client, f"/predict/{segment}", body),
        post(standing_client, f"/features/{segment}", {"keys": [{"tailnum": "N529JB"}]}),
        standing_client.get(f"/models/{segment}"),
    ):
        check(standing_client, good, answer)


@settings(max_examples=30)
@given(sql, sql)
def test_sql_in_every_string(standing_client: TestClient, good: list[dict], text: str, other: str) -> None:
    """As a value it is an entity that nobody knows, anywhere else an unknown name."""
    names = [name for name, value in INSTANCE.items() if isinstance(value, str) and name != "sched_dep_at"]
    answers = [
        post(standing_client, PREDICT, {"instances": [{**INSTANCE, **dict.fromkeys(names, value)}]})
        for value in ("N0WHERE", text)
    ]
    assert answers[0].json()["predictions"] == answers[1].json()["predictions"]
    row = post(standing_client, FEATURES, {"keys": [{"tailnum": text}]}).json()["rows"][0]
    assert {feature["status"] for feature in row["features"].values()} == {"not_found"}
    for answer in (
        post(standing_client, PREDICT, {"instances": [{**INSTANCE, "sched_dep_at": text}]}),
        post(standing_client, PREDICT, {"instances": [{**INSTANCE, text: other}]}),
        post(standing_client, PREDICT, {"instances": [INSTANCE], "alias": text}),
        post(standing_client, PREDICT, {"instances": [INSTANCE], text: other}),
        post(standing_client, f"/predict/{quote(text, safe='')}", {"instances": [INSTANCE]}),
        post(standing_client, f"/features/{quote(text, safe='')}", {"keys": [{"tailnum": other}]}),
        standing_client.get(f"/models/{quote(text, safe='')}"),
    ):
        assert answer.status_code in (404, 422)
        check(standing_client, good, answer, marker=text)
