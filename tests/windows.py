"""Rolling aggregates in plain Python, from the definition alone."""

import datetime as dt
import math
from fractions import Fraction
from typing import Any


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
