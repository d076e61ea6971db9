"""Stored features that JSON has no value for: a status in place of the value, never a 5xx."""

from pathlib import Path

import duckdb
import pytest
from fastapi.testclient import TestClient

from ml import files
from ml.release.feature_file import write_feature_file
from ml.release.manifest import ReleasedView
from serving.releases.loaded import LoadedParts
from serving.releases.online_view import OnlineView

VALUES = {
    "a_time": ("timestamptz", ["infinity", "-infinity", "20000-01-01", "2013-12-31T01:00:00Z", None]),
    "a_local_time": ("timestamp", ["infinity", "-infinity", "0044-03-15 (BC)", "2013-12-31 01:00:00", None]),
    "a_date": ("date", ["infinity", "-infinity", "0044-03-15 (BC)", "2013-12-31", None]),
    "a_double": ("double", ["infinity", "-infinity", "nan", "1.5", None]),
    "times": ("timestamptz[]", ["[infinity]", "[-infinity]", "[20000-01-01]", "[]", None]),
}
STATUSES = ["nan", "nan", "nan", "present", "null"]
SPECIAL = {
    "a_time": ["Infinity", "-Infinity", "20000-01-01T00:00:00.000000Z"],
    "a_local_time": ["Infinity", "-Infinity", "-0043-03-15T00:00:00.000000"],
    "a_date": ["Infinity", "-Infinity", "-0043-03-15"],
    "a_double": ["Infinity", "-Infinity", "NaN"],
    "times": ["Infinity", "-Infinity", "20000-01-01T00:00:00.000000Z"],
}
EXPECTED = {
    "a_time": "2013-12-31T01:00:00Z",
    "a_local_time": "2013-12-31T01:00:00",
    "a_date": "2013-12-31",
    "a_double": 1.5,
    "times": [],
}


def _serve(client: TestClient, folder: Path, event_at: str, ttl_seconds: float | None) -> None:
    """Add a view `strange` to the release that is served."""
    columns = ", ".join(
        f"unnest(cast({values!r} as varchar[])::{kind}[]) as {name}".replace("None", "null")
        for name, (kind, values) in VALUES.items()
    )
    with duckdb.connect() as connection:
        connection.execute("set TimeZone = 'UTC'")
        rows = connection.sql(
            f"select unnest(range(5)) as place, timestamptz '{event_at}' as event_at, {columns}"
        ).to_arrow_table()
    path = folder / "strange_v1.arrow"
    write_feature_file(rows, ["place"], path)
    view = ReleasedView(
        view="strange",
        version=1,
        file=path.name,
        entity=["place"],
        event_at="event_at",
        known_at="event_at",
        ttl_seconds=ttl_seconds,
        columns=dict.fromkeys(VALUES, ""),
        fingerprint="",
        sha256=files.sha256(path),
        row_count=5,
    )
    client.app.state.current.release.views["strange_v1"] = OnlineView(view, path, LoadedParts())  # type: ignore[attr-defined]


def test_what_json_cannot_hold_has_a_status(standing_client: TestClient, tmp_path: Path) -> None:
    _serve(standing_client, tmp_path, "2013-12-31T00:00:00Z", ttl_seconds=None)
    answer = standing_client.post("/features/strange", json={"keys": [{"place": place} for place in range(5)]})
    assert answer.status_code == 200
    for place, (row, status) in enumerate(zip(answer.json()["rows"], STATUSES, strict=True)):
        for name, found in row["features"].items():
            expected = {"value": EXPECTED[name] if status == "present" else None, "status": status}
            if status == "nan" and name == "times":
                expected = {"value": [None], "status": "present", "special": {"/0": SPECIAL[name][place]}}
            elif status == "nan":
                expected["special"] = {"": SPECIAL[name][place]}
            assert found == expected


@pytest.mark.parametrize(("ttl_seconds", "status"), [(None, "present"), (3600.0, "expired")])
def test_an_event_before_all_time(
    standing_client: TestClient, tmp_path: Path, ttl_seconds: float | None, status: str
) -> None:
    _serve(standing_client, tmp_path, "-infinity", ttl_seconds)
    answer = standing_client.post("/features/strange", json={"keys": [{"place": 3}]})
    assert answer.status_code == 200
    row = answer.json()["rows"][0]
    assert row["event_at"] is None
    assert {feature["status"] for feature in row["features"].values()} == {status}


def test_a_view_that_is_computed_from_the_request_has_nothing_stored(standing_client: TestClient) -> None:
    for name in ("departure", "departure_v1"):
        answer = standing_client.post(f"/features/{name}", json={"keys": [{"origin": "JFK"}]})
        assert answer.status_code == 404
        assert "computed from the request" in answer.json()["detail"][0]["msg"]
