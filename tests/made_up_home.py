"""A home folder made up by hand: a warehouse with a registry, releases and artifacts, in milliseconds and without dbt."""

import datetime as dt
import hashlib
import json
from pathlib import Path

import duckdb

from ml import files
from ml.release.manifest import Manifest, ReleasedModel, identity

START = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
REGISTRY = """
    create schema training; create schema registry; create schema datasets;
    create table training.scored (model varchar, version integer, artifact varchar, artifact_sha256 varchar, baseline json);
    create table registry.model_versions (model varchar, version integer, artifact varchar, artifact_sha256 varchar);
    create table registry.datasets (dataset varchar, version integer, artifact varchar, artifact_sha256 varchar);
    create table registry.current_aliases (model varchar, alias varchar, version integer);
    create table registry.model_aliases (model varchar, alias varchar, version integer, since timestamptz);
    create table registry.releases (release varchar, models map(varchar, integer[]));
"""


class MadeUpHome:
    """The home, and what adds to it. A version's artifact is what its content hashes to, so versions may share one."""

    def __init__(self, folder: Path, is_file: bool = False) -> None:
        """`is_file`: the warehouse is a file of the home and not in memory; `connection` is to be closed then."""
        self.home = folder
        (folder / "releases").mkdir(parents=True)
        (folder / "raw").mkdir()
        (folder / "raw" / "clock.csv").write_text("as_of\n2026-01-01\n")
        self.connection = duckdb.connect(str(folder / "made_up.duckdb") if is_file else ":memory:")
        self.connection.execute("set TimeZone = 'UTC'")
        self.connection.execute(REGISTRY)
        (self.database,) = self.connection.execute("select current_database()").fetchall()[0]

    def execute(self, sql: str, *rows: tuple) -> None:
        for row in rows or [()]:
            self.connection.execute(sql, row)

    def query(self, sql: str) -> list[tuple]:
        return self.connection.execute(sql).fetchall()

    def add_versions(self, model: str, contents: list[tuple[str, str | None]], is_registered: bool = True) -> None:
        """Versions from 1 on, each an artifact's text and a baseline's. An unregistered one is of a run that was killed."""
        rows = []
        for number, (content, baseline) in enumerate(contents, start=1):
            artifact, sha256 = self.artifact(f"models/{model}", content)
            held = baseline and dict(
                zip(("artifact", "sha256"), self.artifact(f"models/{model}", baseline), strict=True)
            )
            rows.append((model, number, artifact, sha256, json.dumps(held) if held else None))
        if rows:
            self.execute("insert into training.scored values (?, ?, ?, ?, ?)", *rows)
            registered = rows if is_registered else rows[:-1]
            if registered:
                self.execute(
                    "insert into registry.model_versions values (?, ?, ?, ?)", *(row[:4] for row in registered)
                )

    def artifact(self, folder: str, content: str) -> tuple[str, str]:
        """Write a file among the artifacts, noted as runs do. Returns its path under the home, and its SHA-256."""
        sha256 = hashlib.sha256(content.encode()).hexdigest()
        path = self.home / "artifacts" / folder / f"{sha256[:8]}.txt"
        files.note_unregistered(path, f'"{self.database}"."training"."scored"')
        path.write_text(content)
        return path.relative_to(self.home).as_posix(), sha256

    def add_release(self, number: int, models: list[tuple[str, int]]) -> str:
        """A whole release, published after those with a lower number. Returns its name."""
        released = [
            ReleasedModel(
                model, version, "binary", "lightgbm", "text", f"models/{model}_v{version}.txt", "", "{}", "{}"
            )
            for model, version in models
        ]
        created = (START + dt.timedelta(minutes=number)).isoformat()
        name = identity(created, False, [], released, {}, {}, "")
        manifest = Manifest(name, created, False, [], released, {}, {}, "", created, "release.duckdb", "")
        folder = self.home / "releases" / name
        (folder / "models").mkdir(parents=True)
        for path in ("release.duckdb", *(model.file for model in released)):
            (folder / path).write_text(path)
        (folder / "manifest.json").write_text(manifest.to_json())
        held: dict[str, list[int]] = {}
        for model, version in models:
            held.setdefault(model, []).append(version)
        self.execute("insert into registry.releases values (?, ?)", (name, held))
        return name

    def point_at(self, release: str) -> None:
        (self.home / "releases" / "current").write_text(f"{release}\n")

    def state(self) -> dict[str, bytes]:
        """Every file but locks and the warehouse."""
        return {
            path.relative_to(self.home).as_posix(): path.read_bytes()
            for path in sorted(self.home.rglob("*"))
            if path.is_file() and path.name != ".lock" and path.suffix != ".duckdb"
        }
