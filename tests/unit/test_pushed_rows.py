"""The newest pushed row at any time, beside a list of all that were pushed."""

import datetime as dt
import random
import threading

from hypothesis import given
from hypothesis import strategies as st

from serving.pushes.pushed_rows import MOST_OF_AN_ENTITY, Moments, PushedRow, PushedRows

START = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
HOURS = st.integers(0, 12)
ROWS = st.lists(st.tuples(st.sampled_from("abc"), HOURS, HOURS, st.integers(0, 2)), max_size=40)


def _at(hours: int) -> dt.datetime:
    return START + dt.timedelta(hours=hours)


def _pushed(rows: list[tuple[str, int, int, int]]) -> list[tuple[tuple[str], PushedRow]]:
    return [
        ((key,), PushedRow(_at(event), _at(known), str(logged), f"{place:08x}", (place,)))
        for place, (key, event, known, logged) in enumerate(rows)
    ]


def _newest(pushed: list[tuple[tuple[str], PushedRow]], key: str, at: dt.datetime) -> PushedRow | None:
    known = sorted(row for (of,), row in pushed if of == key and row.known_at <= at)
    # Of the same times the one that was logged first.
    return next((row for row in known if row[:2] == known[-1][:2]), None)


@given(rows=ROWS, chance=st.randoms(use_true_random=False))
def test_the_newest_row_at_any_time(rows: list[tuple[str, int, int, int]], chance: random.Random) -> None:
    pushed = _pushed(rows)
    shuffled = pushed * 2
    chance.shuffle(shuffled)
    kept = PushedRows()
    for key, row in shuffled:
        kept.add(key, row)
    held = 0
    for name in "abcd":
        answers = [kept.newest((name,), _at(hours)) for hours in range(13)]
        expected = [_newest(pushed, name, _at(hours)) for hours in range(13)]
        # Exact from the first time on at which a row is held.
        first = next((hours for hours, answer in enumerate(answers) if answer is not None), 13)
        assert answers[first:] == expected[first:]
        different = len({row for row in answers if row is not None})
        assert different <= MOST_OF_AN_ENTITY
        assert different == MOST_OF_AN_ENTITY or expected[:first] == [None] * first
        held += different
    assert len(kept) == held


@given(rows=ROWS, released=st.dictionaries(st.sampled_from("abc"), st.tuples(HOURS, HOURS)))
def test_what_a_release_does_not_hold(
    rows: list[tuple[str, int, int, int]], released: dict[str, tuple[int, int]]
) -> None:
    pushed = _pushed(rows)
    kept = PushedRows()
    for key, row in pushed:
        kept.add(key, row)

    def own(key: tuple[str, ...]) -> Moments | None:
        times = released.get(key[0])
        return times and (_at(times[0]), _at(times[1]))

    left = kept.superseded(own)
    for name in "abc":
        newest, times = _newest(pushed, name, _at(12)), own((name,))
        wins = newest is not None and (times is None or newest.moments > times)
        assert left.newest((name,), _at(12)) == (newest if wins else None)
    assert len(left) <= len(kept)


def test_many_threads_push_the_same_entity() -> None:
    kept, start = PushedRows(), threading.Barrier(8)
    rows = [row for _, row in _pushed([("a", number // 3, number // 7, 0) for number in range(800)])]

    def push(number: int) -> None:
        mine = rows[number::8]
        start.wait()
        for row in mine if number % 2 else reversed(mine):
            kept.add(("a",), row)

    threads = [threading.Thread(target=push, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert kept.newest(("a",), _at(1000)) == _newest([(("a",), row) for row in rows], "a", _at(1000))
    assert len(kept) <= MOST_OF_AN_ENTITY


def test_rows_that_go_on_beside_the_next_release_count_as_changes() -> None:
    """Of a release that has none a prediction is kept whatever its time; see serving/predictions/cache.py."""
    kept = PushedRows()
    for key, row in _pushed([("a", 1, 5, 0), ("b", 1, 1, 0)]):
        kept.add(key, row)
    assert kept.superseded(lambda key: None).changes
    assert not kept.superseded(lambda key: (_at(9), _at(9))).changes
