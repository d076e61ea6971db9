"""A backup holds the whole home, consistent; what is no whole backup is refused, and nothing is left of it."""

import hashlib
import io
import json
import resource
import subprocess
import sys
import tarfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ml import files
from ml.errors import BackupError, WarehouseError
from ml.housekeeping.archive import CONTENTS, Advance, Contents
from ml.housekeeping.backup import write_backup
from ml.housekeeping.restore import check_backup, restore_backup
from ml.warehouse import held, warehouse_file
from serving.events.event_log import EventLog
from serving.metrics.metrics import Metrics
from tests.made_up_home import MadeUpHome

Member = tuple[tarfile.TarInfo, bytes]


def unseen(size_bytes: int) -> Advance:
    """Progress that nobody looks at."""
    return lambda count: None


def back_up(home: Path, file: Path, force: bool = False, progress: Callable[[int], Advance] = unseen) -> Contents:
    with held(warehouse_file(home)) as warehouse:
        return write_backup(warehouse, home, file, force, progress)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with a bit of everything, to read."""
    made = MadeUpHome(tmp_path_factory.mktemp("made") / "home", is_file=True)
    made.add_versions("arrivals", [("a", "baseline"), ("b", None)])
    made.point_at(made.add_release(0, [("arrivals", 1), ("arrivals", 2)]))
    made.connection.close()
    released = next(made.home.glob("releases/*/release.duckdb"))
    released.chmod(0o444)
    events = made.home / "events" / "predictions"
    events.mkdir(parents=True)
    (events / "none.jsonl").touch()
    (events / "größe.jsonl").write_text('{"event_id": "1"}\n{"event_id": "2"}\n')
    return made.home


@pytest.fixture(scope="module")
def backup(home: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("backup") / "home.tar"
    back_up(home, file)
    return file


def held_files(home: Path) -> dict[str, tuple[bytes, int]]:
    """Content and permissions of each file but the locks."""
    return {
        path.relative_to(home).as_posix(): (path.read_bytes(), path.stat().st_mode)
        for path in home.rglob("*")
        if path.is_file() and path.name != ".lock"
    }


def test_what_is_restored_is_what_was_there(home: Path, backup: Path, tmp_path: Path) -> None:
    contents, moved = restore_backup(backup, tmp_path / "deep" / "home", False, unseen)
    assert moved is None
    assert held_files(tmp_path / "deep" / "home") == held_files(home)
    assert {file.path: file.sha256 for file in contents.files} == {
        name: files.sha256(home / name) for name in held_files(home)
    }
    assert check_backup(backup, unseen) == contents
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["home"]
    with duckdb.connect(str(tmp_path / "deep" / "home" / "made_up.duckdb"), read_only=True) as connection:
        assert connection.execute("select count(*) from registry.model_versions").fetchall() == [(2,)]


def test_what_was_not_yet_checkpointed_is_in_it(tmp_path: Path) -> None:
    made = MadeUpHome(tmp_path / "home", is_file=True)
    made.connection.execute("set checkpoint_threshold = '1 GB'")
    made.execute("create table late as select range as number from range(1000)")
    back_up(made.home, tmp_path / "home.tar")
    restore_backup(tmp_path / "home.tar", tmp_path / "restored", False, unseen)
    with duckdb.connect(str(tmp_path / "restored" / "made_up.duckdb"), read_only=True) as connection:
        assert connection.execute("select sum(number) from late").fetchall() == [(499500,)]
    made.connection.close()


OPEN = "import duckdb, sys; held = duckdb.connect(sys.argv[1])"


def test_the_warehouse_stays_locked_until_the_last_byte(home: Path, tmp_path: Path) -> None:
    """A POSIX lock goes with the first descriptor that is closed."""
    opened: list[int] = []

    def progress(size_bytes: int) -> Advance:
        left = [size_bytes]

        def advance(count: int) -> None:
            left[0] -= count
            if left[0] == 0 and not opened:
                opened.append(
                    subprocess.run([sys.executable, "-c", OPEN, home / "made_up.duckdb"], check=False).returncode
                )

        return advance

    back_up(home, tmp_path / "home.tar", progress=progress)
    assert opened == [1]


@pytest.fixture
def dbt(home: Path) -> Iterator[subprocess.Popen]:
    """A process that holds the warehouse until its standard input ends."""
    command = [sys.executable, "-c", f"{OPEN}; print('held', flush=True); sys.stdin.read()", home / "made_up.duckdb"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None and process.stdin is not None
        process.stdout.readline()
        yield process
        process.stdin.close()


def test_while_dbt_runs(home: Path, backup: Path, dbt: subprocess.Popen, tmp_path: Path) -> None:
    before = held_files(home)
    with pytest.raises(WarehouseError, match="held by another process"):
        back_up(home, tmp_path / "home.tar")
    with pytest.raises(WarehouseError, match="held by another process"):
        restore_backup(backup, home, True, unseen)
    assert held_files(home) == before
    assert list(tmp_path.iterdir()) == []
    assert dbt.stdin is not None
    threading.Timer(0.3, dbt.stdin.close).start()
    with held(warehouse_file(home), wait_seconds=60):
        pass


def test_events_are_cut_at_the_end_of_a_line(home: Path, tmp_path: Path) -> None:
    folder = home / "events" / "predictions"
    torn = folder / "torn.jsonl"
    torn.write_bytes(b'{"event_id": "1"}\n' + b"x" * (1 << 20) + b"y")
    (folder / "line.jsonl").write_text('{"event_id"')
    log, stop = EventLog(folder, Metrics()), threading.Event()

    def write() -> None:
        number = 0
        while not stop.wait(0.0005):
            log.append(json.dumps({"event_id": str(number), "padding": "x" * 10_000}).encode() + b"\n", 1)
            number += 1

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for number in range(3):
            back_up(home, tmp_path / f"{number}.tar")
    finally:
        stop.set()
        writer.join()
        path = log.path
        log.close()
    assert path is not None
    whole = path.read_bytes()
    for number in range(3):
        restored = tmp_path / str(number)
        restore_backup(tmp_path / f"{number}.tar", restored, False, unseen)
        logged = restored / path.relative_to(home)
        assert whole.startswith(logged.read_bytes())
        assert all(json.loads(line)["padding"] for line in logged.read_text().splitlines())
        assert (restored / torn.relative_to(home)).read_bytes() == b'{"event_id": "1"}\n'
        assert (restored / "events/predictions/line.jsonl").read_bytes() == b""
    for written in (torn, folder / "line.jsonl", path):
        written.unlink()


def test_where_a_backup_cannot_be_written(home: Path, backup: Path, tmp_path: Path) -> None:
    with pytest.raises(BackupError, match="is there already"):
        back_up(home, backup)
    with pytest.raises(BackupError, match="lies in the home folder"):
        back_up(home, home / "raw" / "home.tar")
    with pytest.raises(BackupError, match="no such folder"):
        back_up(home, tmp_path / "missing" / "home.tar")
    link = home / "raw" / "link.csv"
    link.symlink_to("/dev/null")
    try:
        with pytest.raises(BackupError, match=r"link.csv: is a link"):
            back_up(home, tmp_path / "home.tar")
    finally:
        link.unlink()
    assert list(tmp_path.iterdir()) == []
    back_up(home, backup, force=True)
    check_backup(backup, unseen)


def test_where_a_backup_cannot_be_restored(home: Path, backup: Path, tmp_path: Path) -> None:
    target = tmp_path / "home"
    target.mkdir()
    restore_backup(backup, target, False, unseen)
    (target / "mine.txt").touch()
    with pytest.raises(BackupError, match="is not empty"):
        restore_backup(backup, target, False, unseen)
    _, moved = restore_backup(backup, target, True, unseen)
    assert moved is not None and (moved / "mine.txt").exists()
    assert held_files(target) == held_files(home)
    assert set(tmp_path.iterdir()) == {target, moved}
    with pytest.raises(BackupError, match="no such file"):
        restore_backup(tmp_path / "missing.tar", target, True, unseen)


def rewrite(backup: Path, file: Path, change: Callable[[list[Member]], list[Member]]) -> None:
    """The same archive, with its members changed."""
    with tarfile.open(backup) as archive:
        members = [(info, archive.extractfile(info).read()) for info in archive]  # type: ignore[union-attr]
    with tarfile.open(file, "w", format=tarfile.PAX_FORMAT) as archive:
        for info, content in change(members):
            archive.addfile(info, io.BytesIO(content))


def named(name: str, kind: bytes = tarfile.REGTYPE, content: bytes = b"") -> Member:
    info = tarfile.TarInfo(name)
    info.type, info.size, info.linkname = kind, len(content), "/etc/passwd" if kind == tarfile.SYMTYPE else ""
    return info, content


def claiming(members: list[Member], name: str, kind: bytes = tarfile.REGTYPE) -> list[Member]:
    """The contents name one more file, which is there."""
    contents = json.loads(members[0][1])
    contents["files"].append({"path": name, "size": 0, "mode": 0o644, "sha256": hashlib.sha256().hexdigest()})
    return [named(CONTENTS, content=json.dumps(contents).encode()), *members[1:], named(name, kind)]


CHANGES: dict[str, Callable[[list[Member]], list[Member]]] = {
    "a missing member": lambda members: members[:-1],
    "another order": lambda members: [members[0], *reversed(members[1:])],
    "an added member": lambda members: [*members, named("raw/added.csv")],
    "no contents": lambda members: members[1:],
    "contents twice": lambda members: [members[0], *members],
    "contents of another format": lambda members: [named(CONTENTS, content=b'{"format": 2}'), *members[1:]],
    "contents that are a list": lambda members: [named(CONTENTS, content=b"[]"), *members[1:]],
    "a path above": lambda members: claiming(members, "../above.txt"),
    "a path above, within": lambda members: claiming(members, "raw/../../above.txt"),
    "an absolute path": lambda members: claiming(members, "/tmp/eiderdown-absolute.txt"),
    "a file twice": lambda members: claiming(members, "raw/clock.csv"),
    "a file as a folder": lambda members: claiming(members, "raw/clock.csv/file"),
    "a path with a dot": lambda members: claiming(members, "raw/./file"),
    "a link": lambda members: claiming(members, "raw/link", tarfile.SYMTYPE),
    "a hard link": lambda members: claiming(members, "raw/link", tarfile.LNKTYPE),
    "a device": lambda members: claiming(members, "raw/device", tarfile.CHRTYPE),
    "a folder": lambda members: claiming(members, "raw/folder", tarfile.DIRTYPE),
}


@pytest.mark.parametrize("change", CHANGES)
def test_an_archive_that_was_made_up_is_refused(change: str, backup: Path, tmp_path: Path) -> None:
    file = tmp_path / "altered.tar"
    rewrite(backup, file, CHANGES[change])
    with pytest.raises(BackupError, match=r"altered\.tar"):
        restore_backup(file, tmp_path / "home", False, unseen)
    assert [path.name for path in tmp_path.iterdir()] == ["altered.tar"]
    assert not Path("/tmp/eiderdown-absolute.txt").exists()


def test_an_archive_that_was_rewritten_as_it_was_is_none_the_worse(backup: Path, tmp_path: Path) -> None:
    """So it is the changes above that are refused, and not the rewriting."""
    rewrite(backup, tmp_path / "same.tar", lambda members: members)
    check_backup(tmp_path / "same.tar", unseen)


@given(data=st.data())
@settings(max_examples=40)
def test_altered_bytes_are_refused_or_mean_nothing(
    data: st.DataObject, home: Path, backup: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """The end of a block behind a file's last byte is all that can change unseen."""
    folder = tmp_path_factory.mktemp("altered")
    content = bytearray(backup.read_bytes())
    small = content.find(b"duckdb")
    place = data.draw(st.integers(0, len(content) - 1) | st.integers(0, small + 8192).map(lambda at: at % len(content)))
    content[place] ^= data.draw(st.integers(1, 255))
    (folder / "altered.tar").write_bytes(content)
    try:
        restore_backup(folder / "altered.tar", folder / "home", False, unseen)
    except BackupError:
        assert [path.name for path in folder.iterdir()] == ["altered.tar"]
    else:
        assert {name: found[0] for name, found in held_files(folder / "home").items()} == {
            name: found[0] for name, found in held_files(home).items()
        }


@given(data=st.data())
@settings(max_examples=15)
def test_a_cut_archive_is_refused(data: st.DataObject, backup: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("cut")
    content = backup.read_bytes()
    length = data.draw(st.integers(0, len(content) - 1) | st.integers(len(content) - 11_000, len(content) - 1))
    (folder / "cut.tar").write_bytes(content[:length])
    with pytest.raises(BackupError):
        restore_backup(folder / "cut.tar", folder / "home", False, unseen)
    assert [path.name for path in folder.iterdir()] == ["cut.tar"]


def test_a_full_disk_leaves_nothing_behind(home: Path, backup: Path, tmp_path: Path) -> None:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, ((home / "made_up.duckdb").stat().st_size - 1, before[1]))
    try:
        with pytest.raises(BackupError, match=r"could not be written.*File too large"):
            back_up(home, tmp_path / "home.tar")
        with pytest.raises(BackupError, match=r"could not be restored.*File too large"):
            restore_backup(backup, tmp_path / "home", False, unseen)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert list(tmp_path.iterdir()) == []
