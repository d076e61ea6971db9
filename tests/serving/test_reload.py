"""A new release is taken up without a failed request; before the first, the server says so."""

import threading
import time

from fastapi.testclient import TestClient

from tests.conftest import Project


def _await_release(client: TestClient, name: str) -> None:
    deadline = time.monotonic() + 20
    while client.get("/health/ready").json()["release"] != name:
        assert time.monotonic() < deadline, "the new release was not taken up"
        time.sleep(0.05)


def _publish_another(project: Project) -> str:
    project.set_clock("2013-12-31T13:00:00Z")
    project.dbt("run")
    return (project.home / "releases" / "current").read_text().strip()


def test_a_new_release_under_load(client: TestClient, project: Project, instance: dict) -> None:
    before = client.get("/health/ready").json()["release"]
    answers: list[tuple[int, str, float]] = []
    stop = threading.Event()

    def ask() -> None:
        while not stop.is_set():
            answer = client.post("/predict/flight_delay", json={"instances": [instance]})
            body = answer.json()
            answers.append((answer.status_code, body.get("release", ""), body["predictions"][0]["score"]))

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    after = _publish_another(project)
    _await_release(client, after)
    time.sleep(0.2)
    stop.set()
    for thread in threads:
        thread.join()
    assert {status for status, _, _ in answers} == {200}
    assert {release for _, release, _ in answers} == {before, after}
    # Each release has one answer to one question: none mixes the two.
    assert len({(release, score) for _, release, score in answers}) == 2


def test_nonsense_in_the_pointer_does_not_end_the_watch(client: TestClient, project: Project) -> None:
    before = client.get("/health/ready").json()["release"]
    pointer = project.home / "releases" / "current"
    for nonsense in (b"\xff\xfe", b"../../etc", b"nothing", b""):
        pointer.write_bytes(nonsense)
        client.app.state.current.refresh()  # type: ignore[attr-defined]
        ready = client.get("/health/ready").json()
        assert ready["release"] == before
        assert ready["problems"]
    pointer.write_text(f"{before}\n")
    client.app.state.current.refresh()  # type: ignore[attr-defined]
    assert client.get("/health/ready").json()["problems"] == []


def test_before_the_first_release(client: TestClient, project: Project, instance: dict) -> None:
    # First the pointer: a look in between would load the release again.
    (project.home / "releases" / "current").unlink()
    client.app.state.current.release = None  # type: ignore[attr-defined]
    assert client.get("/health/ready").status_code == 503
    assert client.get("/health/live").status_code == 200
    answer = client.post("/predict/flight_delay", json={"instances": [instance]})
    assert answer.status_code == 503
    assert "dbt build" in answer.json()["detail"][0]["msg"]
