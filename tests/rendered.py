"""Macros of this package, rendered without dbt."""

import json
import re
import types
from collections.abc import Callable
from typing import Any

import jinja2

from tests.conftest import REPOSITORY


class CompilerError(Exception):
    """What exceptions.raise_compiler_error raises."""


class _Return(Exception):
    """What dbt's return() does: it leaves a macro with a value."""


class _Exceptions:
    @staticmethod
    def raise_compiler_error(message: str) -> None:
        raise CompilerError(message)


def package(*files: str, context: dict[str, Any] | None = None, **others: Any) -> Any:
    """Macros as Python functions, of dispatching ones the default.

    files: patterns below macros/, such as `metrics/*`. context: what dbt puts beside them, such as `this`; its `adapter` holds
    methods by name. others: what else they are to find under `eiderdown`.
    """
    context = context or {}
    environment = jinja2.Environment(extensions=["jinja2.ext.do"])
    macros = types.SimpleNamespace(**others)

    def leave(value: Any) -> None:
        raise _Return(value)

    def returning(macro: Callable[..., Any]) -> Callable[..., Any]:
        def called(*arguments: Any, **named: Any) -> Any:
            try:
                return macro(*arguments, **named)
            except _Return as left:
                return left.args[0]

        return called

    def dispatch(name: str, _package: str) -> Callable[..., Any]:
        found: Callable[..., Any] = getattr(macros, f"default__{name}")
        return found

    names = {
        "eiderdown": macros,
        "exceptions": _Exceptions,
        "adapter": types.SimpleNamespace(dispatch=dispatch, quote='"{}"'.format, **context.get("adapter", {})),
        "return": leave,
        "modules": types.SimpleNamespace(re=re),
        "tojson": json.dumps,
        "fromjson": json.loads,
    }
    names = context | names
    for pattern in files:
        for path in sorted((REPOSITORY / "macros").glob(f"{pattern}.sql")):
            for name, macro in vars(environment.from_string(path.read_text(), globals=names).module).items():
                if callable(macro):
                    setattr(macros, name, returning(macro))
    return macros
