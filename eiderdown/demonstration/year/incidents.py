"""What goes wrong in the year, on purpose: each incident changes what reaches the platform between two times."""

import datetime as dt
from dataclasses import dataclass
from typing import Any

KILOMETRES = 1.609344


def _utc(month: int, day: int = 1) -> dt.datetime:
    return dt.datetime(2013, month, day, tzinfo=dt.UTC)


@dataclass(frozen=True)
class Incident:
    """Something that goes wrong for a while.

    name: in words. feature: the feature that shows it. kinds: the kinds of anomaly that say so.
    """

    name: str
    start: dt.datetime
    end: dt.datetime
    feature: str
    kinds: tuple[str, ...]

    def is_on(self, moment: dt.datetime) -> bool:
        """Whether it lasts at a time."""
        return self.start <= moment < self.end


FEED_STOPS = Incident(
    "the weather feed stops", _utc(7), _utc(8), "temperature", ("never_present", "low_fraction_present")
)
UNIT_CHANGES = Incident("distances come in kilometres", _utc(9), _utc(10), "distance", ("unit_change",))
CARRIER_DISAPPEARS = Incident(
    "no flight of carrier B6 is asked for", _utc(11), _utc(12), "carrier", ("value_disappeared",)
)
INCIDENTS = (FEED_STOPS, UNIT_CHANGES, CARRIER_DISAPPEARS)


def reaches(view: str, known_at: dt.datetime, planted: tuple[Incident, ...]) -> bool:
    """Whether a row of a feature view arrives."""
    return not (view == "origin_weather" and FEED_STOPS in planted and FEED_STOPS.is_on(known_at))


def asked(instance: dict[str, Any], moment: dt.datetime, planted: tuple[Incident, ...]) -> dict[str, Any] | None:
    """What a client asks about a flight, None where it does not."""
    if CARRIER_DISAPPEARS in planted and CARRIER_DISAPPEARS.is_on(moment) and instance["carrier"] == "B6":
        return None
    if UNIT_CHANGES in planted and UNIT_CHANGES.is_on(moment):
        return instance | {"distance": round(instance["distance"] * KILOMETRES)}
    return instance
