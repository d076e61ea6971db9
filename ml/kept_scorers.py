"""Models by name for those that ask often: loaded once, and found anew when the registry has changed."""

import functools

from ml.models import kept_models, models_file
from ml.scorer import Scorer


def kept_scorer(name: str) -> Scorer:
    """The model `<model>` (its champion), `<model>@<version>` or `<model>@<alias>`, loaded.

    Raises DeclarationError where there is none, and ArtifactError where it cannot be read.
    """
    file = models_file()
    found = file.stat() if file.is_file() else None
    # The file is replaced as a whole, so that another one has another inode or time.
    return _scorer(name, str(file), (found.st_ino, found.st_mtime_ns) if found else None)


@functools.lru_cache(maxsize=16)
def _scorer(name: str, file: str, state: tuple[int, int] | None) -> Scorer:
    return kept_models().find(name).scorer()
