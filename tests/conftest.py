"""What tests share: a small slice of the real flights, dbt in-process, and warehouses built once."""

import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest
from dbt.adapters.duckdb.connections import DuckDBConnectionManager
from dbt.adapters.factory import reset_adapters
from dbt.cli.main import dbtRunner, dbtRunnerResult
from hypothesis import HealthCheck, settings
from typer.testing import CliRunner

from eiderdown.cli import app
from eiderdown.demonstration import flights

# Machines are shared: a slow example is no failure.
settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")

REPOSITORY = Path(__file__).parent.parent
PROJECT_FILES = ("models", "macros", "dbt_project.yml", "profiles.yml", "selectors.yml")


class Project:
    """A dbt project in a folder of its own, with its own home."""

    def __init__(self, folder: Path, database: str = "eiderdown.duckdb") -> None:
        self.folder = folder
        self.home = folder / "warehouse"
        self.database = self.home / database

    def dbt(self, *arguments: str, succeeds: bool = True) -> dbtRunnerResult:
        """Run dbt in this process. `succeeds` says how it must end."""
        before = Path.cwd()
        os.chdir(self.folder)
        os.environ["EIDERDOWN_HOME"] = str(self.home)
        try:
            result = dbtRunner().invoke([*arguments, "--quiet"])
        finally:
            DuckDBConnectionManager.close_all_connections()
            reset_adapters()
            os.chdir(before)
        assert result.success is succeeds, messages(result)
        return result

    def query(self, sql: str) -> list[tuple]:
        """Rows of a query of the warehouse."""
        with duckdb.connect(str(self.database), read_only=True) as connection:
            connection.execute("set TimeZone = 'UTC'")
            return connection.execute(sql).fetchall()

    def write(self, sql: str) -> None:
        """Change the warehouse behind dbt's back."""
        with duckdb.connect(str(self.database)) as connection:
            connection.execute(sql)

    def set_clock(self, as_of: str) -> None:
        """Move the demonstration's clock."""
        (self.home / "raw" / "clock.csv").write_text(f"as_of,replay\n{as_of},true\n")


def messages(result: dbtRunnerResult) -> str:
    """What failed in a run, as text."""
    if result.exception:
        return str(result.exception)
    return "\n".join(str(node.message) for node in result.result if node.status in ("error", "fail"))


def copy_project(folder: Path) -> Project:
    """A copy of the demonstration's dbt project, for tests that change it."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in PROJECT_FILES:
        source = REPOSITORY / name
        shutil.copytree(source, folder / name) if source.is_dir() else shutil.copy(source, folder / name)
    return Project(folder)


def copy_machines(folder: Path) -> Project:
    """A copy of somebody else's project, which installs this one."""
    return copy_elsewhere("machines", folder)


def copy_elsewhere(name: str, folder: Path) -> Project:
    """A copy of one of the projects in tests/functional that install this one."""
    shutil.copytree(REPOSITORY / "tests" / "functional" / name, folder)
    packages = folder / "packages.yml"
    packages.write_text(packages.read_text().replace("../../..", str(REPOSITORY)))
    return Project(folder, database=f"{name}.duckdb")


@pytest.fixture(scope="session")
def raw_slice(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Raw files with every flight of one plane in sixteen: whole histories of planes, all the year."""
    whole = tmp_path_factory.mktemp("whole")
    flights.load(whole, flights.DEFAULT_AS_OF)
    raw = tmp_path_factory.mktemp("slice")
    for path in whole.glob("*.csv"):
        if path.name != "flights.csv":
            shutil.copy(path, raw)
    duckdb.execute(
        f"copy (from read_csv('{whole / 'flights.csv'}', all_varchar = true) where hash(tailnum) % 16 = 3) "
        f"to '{raw / 'flights.csv'}' (header)"
    )
    shutil.rmtree(whole)
    return raw


def _new_project(folder: Path, raw: Path) -> Project:
    project = copy_project(folder)
    shutil.copytree(raw, project.home / "raw")
    return project


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory, raw_slice: Path) -> Iterator[Project]:
    """The demonstration on the slice, built by its three pipelines. Read it only; `project` gives a copy to change."""
    project = _new_project(tmp_path_factory.mktemp("built"), raw_slice)
    for pipeline in ("feature_pipeline", "training_pipeline", "inference_pipeline"):
        project.dbt("build", "--selector", pipeline)
    yield project


@pytest.fixture
def project(tmp_path: Path, built: Project) -> Project:
    """A copy of the built demonstration, to change."""
    folder = tmp_path / "project"
    shutil.copytree(built.folder, folder)
    return Project(folder)


@pytest.fixture
def run(built: Project, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Run a command over the built demonstration: what it prints, or with --json what that holds. `code`: how it must end."""
    monkeypatch.setenv("EIDERDOWN_HOME", str(built.home))

    def run(*arguments: str, code: int = 0) -> Any:
        answer = CliRunner().invoke(app, list(arguments))
        assert answer.exit_code == code, answer.output
        return json.loads(answer.stdout) if "--json" in arguments else answer.output

    return run
