"""Decisions as events: a file of one JSON line each under `events/decisions`, which registry.decisions reads."""

import dataclasses
import datetime as dt
import json
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ml import files
from ml.events import user

KINDS = ("promote", "rollback", "import", "describe")


@dataclass(frozen=True)
class Decision:
    """What somebody decided about a version of a model; a row of registry.decisions.

    alias: what the version is called from then on, and reason, why (none with 'describe'); previous: the version that was
    called so. An 'import' brings a version over from another environment: `origin` says from where, as
    `dev:churn@3`, model_record and dataset_record hold its rows of registry.model_versions and registry.datasets, JSON
    columns as text (the dataset's is None where the same version is here already).
    """

    event_id: str
    decided_at: dt.datetime
    kind: str
    model: str
    version: int
    decided_by: str
    alias: str | None = None
    previous: int | None = None
    reason: str | None = None
    description: str | None = None
    tags: list[str] | None = None
    origin: str | None = None
    model_record: dict[str, Any] | None = None
    dataset_record: dict[str, Any] | None = None

    @classmethod
    def new(cls, kind: str, model: str, version: int, **others: Any) -> "Decision":
        """A decision of this user, now."""
        return cls(uuid.uuid4().hex, dt.datetime.now(dt.UTC), kind, model, version, user(), **others)

    def to_json(self) -> str:
        """The event's line, which `read_decisions` reads."""
        return json.dumps(dataclasses.asdict(self) | {"decided_at": self.decided_at.isoformat()})


def because(done: str, reason: str | None) -> str:
    """The reason in the history of aliases: what was done, and what the user said."""
    return f"{done}: {reason}" if reason else done


def decisions_folder(home: Path) -> Path:
    """The folder of the events of a home folder."""
    return home / "events" / "decisions"


def record(decision: Decision) -> Path:
    """Write a decision's event, durably, whole or not at all. Returns its file."""
    path = decisions_folder(files.home()) / f"{decision.decided_at:%Y%m%dT%H%M%S}-{decision.event_id}.jsonl"
    files.write_whole(path, f"{decision.to_json()}\n".encode())
    return path


def read_decisions(home: Path | None = None) -> list[Decision]:
    """Every decision in a home folder, this one if none is named, once, in the order of time.

    A line that is torn or no decision is passed over, as in SQL.
    """
    found: dict[str, Decision] = {}
    for path in sorted(decisions_folder(home or files.home()).glob("[!.]*.jsonl")):
        for line in path.read_text(errors="replace").splitlines():
            if decision := _parse(line):
                found.setdefault(decision.event_id, decision)
    return sorted(found.values(), key=lambda decision: (decision.decided_at, decision.event_id))


def imported_versions(model: str) -> list[dict[str, Any]]:
    """The rows of registry.model_versions that were brought over for a model, also those that no run has folded yet."""
    return [decision.model_record for decision in read_decisions() if decision.model == model and decision.model_record]


def _parse(line: str) -> Decision | None:
    try:
        stored = json.loads(line)
        decision = Decision(**stored | {"decided_at": dt.datetime.fromisoformat(stored["decided_at"])})
    except (ValueError, TypeError, KeyError):
        return None
    is_named = (isinstance(decision.alias, str) and isinstance(decision.reason, str)) or decision.kind == "describe"
    is_version = isinstance(decision.model, str) and isinstance(decision.version, int)
    return decision if decision.kind in KINDS and is_named and is_version and decision.event_id else None
