"""A point-in-time join in plain Python, row by row, from the definition alone; and the macro, rendered without dbt."""

import datetime as dt
from collections.abc import Callable
from typing import Any

from tests.rendered import package

Row = dict[str, Any]


def brute_force(spine: list[Row], at: str, views: list[tuple[dict[str, Any], list[Row]]]) -> list[Row]:
    """The spine with the features of each view, by two clocks and ttl. views: (declaration, rows)."""
    joined = []
    for row in spine:
        answer = dict(row)
        for view, rows in views:
            match = _latest_known(row, at, view, rows)
            status = "present"
            if match is None:
                status = "not_found"
            elif view["ttl"] is not None and row[at] - match[view["event_at"]] > view["ttl_delta"]:
                status = "expired"
            for feature in view["features"]:
                answer[feature] = match[feature] if match is not None and status == "present" else None
            answer[f"{view['view']}_v1_status"] = status
        joined.append(answer)
    return joined


def _latest_known(row: Row, at: str, view: dict[str, Any], rows: list[Row]) -> Row | None:
    if row[at] is None or any(row[key] is None for key in view["entity"]):
        return None
    known = [
        candidate
        for candidate in rows
        if candidate[view["known_at"]] <= row[at] and all(candidate[key] == row[key] for key in view["entity"])
    ]
    return max(known, key=lambda one: (one[view["event_at"]], one[view["known_at"]]), default=None)


def declaration(view: str, entity: list[str], features: list[str], ttl: dt.timedelta | None) -> dict[str, Any]:
    """A declaration as feature_view_declaration() gives it, with the ttl as a timedelta beside it."""
    return {
        "view": view,
        "version": 1,
        "relation": view,
        "entity": entity,
        "event_at": "event_at",
        "known_at": "known_at",
        "ttl": None if ttl is None else f"{int(ttl.total_seconds())} seconds",
        "ttl_delta": ttl,
        "features": dict.fromkeys(features, "double"),
    }


def rendered_macro() -> Callable[..., str]:
    """point_in_time_join() as a Python function that returns SQL."""
    macro: Callable[..., str] = package("datasets/point_in_time").point_in_time_join
    return macro
