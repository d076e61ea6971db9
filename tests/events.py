"""Made-up event files in the formats that servers write, and what is in them by brute force: every line, one by one."""

import datetime as dt
import json
import random
import uuid
from collections import defaultdict
from pathlib import Path
from typing import Any

START = dt.datetime(2024, 6, 1, tzinfo=dt.UTC)
NO_EVENTS = (
    b"null\n",
    b"[1, 2]\n",
    b'{"event_id": "x"\n',
    b'{"some": "thing"}\n',
    b"\x00\x00\x00\n",
    b'{"request_id": "\xff"}\n',
)


class EventWriter:
    """Appends made-up events to files under a home folder, as several servers would."""

    def __init__(self, home: Path, seed: int) -> None:
        self.events = home / "events"
        self._random = random.Random(seed)
        self._written: dict[str, list[dict[str, Any]]] = defaultdict(list)

    def write(self, kind: str, file: int, count: int) -> None:
        """Append events of a kind to one of its files, with lines between them that are none, and at times said again."""
        for _ in range(count):
            if self._written[kind] and self._random.random() < 0.2:
                event = self._random.choice(self._written[kind])
            else:
                event = {"predictions": self.prediction, "feedback": self._feedback, "pushes": self._push}[kind]()
                self._written[kind].append(event)
            self.append(kind, file, json.dumps(event).encode() + b"\n")
            if self._random.random() < 0.2:
                self.append(kind, file, self._random.choice(NO_EVENTS))

    def append(self, kind: str, file: int, content: bytes) -> None:
        """Append bytes to a file."""
        folder = self.events / kind
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / f"20240601T000000-{file:032x}.jsonl").open("ab") as opened:
            opened.write(content)

    def push(self, file: int, view: str, row: dict[str, Any], version: int = 1) -> None:
        """Append a row that was pushed to a view."""
        event = {"event_id": self._id(), "logged_at": self._time(), "view": view, "version": version, "row": row}
        self.append("pushes", file, json.dumps(event).encode() + b"\n")

    def _id(self) -> str:
        return uuid.UUID(int=self._random.getrandbits(128)).hex

    def _time(self) -> str:
        moment = START + dt.timedelta(microseconds=self._random.randrange(10**12))
        return moment.isoformat().replace("+00:00", "Z")

    def prediction(self) -> dict[str, Any]:
        """The event of a request."""
        count = self._random.randrange(1, 4)
        times = [self._time() for _ in range(count)]
        numbers = [self._random.random() for _ in range(count)]
        event = {
            "request_id": self._id(),
            "logged_at": self._time(),
            "model": "will_stop",
            "version": 1,
            "release": "abc",
            "predicted_at": times,
            "fields": ["machine_id", 'a "text"'],
            "instances": [[9007199254740993 + place, 'ü "quoted"\n'] for place in range(count)],
            "names": ["temperature", "decimal", "nothing", "list"],
            "features": [[number, "1.50", None, [1, None]] for number in numbers],
        }
        if self._random.random() < 0.3:
            event["missing"] = [["machine_health"] if place else [] for place in range(count)]
        if self._random.random() < 0.3:
            event |= {"classes": ["hot", "cold"], "probabilities": [[0.25, 0.75]] * count, "class": ["cold"] * count}
        else:
            event["score"] = numbers
            if self._random.random() < 0.5:
                event["label"] = [number > 0.5 for number in numbers]
        if count == 3:
            # A part of a request, as those of big batches are logged.
            event["places"] = [5, 3, 4]
        if self._random.random() < 0.1:
            event["features"] = [*event["features"][1:], [1.0]]  # Not as many values as names: no event.
        return event

    def parts(self, places: list[list[int]]) -> list[dict[str, Any]]:
        """The events of a request that is logged in parts, with the places of each."""
        whole = {
            "request_id": self._id(),
            "logged_at": self._time(),
            "model": "will_stop",
            "version": 1,
            "release": "abc",
        }
        return [
            whole
            | {"places": part, "predicted_at": [self._time() for _ in part], "fields": ["machine_id"]}
            | {"instances": [[place] for place in part], "names": [], "features": [[] for _ in part]}
            | {"score": [place / 7 for place in part]}
            for part in places
        ]

    def _feedback(self) -> dict[str, Any]:
        request, instance = f"request {self._random.randrange(6)}", self._random.randrange(2)
        outcome = self._random.choice([True, False, 24.5, "hot"])
        day = START + dt.timedelta(days=self._random.randrange(3))
        return {
            "event_id": f"{request}|{instance}|{outcome}",
            "logged_at": self._time(),
            "model": "will_stop",
            "request_id": request,
            "instance": instance,
            "outcome": outcome,
            "observed_at": day.isoformat().replace("+00:00", "Z"),
        }

    def _push(self) -> dict[str, Any]:
        row = {"machine_id": self._random.randrange(5), "temperature": self._random.random()}
        return {"event_id": self._id(), "logged_at": self._time(), "view": "other", "version": 1, "row": row}


def _lines(home: Path, kind: str) -> list[tuple[str, Any]]:
    """File name and value of each line; None where it is not whole JSON."""
    lines = []
    for path in sorted((home / "events" / kind).glob("*.jsonl")):
        for line in path.read_bytes().split(b"\n"):
            if line:
                try:
                    lines.append((path.name, json.loads(line)))
                except ValueError:
                    lines.append((path.name, None))
    return lines


def _is_event(kind: str, value: Any) -> bool:
    if not isinstance(value, dict):
        return False
    if kind == "predictions":
        return "request_id" in value and all(len(row) == len(value["names"]) for row in value["features"])
    return "logged_at" in value


def predictions(home: Path) -> dict[str, tuple[Any, ...]]:
    """By event id: (instance, features, missing, score, label, probabilities, class), JSON as Python values."""
    found: dict[str, tuple[Any, ...]] = {}
    for _, value in _lines(home, "predictions"):
        if not _is_event("predictions", value):
            continue
        for place in range(len(value["predicted_at"])):
            one = {name: value[name][place] for name in ("missing", "score", "label", "class") if name in value}
            found[f"{value['request_id']}-{value.get('places', range(place + 1))[place]}"] = (
                dict(zip(value["fields"], value["instances"][place], strict=True)),
                dict(zip(value["names"], value["features"][place], strict=True)),
                one.get("missing", []),
                one.get("score"),
                one.get("label"),
                dict(zip(value["classes"], value["probabilities"][place], strict=True)) if "classes" in value else None,
                one.get("class"),
            )
    return found


def feedback(home: Path) -> dict[tuple[str, int], tuple[str, int]]:
    """By (request, instance): the text of the outcome that stands, and how many were said."""
    said: dict[tuple[str, int], dict[str, dict[str, Any]]] = defaultdict(dict)
    for _, value in _lines(home, "feedback"):
        if _is_event("feedback", value):
            outcomes = said[value["request_id"], value["instance"]]
            first = outcomes.get(value["event_id"])
            if first is None or dt.datetime.fromisoformat(value["logged_at"]) < dt.datetime.fromisoformat(
                first["logged_at"]
            ):
                outcomes[value["event_id"]] = value
    stands = {}
    for key, outcomes in said.items():
        latest = max(value["observed_at"] for value in outcomes.values())
        standing = min(
            (value for value in outcomes.values() if value["observed_at"] == latest),
            key=lambda value: dt.datetime.fromisoformat(value["logged_at"]),
        )
        text = standing["outcome"] if isinstance(standing["outcome"], str) else json.dumps(standing["outcome"])
        stands[key] = (text, len(outcomes))
    return stands


def pushes(home: Path) -> dict[str, Any]:
    """By event id: the row."""
    return {value["event_id"]: value["row"] for _, value in _lines(home, "pushes") if _is_event("pushes", value)}


def counts(home: Path, kind: str) -> dict[str, tuple[int, int]]:
    """By file: how many lines it has, and how many of them are no event."""
    found: dict[str, tuple[int, int]] = {}
    for name, value in _lines(home, kind):
        lines, torn = found.get(name, (0, 0))
        found[name] = (lines + 1, torn + (not _is_event(kind, value)))
    return found
