"""What nothing names any more under the home folder: found, and removed.

Both under the warehouse's lock and the publisher's, so nobody writes artifacts or releases meanwhile. A server beside it
needs neither lock: what it has mapped or loaded stays readable when the file's name goes (POSIX), and one that is just
loading a release has its name from the pointer, so the current release and the one before it stay.
"""

import dataclasses
from pathlib import Path

import duckdb

from ml import files
from ml.errors import ArtifactError
from ml.housekeeping.old_artifacts import artifacts_of_versions, named_versions, orphans
from ml.housekeeping.old_releases import choose_releases
from ml.registry.history import history


@dataclasses.dataclass(frozen=True)
class Garbage:
    """Something to remove.

    kind: 'release', 'artifact' (of a version), 'orphan' (a file that a killed run wrote and no table names) or 'aside' (what
    one had not put in its place). path: under the home folder. what: in words.
    """

    kind: str
    path: str
    what: str
    size_bytes: int


def find_garbage(connection: duckdb.DuckDBPyConnection, home: Path, keep: int) -> tuple[list[Garbage], list[str]]:
    """What is to go, in the order of removal; and why something that is old is left.

    connection: to the warehouse. keep: how many of the newest releases stay; the current one and the one before it always
    do. Of a model's artifacts stay those of the versions that an alias or a release names, and of the latest ones, which
    the next release will hold. Every recorded state of a dataset stays.
    Raises ReleaseError where the current release cannot be read, WarehouseError where the warehouse is that of another home.
    """
    versions = artifacts_of_versions(connection)
    releases = choose_releases(home / "releases", keep, set(versions))
    named = named_versions(connection, set(versions), releases)
    kept = {path for version in named for path in versions.get(version, ())}
    kept |= {path for (path,) in history(connection, "registry.datasets", "artifact")}
    asides = [path for name in ("artifacts", "releases") for path in files.left_aside(home / name)]
    garbage = [_garbage(home, "aside", path, "left by a killed run") for path in asides]
    garbage += [
        _garbage(home, "release", home / "releases" / old.release, f"published {old.created_at}")
        for old in releases.old
    ]
    whose: dict[str, list[str]] = {}
    for (model, version), paths in sorted(versions.items()):
        for path in paths - kept:
            whose.setdefault(path, []).append(f"{model} version {version}")
    left = list(releases.left)
    for path, owners in whose.items():
        if _is_ours(home, path):
            garbage.append(_garbage(home, "artifact", home / path, ", ".join(owners)))
        elif (home / path).exists():
            left.append(f"{home / path}: leads out of the folder of artifacts; what a link points to is not removed.")
    garbage += [
        _garbage(home, "orphan", home / path, "left by a killed run")
        for path in orphans(connection, home)
        if _is_ours(home, path)
    ]
    return garbage, left


def remove_garbage(home: Path, garbage: list[Garbage]) -> None:
    """Remove what was found, under the same locks. A kill in between leaves whole releases, and the rest for the next time.

    Raises ArtifactError where the disk refuses.
    """
    for found in garbage:
        path = home / found.path
        try:
            if found.kind == "release":
                # Readers find a release whole or not at all. What is aside goes by the next publisher, too.
                moved = files.aside(path)
                path.rename(moved)
                files.sync(path.parent)
                files.remove(moved)
            else:
                files.remove(path)
        except OSError as error:
            raise ArtifactError(
                f"{path}: cannot be removed ({error.strerror}). Mend that, and run this again."
            ) from error


def _garbage(home: Path, kind: str, path: Path, what: str) -> Garbage:
    parts = [path, *path.rglob("*")] if path.is_dir() and not path.is_symlink() else [path]
    size_bytes = sum(part.lstat().st_size for part in parts if not part.is_dir() or part.is_symlink())
    return Garbage(kind, path.relative_to(home).as_posix(), what, size_bytes)


def _is_ours(home: Path, path: str) -> bool:
    """Whether a path under the home folder is a file among the artifacts, with no link and no `..` on the way."""
    file = home.resolve() / path
    return file.is_file() and file.resolve() == file and file.is_relative_to(home.resolve() / "artifacts")
