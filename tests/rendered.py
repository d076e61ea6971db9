"""Macros without dbt: those of some folders of macros as Python functions that return SQL."""

import json
import re
import types
from collections.abc import Callable
from typing import Any

import jinja2

from tests.conftest import REPOSITORY
from tests.point_in_time import CompilerError


class _Return(Exception):
    """What dbt's return() does: it leaves a macro with a value."""


def macros(*places: str, **others: Any) -> Any:
    """places: folders or files under macros. others: what else they are to find under `eiderdown`."""
    environment = jinja2.Environment(extensions=["jinja2.ext.do"])
    found = types.SimpleNamespace(**others)

    def leave(value: Any) -> None:
        raise _Return(value)

    def returning(macro: Callable[..., Any]) -> Callable[..., Any]:
        def called(*arguments: Any, **named: Any) -> Any:
            try:
                return macro(*arguments, **named)
            except _Return as left:
                return left.args[0]

        return called

    class Exceptions:
        @staticmethod
        def raise_compiler_error(message: str) -> None:
            raise CompilerError(message)

    class Adapter:
        @staticmethod
        def dispatch(name: str, _package: str) -> Callable[..., Any]:
            dispatched: Callable[..., Any] = getattr(found, f"default__{name}")
            return dispatched

    names = {
        "eiderdown": found,
        "exceptions": Exceptions,
        "adapter": Adapter,
        "return": leave,
        "modules": types.SimpleNamespace(re=re),
        "tojson": json.dumps,
        "fromjson": json.loads,
    }
    for place in places:
        folder = REPOSITORY / "macros" / place
        for path in [folder] if folder.is_file() else sorted(folder.glob("*.sql")):
            for name, macro in vars(environment.from_string(path.read_text(), globals=names).module).items():
                if callable(macro):
                    setattr(found, name, returning(macro))
    return found
