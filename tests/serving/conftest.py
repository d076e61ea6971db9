"""A server over a copy of the built demonstration."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from eiderdown.demonstration import tour
from serving.app import create_app
from serving.settings import Settings
from tests.conftest import Project

# They run in environments of their own.
collect_ignore = ["clients"]
SETTINGS = Settings(poll_seconds=0.05, max_instances=1000)


@pytest.fixture
def client(project: Project, monkeypatch: pytest.MonkeyPatch) -> Iterator[TestClient]:
    monkeypatch.setenv("EIDERDOWN_HOME", str(project.home))
    with TestClient(create_app(SETTINGS)) as client:
        yield client


@pytest.fixture(scope="module")
def served_home(built: Project, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A home for the tests of a file that change nothing in it but the event log."""
    home = tmp_path_factory.mktemp("served") / "warehouse"
    shutil.copytree(built.home, home)
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("EIDERDOWN_HOME", str(home))
        yield home


@pytest.fixture(scope="module")
def standing_client(served_home: Path) -> Iterator[TestClient]:
    """One server for all tests of a file, which is to answer the last of them as it did the first."""
    with TestClient(create_app(SETTINGS)) as client:
        yield client


@pytest.fixture
def instance() -> dict:
    return dict(tour.INSTANCE)
