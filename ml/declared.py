"""Checks of what people write in YAML, whose errors name the field, what is wrong and the remedy."""

import difflib
from collections.abc import Iterable
from typing import Any

from ml.errors import DeclarationError


def refuse_unknown(where: str, declared: Any, known: Iterable[str]) -> None:
    """Raise DeclarationError where a declaration is no mapping, or has a field that is not among the known ones."""
    names = list(known)
    if not isinstance(declared, dict):
        raise DeclarationError(f"{where} must be a mapping with the fields {', '.join(names)}.")
    for name in declared:
        if name not in names:
            raise DeclarationError(f"{where} has the unknown field '{name}'.{hint(name, names)}")


def refuse_other(where: str, value: Any, known: Iterable[Any]) -> None:
    """Raise DeclarationError where a value is none of the known ones."""
    values = list(known)
    if value not in values:
        raise DeclarationError(
            f"{where} is '{value}'; it must be one of {', '.join(map(str, values))}.{hint(value, values)}"
        )


def refuse_no_number(
    where: str, value: Any, meaning: str, least: float | None = None, most: float | None = None
) -> None:
    """Raise DeclarationError where a value is no number within bounds, both included. meaning: what it is, for the error."""
    if not is_number(value) or (least is not None and value < least) or (most is not None and value > most):
        low, high = "" if least is None else f" of at least {least}", "" if most is None else f" of at most {most}"
        raise DeclarationError(
            f"{where} is '{value}'; it must be a number{low}{' and' * bool(low and high)}{high}, {meaning}."
        )


def is_number(value: Any) -> bool:
    """Whether a value of YAML or JSON is a number, and not NaN, which compares with nothing."""
    return isinstance(value, int | float) and not isinstance(value, bool) and value == value


def hint(word: Any, known: Iterable[Any]) -> str:
    """' Did you mean …?' where a known word is close, otherwise nothing."""
    close = difflib.get_close_matches(str(word), list(map(str, known)), n=1)
    return f" Did you mean '{close[0]}'?" if close else ""
