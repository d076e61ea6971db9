"""Macros of the package rendered without dbt, as Python functions that return SQL."""

import types
from collections.abc import Callable
from typing import Any

import jinja2

from tests.conftest import REPOSITORY
from tests.point_in_time import CompilerError


class _Return(Exception):
    """What dbt's return() does: it leaves a macro with a value."""


def package(*files: str) -> Any:
    """The macros of files under macros/, such as 'monitoring/alert_life.sql'. What asks dbt or a warehouse cannot be called."""
    environment = jinja2.Environment(extensions=["jinja2.ext.do"])
    macros = types.SimpleNamespace()

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
            found: Callable[..., Any] = getattr(macros, f"default__{name}")
            return found

    names = {"eiderdown": macros, "exceptions": Exceptions, "adapter": Adapter, "return": leave}
    for file in files:
        text = (REPOSITORY / "macros" / file).read_text()
        for name, macro in vars(environment.from_string(text, globals=names).module).items():
            if callable(macro):
                setattr(macros, name, returning(macro))
    return macros
