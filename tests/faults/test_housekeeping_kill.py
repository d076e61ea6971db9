"""`kill -9` at file operations of gc and of restore: releases are whole, a home is complete, absent or as it was.

At some operations in the ordinary run of the tests, the last ones among them; EIDERDOWN_KILLS=100 takes up to a hundred.
"""

import multiprocessing
import os
import random
import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ml.housekeeping.backup import write_backup
from ml.housekeeping.garbage import find_garbage, remove_garbage
from ml.housekeeping.restore import restore_backup
from ml.release.manifest import all_manifests
from ml.warehouse import held, warehouse_file
from tests.made_up_home import MadeUpHome

KILLS = int(os.environ.get("EIDERDOWN_KILLS", "4"))
CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(["ml.housekeeping.garbage", "ml.housekeeping.restore", "tests.made_up_home"])
CHANGING = ("os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.chmod", "os.truncate")


def killed_at(work: Callable[[Path], None], folder: Path, operation: int | None, operations: Any) -> None:
    """Do something in a child, which kills itself at a file operation that changes the folder; count them otherwise."""

    def count(event: str, arguments: tuple[Any, ...]) -> None:
        is_write = event == "open" and isinstance(arguments[1], str) and set(arguments[1]) & set("wax+")
        # What rmtree removes is named within its folder.
        if is_write or event in CHANGING:
            operations.value += 1
            if operations.value == operation:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(count)
    work(folder)


def run(work: Callable[[Path], None], folder: Path, operation: int | None = None) -> int:
    """The count of operations that were done."""
    counter = CONTEXT.Value("i", 0)
    child = CONTEXT.Process(target=killed_at, args=(work, folder, operation, counter))
    child.start()
    child.join()
    assert child.exitcode == (-signal.SIGKILL if operation else 0)
    return int(counter.value)


def some(operations: int) -> list[int]:
    """Where to kill: at the last operations, which put things in their place, and at some before."""
    last = range(max(operations - KILLS // 2, 0) + 1, operations + 1)
    earlier = range(1, last.start)
    return [*random.Random(KILLS).sample(earlier, min(KILLS // 2, len(earlier))), *last]


def collect(folder: Path) -> None:
    with held(warehouse_file(folder / "home")) as warehouse:
        garbage, _ = find_garbage(warehouse.connection, folder / "home", keep=1)
        remove_garbage(folder / "home", garbage)


def restore(folder: Path) -> None:
    restore_backup(folder / "home.tar", folder / "home", True, lambda size: lambda count: None)


def made_up(folder: Path) -> MadeUpHome:
    """Of four releases one is old, and of five versions one has neither alias nor release."""
    made = MadeUpHome(folder / "home", is_file=True)
    made.add_versions("arrivals", [(content, None) for content in "abcde"])
    for number in range(3):
        made.point_at(made.add_release(number, [("arrivals", number + 1)]))
    made.connection.close()
    return made


def names(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.name != ".lock"}


def contents(folder: Path) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() for name in names(folder) if (folder / name).is_file()}


def test_gc_that_is_killed_anywhere_leaves_whole_releases(tmp_path: Path) -> None:
    made = made_up(tmp_path / "made")
    before = {path.name for path in (made.home / "releases").iterdir()}
    undisturbed = tmp_path / "undisturbed"
    shutil.copytree(tmp_path / "made", undisturbed)
    operations = run(collect, undisturbed)
    expected = names(undisturbed)
    assert len(before - {path.name for path in (undisturbed / "home" / "releases").iterdir()}) == 1
    for operation in some(operations):
        trial = tmp_path / str(operation)
        shutil.copytree(tmp_path / "made", trial)
        run(collect, trial, operation)
        manifests, problems = all_manifests(trial / "home" / "releases")
        assert problems == []
        for manifest in manifests:
            assert names(trial / "home" / "releases" / manifest.release) == names(
                made.home / "releases" / manifest.release
            )
        collect(trial)
        assert names(trial) == expected


def back_up(folder: Path, file: Path) -> dict[str, bytes]:
    with held(warehouse_file(folder / "home")) as warehouse:
        write_backup(warehouse, folder / "home", file, False, lambda size: lambda count: None)
    return contents(folder / "home")


@pytest.mark.parametrize("has_old", [False, True])
def test_restore_that_is_killed_anywhere_leaves_no_half_home(has_old: bool, tmp_path: Path) -> None:
    made_up(tmp_path / "made")
    whole = back_up(tmp_path / "made", tmp_path / "home.tar")
    old = {"mine.txt": b"mine"} if has_old else None

    def new_trial(name: str) -> Path:
        (tmp_path / name).mkdir()
        shutil.copy(tmp_path / "home.tar", tmp_path / name)
        if has_old:
            (tmp_path / name / "home").mkdir()
            (tmp_path / name / "home" / "mine.txt").write_text("mine")
        return tmp_path / name

    for operation in some(run(restore, new_trial("undisturbed"))):
        trial = new_trial(str(operation))
        run(restore, trial, operation)
        found = contents(trial / "home") if (trial / "home").exists() else None
        assert found in (whole, old, None)
        restore(trial)
        assert contents(trial / "home") == whole
        assert len(list(trial.rglob("mine.txt"))) == has_old
        assert not list(trial.glob(".aside-*"))
