"""Answers of pure functions that parse SQL, kept: each run asks for the same ones, and the parser is slow to import."""

import functools
import hashlib
import importlib
from importlib.metadata import version
from pathlib import Path

from ml import files
from ml.digest import digest


def kept(module: str, function: str, request: str) -> str:
    """What `function` of `module`, from a text to a text, answers.

    It is asked once for a request, the code of `ml` and sqlglot's version.
    The answers lie under `artifacts/kept` of the home folder, which may be removed at any time.
    """
    key = hashlib.sha256("\n".join([_code(), request]).encode()).hexdigest()
    answer = files.home() / "artifacts" / "kept" / function / key
    if not answer.is_file():
        files.write_whole(answer, getattr(importlib.import_module(module), function)(request).encode())
    return answer.read_text()


@functools.cache
def _code() -> str:
    """Changes with any file of this package and with sqlglot. Read without an import."""
    folder = Path(__file__).parent
    return digest([version("sqlglot"), *(path.read_text() for path in sorted(folder.rglob("*.py")))])
