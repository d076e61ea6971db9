"""A home to serve from: 100,000 accounts, two feature views, three models and two releases, built by dbt and kept.

`narrow` has 20 features, for the models `quick` (200 trees of 31 leaves) and `heavy` (a network, of which eight rows cost what
one does); `wide` has 50, for `broad` (200 trees). Nothing is computed from the request. The second release knows another
row of each account. Kept under `warehouse/benchmarks/http_serving/home` until what it is made of changes.
"""

import hashlib
import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from ml.release.manifest import FORMAT
from ml.release.place import point_to
from tests.conftest import REPOSITORY, Project

ACCOUNTS = 100_000
VIEWS = {"narrow": 20, "wide": 50}
TIMES = ("2026-01-02T00:00:00Z", "2026-01-04T00:00:00Z")
KEPT = REPOSITORY / "warehouse" / "benchmarks" / "http_serving"
_PROJECT = Path(__file__).parent / "project"
# Explaining the network takes minutes, and no release needs it.
_NOT_NEEDED = ("feature_importance.py", "partial_dependence.py")


@dataclass(frozen=True)
class Home:
    """The folder to give as EIDERDOWN_HOME, and the names of its two releases, oldest first."""

    folder: Path
    releases: tuple[str, str]

    def publish(self, place: int) -> str:
        """Make a release, 0 or 1, the current one. Returns its name."""
        point_to(self.folder / "releases", self.releases[place])
        return self.releases[place]

    def artifact(self, model: str) -> Path:
        """The file of a model in the first release."""
        return next((self.folder / "releases" / self.releases[0] / "models").glob(f"{model}_v*"))


def built() -> Home:
    """The home as it was kept, or built now, which takes a minute or two. Its first release is the current one."""
    stamp = KEPT / f"home-{_made_of()}.json"
    if not stamp.is_file():
        Console().print("Building a home to serve from, once: a minute or two ...")
        for old in KEPT.glob("home-*.json"):
            old.unlink()
        stamp.write_text(json.dumps(_build(KEPT / "home")))
    home = Home(KEPT / "home" / "warehouse", tuple(json.loads(stamp.read_text())))
    home.publish(0)
    return home


def _made_of() -> str:
    """A digest of the project, of how it is built and of the format of releases."""
    sources = [Path(__file__), *sorted(path for path in _PROJECT.rglob("*") if path.is_file())]
    return hashlib.sha256(b"".join([str(FORMAT).encode(), *(path.read_bytes() for path in sources)])).hexdigest()[:16]


def _build(folder: Path) -> list[str]:
    shutil.rmtree(folder, ignore_errors=True)
    registry = REPOSITORY / "tests" / "functional" / "machines" / "models" / "registry"
    shutil.copytree(registry, folder / "models" / "registry", ignore=shutil.ignore_patterns(*_NOT_NEEDED))
    shutil.copytree(_PROJECT, folder, dirs_exist_ok=True)
    packages = folder / "packages.yml"
    packages.write_text(packages.read_text().replace("../../../..", str(REPOSITORY)))
    (folder / "models" / "features" / "features.yml").write_text(json.dumps(_contracts()))
    (folder / "warehouse").mkdir()
    project, releases = Project(folder, "accounts.duckdb"), []
    project.dbt("deps")
    for as_of in TIMES:
        project.dbt("run", "--vars", json.dumps({"as_of": as_of}))
        releases.append((project.home / "releases" / "current").read_text().strip())
    return releases


def _contracts() -> dict[str, Any]:
    """The YAML of the feature views and of the datasets that join them, with a column for each feature."""
    models: list[dict[str, Any]] = []
    for view, count in VIEWS.items():
        features = [_column(f"{view}_{place:02}", "double") for place in range(count)]
        times = [_column(name, "timestamptz") for name in ("event_at", "known_at")]
        declaration = {"entity": ["account"], "event_at": "event_at", "known_at": "known_at", "ttl": "36500 days"}
        models.append(
            {
                "name": view,
                "config": {"meta": {"feature_view": declaration}},
                "constraints": [{"type": "primary_key", "columns": ["account", "event_at", "known_at"]}],
                "columns": [_column("account", "bigint"), *times, *features],
                "versions": [{"v": 1}],
            }
        )
        dataset = {"row_id": "choice", "at": "predicted_at", "request": ["account"], "labels": ["is_bought"]}
        spine = [
            _column("choice", "varchar"),
            _column("account", "bigint", is_given=True),
            _column("predicted_at", "timestamptz", is_given=True),
            _column("is_bought", "boolean", is_given=True),
        ]
        models.append(
            {
                "name": f"{view}_choices",
                "config": {"meta": {"dataset": dataset}},
                "constraints": [{"type": "primary_key", "columns": ["choice"]}],
                "columns": [*spine, *features],
            }
        )
    return {"version": 2, "models": models}


def _column(name: str, kind: str, is_given: bool = False) -> dict[str, Any]:
    return {"name": name, "data_type": kind} | ({"constraints": [{"type": "not_null"}]} if is_given else {})
