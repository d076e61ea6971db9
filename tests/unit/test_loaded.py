"""What a release shares with the one before it is checked and loaded once; what differs is not shared."""

import gc
import hashlib
import os
from pathlib import Path

import pytest

from ml import files
from ml.errors import ReleaseError
from serving.releases.loaded import LoadedParts


class Part:
    """Something loaded."""

    def __init__(self, path: Path) -> None:
        self.content = path.read_bytes()


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The files that were hashed."""
    hashed: list[Path] = []

    def sha256(path: Path) -> str:
        hashed.append(path)
        return hashlib.sha256(path.read_bytes()).hexdigest()

    monkeypatch.setattr(files, "sha256", sha256)
    return hashed


def test_the_same_content_is_loaded_once_and_a_linked_file_read_once(tmp_path: Path, read: list[Path]) -> None:
    parts = LoadedParts()
    first, link, copy = (tmp_path / name / "rows" for name in ("r1", "r2", "r3"))
    for path in (first, link, copy):
        path.parent.mkdir()
    first.write_bytes(b"rows")
    sha256 = hashlib.sha256(b"rows").hexdigest()
    part = parts.part(sha256, first, Part)
    os.link(first, link)
    assert parts.part(sha256, link, Part) is part
    copy.write_bytes(b"rows")
    assert parts.part(sha256, copy, Part) is part
    assert read == [first, copy]
    assert parts.part(sha256, copy, Part, "another signature") is not part
    parts.forget_others(tmp_path / "r2")
    assert parts.part(sha256, link, Part) is part
    assert read == [first, copy]
    assert parts.part(sha256, copy, Part) is part
    assert read == [first, copy, copy]


def test_an_altered_file_is_refused_though_its_content_is_loaded(tmp_path: Path) -> None:
    parts = LoadedParts()
    path = tmp_path / "rows"
    path.write_bytes(b"rows")
    sha256 = hashlib.sha256(b"rows").hexdigest()
    part = parts.part(sha256, path, Part)
    path.write_bytes(b"rowz")
    os.utime(path, ns=(1, 1))
    with pytest.raises(ReleaseError, match="altered"):
        parts.part(sha256, path, Part)
    path.unlink()
    with pytest.raises(ReleaseError, match="missing"):
        parts.part(sha256, path, Part)
    assert part.content == b"rows"


def test_a_part_goes_with_the_releases_that_hold_it(tmp_path: Path) -> None:
    parts = LoadedParts()
    path = tmp_path / "rows"
    path.write_bytes(b"rows")
    sha256 = hashlib.sha256(b"rows").hexdigest()
    mark = parts.part(sha256, path, Part).content
    gc.collect()
    assert parts.part(sha256, path, Part).content is not mark
