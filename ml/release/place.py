"""Putting a written release in its place, under the publisher's lock."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb

from ml import files
from ml.errors import ReleaseError
from ml.release.lock import publisher_lock
from ml.release.manifest import ReleasedModel, check_files, current_release, read_manifest
from ml.scoring.canary import check_in_child


@contextmanager
def publishing(folder: Path) -> Iterator[Path]:
    """Hold the publisher's lock of a releases folder and give a place to write a release aside.

    What is left there goes at the end, as does what a killed publisher left. Raises ReleaseError where the disk refuses.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with publisher_lock(folder):
        files.sweep(folder)
        try:
            yield files.aside(folder / "release")
        except (OSError, duckdb.IOException) as error:
            raise ReleaseError(
                f"{folder}: the release could not be written ({error}). Mend the disk or make room, and run this again; "
                "the release before it goes on serving."
            ) from error
        finally:
            files.sweep(folder)


def check_models(written: Path, models: list[ReleasedModel]) -> None:
    """Try models of a written release on their canaries, each in a child. Raises ArtifactError for one that fails."""
    for model in models:
        path = written / model.file
        check_in_child(model.name, path, model.artifact_format, model.sha256, model.signature, model.canary)


def is_whole(folder: Path) -> bool:
    """Whether a release is there and every file of it is as it was published."""
    try:
        check_files(folder, read_manifest(folder))
    except ReleaseError:
        return False
    return True


def put_in_place(written: Path, final: Path) -> None:
    """Rename a written release, with its manifest, to its name: durably, and with files that nobody writes."""
    for path in [*written.rglob("*"), written]:
        if path.is_file():
            path.chmod(0o444)
        files.sync(path)
    if final.exists():
        # A damaged one: a folder cannot be renamed onto another. What is moved aside is swept.
        final.rename(files.aside(final))
    files.adopt(written, final)


def point_to(folder: Path, name: str) -> None:
    """Make a release the current one."""
    try:
        if current_release(folder) == name:
            return
    except ReleaseError:
        pass
    files.write_whole(folder / "current", f"{name}\n".encode())
