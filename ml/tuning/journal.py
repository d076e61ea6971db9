"""The journal of a model's trials: Optuna's, one file a model, that a kill or a full disk cannot make unreadable."""

import fcntl
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from ml import files
from ml.errors import EiderdownError

if TYPE_CHECKING:
    from optuna.storages import JournalStorage


class SearchIsHeld(EiderdownError):
    """Another process searches for this model."""


def journal_path(model: str) -> Path:
    """Where the trials of a model are, under the home folder."""
    return files.home() / "artifacts" / "tuning" / model / "journal.jsonl"


@contextmanager
def held(model: str) -> Iterator[None]:
    """Be the only one who searches for a model; the hold ends with the process. Raises SearchIsHeld where another does."""
    path = journal_path(model).with_name(".lock")
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise SearchIsHeld(
                f"model {model}: another process searches for its parameters; wait until it ends, or stop it: what is "
                "finished stays."
            ) from None
        yield


def is_held(model: str) -> bool:
    """Whether a process searches for a model now."""
    if not journal_path(model).with_name(".lock").is_file():
        return False
    try:
        with held(model):
            return False
    except SearchIsHeld:
        return True


def open_to_write(model: str) -> "JournalStorage":
    """The journal, to add to. For the one who has the hold: a torn end, left by a kill, is cut off."""
    path = journal_path(model)
    if path.is_file():
        _cut_torn_end(path)
    return _open(path)


def open_to_read(model: str) -> "JournalStorage | None":
    """The journal as it stands, also while another process adds to it; None where there is none."""
    path = journal_path(model)
    return _open(path) if path.is_file() else None


def _open(path: Path) -> "JournalStorage":
    import optuna
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock

    class Held(JournalFileOpenLock):
        """Nothing to do, since `held` keeps others out: Optuna's own lock outlives a killed process by half a minute."""

        def acquire(self) -> bool:
            return True

        def release(self) -> None:
            pass

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return JournalStorage(JournalFileBackend(str(path), lock_obj=Held(str(path))))


def _cut_torn_end(path: Path) -> None:
    """Keep the lines up to the first that is not whole JSON: what follows it, if anything, speaks of what was lost."""
    kept = 0
    with path.open("rb+") as journal:
        for line in journal:
            try:
                json.loads(line)
            except ValueError:
                break
            if not line.endswith(b"\n"):
                break
            kept += len(line)
        journal.truncate(kept)
