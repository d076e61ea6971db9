"""The guard around an application: headers on every answer, and an unexpected exception as a 500 with its id in the log."""

import logging
from collections.abc import Iterator

import pytest
from fastapi import FastAPI
from fastapi.responses import StreamingResponse
from fastapi.testclient import TestClient

from serving.access.guard import SECURITY, Guard
from serving.access.guarded import MAX_PATH, Guarded
from serving.settings import Settings

SECRET = "what the client sent"


@pytest.fixture
def client() -> TestClient:
    app = FastAPI(docs_url=None)

    @app.get("/good")
    async def good() -> dict[str, bool]:
        return {"good": True}

    @app.get("/broken/{name}")
    async def broken(name: str) -> None:
        try:
            raise KeyError(SECRET)
        except KeyError as error:
            raise RuntimeError(SECRET) from error

    @app.get("/broken-off")
    async def broken_off() -> StreamingResponse:
        def parts() -> Iterator[bytes]:
            yield b"half"
            raise RuntimeError(SECRET)

        return StreamingResponse(parts())

    app.add_middleware(Guarded, guard=Guard(Settings()))
    return TestClient(app)


@pytest.fixture
def logged(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    """With the server's logger, which may not hand its records on."""
    logger = logging.getLogger("serving")
    logger.addHandler(caplog.handler)
    yield caplog
    logger.removeHandler(caplog.handler)


def test_every_answer_has_the_headers(client: TestClient) -> None:
    for answer in (
        client.get("/good"),
        client.get("/nothing"),
        client.put("/good"),
        client.get("/broken/x"),
        client.get("/good", headers={"host": "rebound.example"}),
        client.options("/good", headers={"origin": "https://a.example", "access-control-request-method": "GET"}),
    ):
        assert SECURITY.items() <= dict(answer.headers).items(), answer.status_code
        assert answer.headers["content-type"] == "application/json"


def test_an_unexpected_exception(client: TestClient, logged: pytest.LogCaptureFixture) -> None:
    answer = client.get("/broken/" + "a" * 500)
    assert answer.status_code == 500
    assert set(answer.json()) == {"detail", "request_id"}
    (line,) = {str(record.msg): record.msg for record in logged.records if record.name == "serving"}.values()
    assert isinstance(line, dict)
    assert line["request_id"] == answer.json()["request_id"]
    assert (line["method"], line["status"], len(line["path"])) == ("GET", 500, MAX_PATH)
    assert line["trace"].index("KeyError") < line["trace"].index("RuntimeError")
    assert "in broken" in line["trace"]
    for place in (answer.text, str({**line, "trace": line["trace"].replace("raise", "")})):
        assert SECRET not in place


def test_an_answer_that_broke_off_is_no_whole_answer(client: TestClient, logged: pytest.LogCaptureFixture) -> None:
    with pytest.raises(ConnectionAbortedError):
        client.get("/broken-off")
    assert [record.msg for record in logged.records if record.name == "serving"]
