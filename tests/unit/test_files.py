"""Files appear whole or not at all."""

from pathlib import Path

import pytest

from ml import files
from ml.errors import ArtifactError


def test_a_write_that_fails_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    final = tmp_path / "pointer"
    files.write_whole(final, b"old")

    def fail(path: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files, "sync", fail)
    with pytest.raises(OSError, match="No space left"):
        files.write_whole(final, b"new")
    assert final.read_bytes() == b"old"


def test_read_checked(tmp_path: Path) -> None:
    sha256 = files.write_whole(tmp_path / "a", b"content")
    assert files.read_checked(tmp_path / "a", sha256) == b"content"
    (tmp_path / "a").write_bytes(b"Content")
    with pytest.raises(ArtifactError, match="altered or torn"):
        files.read_checked(tmp_path / "a", sha256)
    with pytest.raises(ArtifactError, match="cannot be read"):
        files.read_checked(tmp_path / "missing", sha256)


def test_only_what_was_noted_for_a_table_and_is_not_registered_goes(tmp_path: Path) -> None:
    for owner, name in (("mine", "kept"), ("mine", "orphan"), ("mine", "never written"), ("another", "theirs")):
        files.note_unregistered(tmp_path / name, owner)
        if name != "never written":
            (tmp_path / name).touch()
    with (tmp_path / ".unregistered").open("a") as notes:
        notes.write('\n["mine", "torn')
    (tmp_path / "torn").touch()
    (tmp_path / "somebody's").touch()
    for _ in range(2):
        files.drop_unregistered(tmp_path, "mine", ["artifacts/models/m/kept"])
        names = {path.name for path in tmp_path.iterdir()}
        assert names == {"kept", "theirs", "torn", "somebody's", ".unregistered"}
    files.drop_unregistered(tmp_path, "another", [])
    assert {path.name for path in tmp_path.iterdir()} == {"kept", "torn", "somebody's"}


def test_what_a_killed_writer_left_aside_is_swept(tmp_path: Path) -> None:
    files.aside(tmp_path / "deep" / "file").touch()
    files.aside(tmp_path / "folder").mkdir()
    (tmp_path / "whole").touch()
    files.sweep(tmp_path)
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["deep", "whole"]
