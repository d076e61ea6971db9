"""Events that commands write: a file of JSON lines for each time, under `events/<kind>` of the home folder."""

import datetime as dt
import getpass
import json
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from ml import files


def write_event(kind: str, event: dict[str, Any], logged_at: dt.datetime | None = None) -> dict[str, Any]:
    """Write an event, durably, whole or not at all. logged_at: now, if not given.

    Returns it with its event_id and logged_at, as `read_events` reads it.
    """
    return write_events(kind, [event], logged_at)[0]


def write_events(
    kind: str, events: Sequence[dict[str, Any]], logged_at: dt.datetime | None = None
) -> list[dict[str, Any]]:
    """The same for one or more events, which become one file: all of them are written, or none."""
    moment = logged_at or dt.datetime.now(dt.UTC)
    whole = [{"event_id": uuid.uuid4().hex, "logged_at": moment.isoformat(), **event} for event in events]
    path = files.home() / "events" / kind / f"{moment:%Y%m%dT%H%M%S}-{whole[0]['event_id']}.jsonl"
    files.write_whole(path, "".join(f"{json.dumps(event)}\n" for event in whole).encode())
    return whole


def read_events(kind: str, needed: Mapping[str, type]) -> list[dict[str, Any]]:
    """The events of a kind, each once, in the order of time; their `logged_at` as datetimes.

    needed: fields that make a line an event, with their types; a line that is torn or none is passed over, as in SQL
    (macros/events/is_event.sql).
    """
    found: dict[str, dict[str, Any]] = {}
    for path in sorted((files.home() / "events" / kind).glob("[!.]*.jsonl")):
        for line in path.read_text(errors="replace").splitlines():
            if event := _parse(line, {"event_id": str, **needed}):
                found.setdefault(event["event_id"], event)
    return sorted(found.values(), key=lambda event: (event["logged_at"], event["event_id"]))


def user() -> str:
    """Who runs this command."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        # A container may run as a number without a name.
        return "unknown"


def _parse(line: str, needed: Mapping[str, type]) -> dict[str, Any] | None:
    try:
        event = json.loads(line)
        moment = dt.datetime.fromisoformat(event["logged_at"])
    except (ValueError, TypeError, KeyError):
        return None
    if moment.tzinfo is None or not all(isinstance(event.get(name), kind) for name, kind in needed.items()):
        return None
    return {**event, "logged_at": moment}
