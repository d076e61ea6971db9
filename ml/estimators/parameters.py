"""The parameters of an estimator as it declares them, and the check of what a model's YAML gives."""

import difflib
from dataclasses import dataclass
from typing import Any

from ml.errors import DeclarationError


@dataclass(frozen=True)
class Number:
    """A number from `low` to `high`, both included; `whole` takes integers alone, `optional` takes null too."""

    default: float | None
    low: float
    high: float
    whole: bool = False
    optional: bool = False

    def problem(self, value: Any) -> str | None:
        """What is wrong with a value, or None."""
        if value is None and self.optional:
            return None
        kinds = (int,) if self.whole else (int, float)
        if isinstance(value, bool) or not isinstance(value, kinds) or not self.low <= value <= self.high:
            kind = "a whole number" if self.whole else "a number"
            # PyYAML reads 1e-3 as text, after YAML 1.1.
            remedy = " Write it out, such as 0.001: YAML takes 1e-3 for text." if isinstance(value, str) else ""
            return f"must be {kind} from {self.low:g} to {self.high:g}.{remedy}"
        return None


@dataclass(frozen=True)
class Choice:
    """One of some words."""

    default: str
    choices: tuple[str, ...]

    def problem(self, value: Any) -> str | None:
        """What is wrong with a value, or None."""
        return None if value in self.choices else f"must be one of {', '.join(self.choices)}."


@dataclass(frozen=True)
class Sizes:
    """A list of at most `most` whole numbers from 1 to `high`."""

    default: tuple[int, ...]
    most: int
    high: int

    def problem(self, value: Any) -> str | None:
        """What is wrong with a value, or None."""
        entry = Number(default=1, low=1, high=self.high, whole=True)
        if not isinstance(value, list) or len(value) > self.most or any(entry.problem(size) for size in value):
            return f"must be a list of at most {self.most} whole numbers from 1 to {self.high}, such as [128, 64]."
        return None


Parameter = Number | Choice | Sizes


def check(estimator: str, known: dict[str, Parameter], declared: dict[str, Any]) -> None:
    """Raise DeclarationError where a declared parameter is unknown or its value cannot be.

    >>> check("linear", {"l2": Number(1.0, low=0, high=10)}, {"L2": 3})
    Traceback (most recent call last):
    ml.errors.DeclarationError: parameters.L2: linear has no such parameter. Did you mean 'l2'?
    """
    for name, value in declared.items():
        if name not in known:
            close = difflib.get_close_matches(name.lower(), known, n=1)
            hint = f"Did you mean '{close[0]}'?" if close else f"It has {', '.join(known)}."
            raise DeclarationError(f"parameters.{name}: {estimator} has no such parameter. {hint}")
        if problem := known[name].problem(value):
            raise DeclarationError(f"parameters.{name} of {estimator} is {value!r}; it {problem}")


def complete(known: dict[str, Parameter], declared: dict[str, Any]) -> dict[str, Any]:
    """The declared parameters, with the defaults of those that are not declared."""
    defaults = {
        name: list(parameter.default) if isinstance(parameter, Sizes) else parameter.default
        for name, parameter in known.items()
    }
    return {**defaults, **declared}
