"""A server over a copy of the built demonstration."""

from collections.abc import Iterator

import pytest
from fastapi.testclient import TestClient

from eiderdown.demonstration import tour
from serving.app import create_app
from serving.settings import Settings
from tests.conftest import Project


@pytest.fixture
def client(project: Project, monkeypatch: pytest.MonkeyPatch) -> Iterator[TestClient]:
    monkeypatch.setenv("EIDERDOWN_HOME", str(project.home))
    with TestClient(create_app(Settings(poll_seconds=0.05, max_instances=1000))) as client:
        yield client


@pytest.fixture
def instance() -> dict:
    return dict(tour.INSTANCE)
