"""A server with tokens: who may call what, a token that is revoked while it serves, and what readiness and the log say."""

import logging
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from eiderdown.demonstration import tour
from serving.access.tokens import SCOPES, new_token
from serving.app import create_app
from serving.settings import Settings

BODY = {"instances": [tour.INSTANCE]}
PREDICT = "/predict/flight_delay"


@pytest.fixture(scope="module")
def tokens() -> dict[str, tuple[str, str]]:
    """A token of each scope, and its line in the file."""
    made = {scope: new_token([scope], scope) for scope in SCOPES}
    return {scope: (token, entry.line()) for scope, (token, entry) in made.items()}


@pytest.fixture
def path(tmp_path: Path, tokens: dict[str, tuple[str, str]]) -> Path:
    path = tmp_path / "tokens"
    path.write_text("".join(line for _, line in tokens.values()))
    path.chmod(0o600)
    return path


@pytest.fixture
def client(served_home: Path, path: Path) -> Iterator[TestClient]:
    with TestClient(create_app(Settings(tokens_file=str(path)))) as client:
        yield client


def _bearer(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}


def test_who_may_call_what(
    client: TestClient, tokens: dict[str, tuple[str, str]], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    for scope, (token, _) in tokens.items():
        may_predict, may_read = scope in ("predict", "admin"), scope in ("read", "admin")
        assert client.post(PREDICT, json=BODY, headers=_bearer(token)).status_code == (200 if may_predict else 403)
        for place in ("/models", "/releases", "/metrics"):
            assert client.get(place, headers=_bearer(token)).status_code == (200 if may_read else 403)
        assert token not in caplog.text
    refused = client.post(PREDICT, json=BODY)
    assert refused.status_code == 401
    assert refused.json() == {"detail": [{"msg": "a token is needed: send `Authorization: Bearer <token>`"}]}
    for place in ("/health/live", "/health/ready", "/docs", "/openapi.json"):
        assert client.get(place).status_code == 200


def test_the_interface_says_that_a_token_is_needed(client: TestClient) -> None:
    described = client.get("/openapi.json").json()
    assert described["components"]["securitySchemes"]["HTTPBearer"]["scheme"] == "bearer"
    predict = described["paths"]["/predict/{model}"]["post"]
    assert predict["security"] == [{"HTTPBearer": []}]
    assert {"401", "403"} <= predict["responses"].keys()


def test_a_token_is_revoked_while_the_server_serves(
    client: TestClient, path: Path, tokens: dict[str, tuple[str, str]]
) -> None:
    token, line = tokens["predict"]
    path.write_text(tokens["admin"][1])
    waited = threading.Event()
    for _ in range(300):
        if client.post(PREDICT, json=BODY, headers=_bearer(token)).status_code == 401:
            break
        waited.wait(0.1)
    else:
        pytest.fail("the token stayed in force for half a minute")
    path.write_text("nonsense")
    (problem,) = client.get("/health/ready").json()["problems"]
    assert "stay in force" in problem
    assert client.get("/models", headers=_bearer(tokens["admin"][0])).status_code == 200
    path.write_text(line)
    assert client.get("/health/ready").json()["problems"] == []
    assert client.post(PREDICT, json=BODY, headers=_bearer(token)).status_code == 200
