"""Delivery of alerts: each that opened, and each that was resolved, once to each place, or again until it got there."""

import datetime as dt
import fcntl
import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from ml import files
from ml.alerts.state import Alert, Alerts
from ml.errors import EiderdownError

ATTEMPTS = 4
FIRST_WAIT_SECONDS = 1.0
RECORD = "delivered.jsonl"
TIMEOUT_SECONDS = 10.0


class DeliveryError(EiderdownError):
    """An alert that a place did not take. is_passing: whether it may take it if it is asked again."""

    def __init__(self, text: str, is_passing: bool) -> None:
        super().__init__(text)
        self.is_passing = is_passing


@dataclass(frozen=True)
class Delivered:
    """What came of a delivery to a place: how many notices it took, what it did not take, and why."""

    place: str
    count: int
    left: int
    problem: str | None


def deliver(alerts: Alerts, wait: Callable[[float], object] = time.sleep) -> list[Delivered]:
    """Send each place what it has not had: alerts that opened, and alerts that were resolved, in the order of time.

    What a place took is recorded durably after it took it, so a kill sends at most one notice twice, with the same
    Idempotency-Key. What it did not take is sent the next time. A place that is new begins with what is open.
    wait: what waits between attempts.
    """
    with _lock(files.home() / "alerts"):
        return [_deliver_to(place, alerts.alerts, wait) for place in alerts.deliver]


def _deliver_to(place: dict[str, Any], alerts: list[Alert], wait: Callable[[float], object]) -> Delivered:
    folder = files.home() / "alerts"
    record, name, url = folder / RECORD, _name(place), None
    if "url_env" in place and not (url := os.environ.get(place["url_env"])):
        return Delivered(name, 0, 0, f"the environment variable {place['url_env']} is not set: nothing is sent there")
    due = [_notice(alert) for alert in alerts if place["min_severity"] in ("warning", alert["severity"])]
    taken = _keys(record, name)
    if taken is None:
        taken = {notice["key"] for notice in due if notice["event"] == "resolved"}
        _append(record, {"place": name, "begun_at": _now(), "keys": sorted(taken)})
    if "file" in place:
        # The file is its own record, so that a kill doubles no line.
        taken |= _keys(folder / place["file"], None) or set()
    due = [notice for notice in due if notice["key"] not in taken]
    for number, notice in enumerate(due):
        try:
            if url is None:
                _append(folder / place["file"], notice)
            else:
                _try(partial(_post, url, notice, place["url_env"]), wait)
                _append(record, {"place": name, "delivered_at": _now(), "keys": [notice["key"]]})
        except (DeliveryError, OSError) as error:
            return Delivered(name, number, len(due) - number, str(error))
    return Delivered(name, len(due), 0, None)


def _notice(alert: Alert) -> dict[str, Any]:
    event = "resolved" if alert["resolved_at"] else "opened"
    said = f"{alert['severity']} {event}: {alert['subject']}: {alert['text']}"
    return {"key": f"{alert['alert']}-{event}", "event": event, "text": said, "alert": alert}


def _name(place: dict[str, Any]) -> str:
    return str(place["file"]) if "file" in place else f"webhook ${place['url_env']}"


def _post(url: str, notice: dict[str, Any], variable: str) -> None:
    """One POST. The URL is in no message: it may hold a secret."""
    # Here, since it takes long to import, which no other command needs.
    import httpx

    body = {name: value for name, value in notice.items() if name != "key"}
    try:
        answer = httpx.post(url, json=body, headers={"Idempotency-Key": notice["key"]}, timeout=TIMEOUT_SECONDS)
    except (httpx.InvalidURL, httpx.UnsupportedProtocol) as error:
        raise DeliveryError(f"${variable} holds no URL of a webhook ({type(error).__name__}); set it.", False) from None
    except httpx.HTTPError as error:
        raise DeliveryError(f"the webhook of ${variable} does not answer ({type(error).__name__}).", True) from None
    if not answer.is_success:
        is_passing = answer.status_code >= 500 or answer.status_code in (408, 429)
        raise DeliveryError(f"the webhook of ${variable} answered {answer.status_code}.", is_passing)


def _try(send: Callable[[], None], wait: Callable[[float], object]) -> None:
    for attempt in range(ATTEMPTS):
        try:
            return send()
        except DeliveryError as error:
            if not error.is_passing or attempt == ATTEMPTS - 1:
                raise
        wait(FIRST_WAIT_SECONDS * 2**attempt)
    return None


def _keys(record: Path, place: str | None) -> set[str] | None:
    """The keys in a file, those of a place if one is named; None where it has had nothing."""
    found: set[str] | None = None
    for line in record.read_text(errors="replace").splitlines() if record.is_file() else []:
        try:
            stored = json.loads(line)
            if place is None or stored["place"] == place:
                found = (found or set()) | set(stored["keys"] if "keys" in stored else [stored["key"]])
        except (ValueError, TypeError, KeyError):
            # A line that a kill tore: what it was of is sent again.
            continue
    return found


def _append(record: Path, line: dict[str, Any]) -> None:
    """Add a line, durably. What a kill tore off before it is ended by a newline."""
    record.parent.mkdir(parents=True, exist_ok=True)
    with record.open("ab") as opened:
        is_torn = False
        if opened.tell():
            with record.open("rb") as read:
                read.seek(-1, os.SEEK_END)
                is_torn = read.read() != b"\n"
        opened.write(b"\n" * is_torn + json.dumps(line).encode() + b"\n")
        opened.flush()
        os.fsync(opened.fileno())
    files.sync(record.parent)


@contextmanager
def _lock(folder: Path) -> Iterator[None]:
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _now() -> str:
    return dt.datetime.now(dt.UTC).isoformat()
