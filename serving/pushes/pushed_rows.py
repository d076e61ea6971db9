"""The rows of a feature view that clients pushed since its release was made."""

import datetime as dt
import threading
from collections.abc import Callable
from typing import Any, NamedTuple

Key = tuple[Any, ...]
Moments = tuple[dt.datetime, dt.datetime]
"""A row's event_at and known_at, by which the newest row of an entity is found."""

MOST_OF_AN_ENTITY = 8


class PushedRow(NamedTuple):
    """A pushed row."""

    event_at: dt.datetime
    known_at: dt.datetime
    logged_at: str
    event_id: str
    values: tuple[Any, ...]
    """Of the view's features, in its order."""

    @property
    def moments(self) -> Moments:
        """Its event_at and known_at."""
        return self.event_at, self.known_at


class PushedRows:
    """The newest pushed row of each entity at any time. For many writers and many readers; readers take no lock.

    Of an entity only rows are kept that are the newest at some time: one is dropped for a newer one that was known no
    later. What remains rises in known_at and in event_at, and of it the latest MOST_OF_AN_ENTITY are kept, so that `newest`
    is exact at any time but those before the first of so many. Of rows with the same times the one that was logged first
    counts, as in the view's table (macros/features/pushed.sql).
    """

    def __init__(self) -> None:
        self._rows: dict[Key, tuple[PushedRow, ...]] = {}
        self._count = 0
        self.changes = 0
        """How many rows were added that changed something: what was found before may be found otherwise since."""
        self._lock = threading.Lock()

    def __len__(self) -> int:
        """The rows that are kept, of all entities."""
        return self._count

    def add(self, key: Key, row: PushedRow) -> None:
        """Add a row of an entity. A row that was added before changes nothing, in whatever order they come."""
        with self._lock:
            before = self._rows.get(key, ())
            if any(_is_in_the_place_of(other, row) for other in before):
                return
            kept = [other for other in before if not _is_in_the_place_of(row, other)]
            after = tuple(sorted([*kept, row], key=_moments)[-MOST_OF_AN_ENTITY:])
            self._count += len(after) - len(before)
            # Readers see the tuple from before or this one.
            self._rows[key] = after
            self.changes += 1

    def newest(self, key: Key, at: dt.datetime) -> PushedRow | None:
        """The row of an entity with the greatest (event_at, known_at) among those that were known at a time, or None."""
        for row in reversed(self._rows.get(key, ())):
            if row.known_at <= at:
                return row
        return None

    def superseded(self, released: Callable[[Key], Moments | None]) -> "PushedRows":
        """The rows that a release does not hold: those with a greater (event_at, known_at) than its own row of the entity.

        released: of an entity's key the times of the release's row; None where it has none.
        """
        with self._lock:
            held = list(self._rows.items())
        left = PushedRows()
        for key, rows in held:
            own = released(key)
            kept = tuple(row for row in rows if own is None or row.moments > own)
            if kept:
                left._rows[key] = kept
                left._count += len(kept)
        # What is known from a time on must be looked for at each time (serving/predictions/cache.py).
        left.changes = left._count
        return left


def _moments(row: PushedRow) -> Moments:
    return row.moments


def _is_in_the_place_of(row: PushedRow, other: PushedRow) -> bool:
    """Whether there is no time at which `other` would be the newest of the two."""
    if row.moments == other.moments:
        return (row.logged_at, row.event_id) <= (other.logged_at, other.event_id)
    return row.moments > other.moments and row.known_at <= other.known_at
