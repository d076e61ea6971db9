"""Models that are trained anew when it is decided, and not whenever their data changes."""

import datetime as dt
import json
import re
from dataclasses import asdict, dataclass, fields
from typing import Any

from ml.declared import hint, refuse_no_number, refuse_other, refuse_unknown
from ml.errors import DeclarationError
from ml.events import read_events

ON = ("on_change", "on_decision")
EVENT = {"model": str, "version": int, "reason": str, "decided_by": str}
_UNIT_SECONDS = {"minute": 60, "hour": 3600, "day": 86_400, "week": 604_800}
_LENGTH = re.compile(r"(\d+) (minute|hour|day|week)s?\Z", re.ASCII)


@dataclass(frozen=True)
class Retrain:
    """When a model is trained anew: whenever what it learned from has changed, or when it is decided.

    What monitoring.retraining decides by, None for what plays no part: drifted_share, of the features of the last window that
    was served; degraded, whether its metrics are (realised or estimated); max_age, of the last row that the newest version
    learned from, by the clock; new_rows and new_share, rows that its dataset has more. not_more_often_than: the least age
    before any of these counts. Ages are in seconds.
    """

    on: str = "on_change"
    drifted_share: float | None = 0.3
    degraded: bool = True
    max_age: float | None = None
    new_rows: float | None = None
    new_share: float | None = None
    not_more_often_than: float | None = None

    @classmethod
    def parse(cls, where: str, declared: Any) -> "Retrain":
        """From `on_change`, `on_decision` or `{on_decision: {…}}`. Raises DeclarationError."""
        if not isinstance(declared, dict):
            refuse_other(where, declared, ON)
            return cls(declared)
        refuse_unknown(where, declared, ["on_decision"])
        where, given = f"{where}.on_decision", declared.get("on_decision") or {}
        refuse_unknown(where, given, [entry.name for entry in fields(cls) if entry.name != "on"])
        checked = dict(given)
        for name in ("drifted_share", "new_rows", "new_share"):
            if given.get(name) is not None:
                most = 1 if name == "drifted_share" else None
                refuse_no_number(f"{where}.{name}", given[name], "from which on it counts", 0, most)
        if not isinstance(given.get("degraded", True), bool):
            raise DeclarationError(f"{where}.degraded is '{given['degraded']}'; it must be true or false.")
        for name in ("max_age", "not_more_often_than"):
            if given.get(name) is not None:
                checked[name] = _seconds(f"{where}.{name}", given[name])
        return cls("on_decision", **checked)


@dataclass(frozen=True)
class Asked:
    """A decision to train a model anew: an event, written by `eiderdown watch` or by hand. version: the one that stood then."""

    event_id: str
    logged_at: dt.datetime
    model: str
    version: int
    reason: str
    decided_by: str


def asked_since(model: str, version: int, created_at: dt.datetime) -> Asked | None:
    """The last decision to train a model anew that its newest version, made at created_at, did not follow from; or None.

    One that was made of another version is done with, and so is one from before the version, as where a warehouse is
    built anew from its events.
    """
    asked = [
        Asked(**{entry.name: event[entry.name] for entry in fields(Asked)}) for event in read_events("retrain", EVENT)
    ]
    due = [one for one in asked if one.model == model and one.version == version and one.logged_at > created_at]
    return due[-1] if due else None


def rules(request: str) -> str:
    """What models declare, completed. request: JSON {model: config.meta.model.retrain}. Returns JSON {model: {field: value}}."""
    return json.dumps(
        {model: asdict(Retrain.parse(model, declared)) for model, declared in json.loads(request).items()}
    )


def _seconds(where: str, declared: Any) -> float:
    found = _LENGTH.match(str(declared))
    if not found:
        raise DeclarationError(
            f"{where} is '{declared}'; it must be a length of time such as 90 days, in minutes, hours, days or weeks."
            f"{hint(str(declared).split(' ')[-1], [f'{unit}s' for unit in _UNIT_SECONDS])}"
        )
    return int(found[1]) * _UNIT_SECONDS[found[2]]
