"""Decisions to train a model anew: from monitoring.retraining or from a person to an event, and from the event to a build."""

import datetime as dt
import json
from typing import Any

from ml import files
from ml.errors import DeclarationError
from ml.events import user, write_event
from ml.registry.models import kept_rows
from ml.training.retrain import Asked, asked_since


def carry_decisions() -> list[Asked]:
    """Write an event for each model that monitoring.retraining decided to train anew, if there is none. Returns the new ones."""
    found = []
    for row in _decided():
        if row["decision"] == "retrain" and _asked(row) is None:
            found.append(_write(row, row["text"], "monitoring.retraining"))
    return found


def due() -> list[Asked]:
    """The decisions that no version has followed from, one a model."""
    return [asked for row in _decided() if (asked := _asked(row)) is not None]


def ask_by_hand(model: str, reason: str) -> Asked:
    """Decide to train a model anew. Raises DeclarationError where it has no version, and ArtifactError."""
    versions = [row for row in kept_rows(files.home()) if row["model"] == model]
    if not versions:
        raise DeclarationError(f"the model '{model}' has no version yet; the next build trains the first one.")
    return _write(versions[-1], reason, user())


def _decided() -> list[dict[str, Any]]:
    """What the last run of monitoring.retraining decided, a row a model; none before the first."""
    path = files.home() / "alerts" / "retraining.json"
    return list(json.loads(path.read_text())) if path.is_file() else []


def _asked(row: dict[str, Any]) -> Asked | None:
    return asked_since(row["model"], row["version"], dt.datetime.fromisoformat(row["created_at"]))


def _write(row: dict[str, Any], reason: str, by: str) -> Asked:
    # Later than the version, also where the wall clock was set back.
    created_at = dt.datetime.fromisoformat(row["created_at"])
    moment = max(dt.datetime.now(dt.UTC), created_at + dt.timedelta(microseconds=1))
    event = {"model": row["model"], "version": row["version"], "reason": reason, "decided_by": by}
    written = write_event("retrain", event, moment)
    return Asked(**written | {"logged_at": moment})
