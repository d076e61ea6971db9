"""Answers of pure functions that parse SQL, kept: each run asks for the same ones, and the parser is slow to import."""

import functools
import hashlib
import importlib
import importlib.util
from importlib.metadata import version
from pathlib import Path

from ml import files


def kept(module: str, function: str, request: str) -> str:
    """What `function` of `module`, from a text to a text, answers; asked once for a request, its code and sqlglot's version.

    The code is the module's file, or of a module in a package of its own all of the package's.

    The answers lie under `artifacts/kept` of the home folder, which may be removed at any time.
    """
    key = hashlib.sha256("\n".join([_code(module), request]).encode()).hexdigest()
    answer = files.home() / "artifacts" / "kept" / function / key
    if not answer.is_file():
        files.write_whole(answer, getattr(importlib.import_module(module), function)(request).encode())
    return answer.read_text()


@functools.cache
def _code(module: str) -> str:
    """Changes with the module's code and with sqlglot. Read without an import of the module."""
    spec = importlib.util.find_spec(module)
    assert spec is not None and spec.origin is not None
    file = Path(spec.origin)
    read = sorted(file.parent.glob("*.py")) if module.count(".") > 1 else [file]
    return " ".join([version("sqlglot"), *(files.sha256(path) for path in read)])
