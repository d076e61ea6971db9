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
