"""The fingerprint of the code that trains, so that a change of it trains anew."""

import ast
import functools
import importlib.util
import threading
from pathlib import Path

from ml.digest import digest
from ml.estimators import ESTIMATORS

_PARSING = threading.Lock()

# What shapes a trained artifact: a change in one of these trains anew, a change elsewhere does not.
TRAINING_CODE = (
    "ml.training.data",
    "ml.training.probabilities",
    "ml.scoring.matrix",
    "ml.training.split",
    "ml.training.threshold",
    "ml.estimators.base",
    "ml.estimators.soft_targets",
)


@functools.cache
def code_fingerprint(estimator: str) -> str:
    """The fingerprint of the code that trains."""
    modules = [*TRAINING_CODE, ESTIMATORS[estimator].__module__, *ESTIMATORS[estimator].code]
    return syntax_digest(tuple(modules))


@functools.cache
def syntax_digest(modules: tuple[str, ...]) -> str:
    """What tells apart other code of modules than this: by syntax trees, so that comments, docstrings and layout do not count."""
    return digest([_syntax(_source(module)) for module in modules])


def _source(module: str) -> str:
    # Without an import: a run that trains nothing need not wait for the library that a module trains with.
    spec = importlib.util.find_spec(module)
    assert spec is not None and spec.origin is not None, f"{module} is a file of the platform or of an estimator"
    return Path(spec.origin).read_text()


def _syntax(source: str) -> str:
    # CPython 3.11 ends two ast.parse at once, in two of dbt's threads, in a SystemError.
    with _PARSING:
        tree = ast.parse(source)
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if (
            isinstance(body, list)
            and body
            and isinstance(body[0], ast.Expr)
            and isinstance(body[0].value, ast.Constant)
        ):
            body.pop(0)
    return ast.dump(tree)
