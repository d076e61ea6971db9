"""Models by name for those that ask often: loaded once, and found anew when the registry has changed."""

import functools
from pathlib import Path

from ml import files
from ml.promotion.decision import decisions_folder
from ml.registry.models import kept_models, models_file
from ml.scoring.scorer import Scorer


def kept_scorer(name: str) -> Scorer:
    """The model `<model>` (its champion), `<model>@<version>` or `<model>@<alias>`, loaded.

    Raises DeclarationError where there is none, and ArtifactError where it cannot be read.
    """
    # The file is replaced as a whole, and a decision adds a file to its folder: either has another inode or time then.
    paths = (models_file(), decisions_folder(files.home()))
    return _scorer(name, tuple((str(path), *_state(path)) for path in paths))


@functools.lru_cache(maxsize=16)
def _scorer(name: str, state: tuple[tuple[str, int, int], ...]) -> Scorer:
    return kept_models().find(name).scorer()


def _state(path: Path) -> tuple[int, int]:
    found = path.stat() if path.exists() else None
    return (found.st_ino, found.st_mtime_ns) if found else (0, 0)
