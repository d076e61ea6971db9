"""Rolling aggregates in plain Python, from the definition alone, and the macro, rendered without dbt."""

import datetime as dt
import json
import math
import re
import types
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import jinja2

from tests.conftest import REPOSITORY
from tests.point_in_time import CompilerError


class _Return(Exception):
    """What dbt's return() does: it leaves a macro with a value."""


def package(**others: Any) -> Any:
    """The macros of macros/windows as Python functions. others: what else they are to find under `eiderdown`."""
    environment = jinja2.Environment(extensions=["jinja2.ext.do"])
    macros = types.SimpleNamespace(**others)

    def leave(value: Any) -> None:
        raise _Return(value)

    class Exceptions:
        @staticmethod
        def raise_compiler_error(message: str) -> None:
            raise CompilerError(message)

    def returning(macro: Callable[..., Any]) -> Callable[..., Any]:
        def called(*arguments: Any) -> Any:
            try:
                return macro(*arguments)
            except _Return as left:
                return left.args[0]

        return called

    names = {
        "eiderdown": macros,
        "exceptions": Exceptions,
        "return": leave,
        "modules": types.SimpleNamespace(re=re),
        "tojson": json.dumps,
        "fromjson": json.loads,
    }
    for path in sorted((REPOSITORY / "macros" / "windows").glob("*.sql")):
        for name, macro in vars(environment.from_string(path.read_text(), globals=names).module).items():
            if callable(macro):
                setattr(macros, name, returning(macro))
    return macros


def brute_force(
    events: list[dict[str, Any]], entity: list[str], columns: list[dict[str, Any]]
) -> dict[tuple[Any, ...], dict[str, Any]]:
    """Values by (keys…, event_at, known_at), row by row. columns: {name, kind, of, parameter, length}, `of` a column."""
    found = {}
    keyed = [one for one in events if None not in (*(one[key] for key in entity), one["event_at"], one["known_at"])]
    for key, moment in {(tuple(one[name] for name in entity), one["known_at"]) for one in keyed}:
        known = [one for one in keyed if tuple(one[name] for name in entity) == key and one["known_at"] <= moment]
        newest = max(one["event_at"] for one in known)
        reach = newest - dt.timedelta(microseconds=max(column["length"] for column in columns))
        if not any(one["known_at"] == moment and one["event_at"] >= reach for one in known):
            continue
        found[(*key, newest, moment)] = {
            column["name"]: _aggregate(
                column,
                [one for one in known if one["event_at"] >= newest - dt.timedelta(microseconds=column["length"])],
            )
            for column in columns
        }
    return found


def _aggregate(column: dict[str, Any], events: list[dict[str, Any]]) -> Any:
    kind, of = column["kind"], column["of"]
    if of == "*":
        return len(events)
    latest = sorted(
        ((one["event_at"], one["known_at"], one[of]) for one in events if one[of] is not None), reverse=True
    )
    values = [Fraction(value) for *_, value in latest]
    if kind in ("count", "distinct"):
        return len(values if kind == "count" else set(values))
    if not values:
        return None
    if kind == "last":
        return [float(value) for value in values[: column["parameter"]]]
    if kind == "percentile":
        place = Fraction(column["parameter"]) * (len(values) - 1)
        ordered = sorted(values)
        low, high = ordered[math.floor(place)], ordered[math.ceil(place)]
        return float(low + (high - low) * (place - math.floor(place)))
    mean = sum(values) / len(values)
    if kind == "stddev":
        if len(values) == 1:
            return None
        return math.sqrt(sum((value - mean) ** 2 for value in values) / (len(values) - 1))
    return float({"sum": sum(values), "mean": mean, "min": min(values), "max": max(values)}[kind])
