"""Rows to label by hand: what SQL ranks is what taking the row of the greatest worth, again and again, gives."""

import math
from collections import Counter, defaultdict
from typing import Any

import duckdb
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.made_up_labels import candidates

CLASSES = ["a", "b", "c"]
FUNCTIONS = ["source", 'the "second"', "row_count"]
Row = tuple[int, str | None, tuple[str | None, ...], bool]
"""Its id, its site, its votes, and whether an expert has labelled it."""

rows = st.lists(
    st.tuples(
        st.sampled_from(["N", "S", None]),
        st.tuples(*[st.sampled_from([None, *CLASSES])] * 3),
        st.sampled_from([False] * 4 + [True]),
    ),
    max_size=40,
)


def posterior(votes: tuple[str | None, ...]) -> list[float]:
    """Any probabilities that only the votes decide."""
    weights = [1 + sum((place + 2) * (vote == one) for place, vote in enumerate(votes)) for one in CLASSES]
    return [weight / sum(weights) for weight in weights]


def entropy(shares: list[float]) -> float:
    return -sum(share * math.log(share, len(CLASSES)) for share in shares if share > 0)


class Slice:
    """Rows and what they are worth, by brute force."""

    def __init__(self, of_slice: list[Row]) -> None:
        self.size = len(of_slice)
        self.count = Counter(votes for _, _, votes, _ in of_slice)
        self.labelled = Counter(votes for _, _, votes, is_labelled in of_slice if is_labelled)
        self.votes = {row_id: votes for row_id, _, votes, is_labelled in of_slice if not is_labelled and any(votes)}

    def worth(self, votes: tuple[str | None, ...], labelled: int) -> float:
        cast = Counter(vote for vote in votes if vote)
        conflict = entropy([number / cast.total() for number in cast.values()])
        density = math.sqrt(self.count[votes] / self.size)
        return entropy(posterior(votes)) * (1 + conflict) / 2 * density / (1 + labelled)

    def greedy(self, limit: int) -> list[float]:
        """The worth of row after row, of which each is the one of the greatest worth."""
        labelled, left = self.labelled.copy(), list(self.votes.values())
        found: list[float] = []
        while left and len(found) < limit:
            best = max(left, key=lambda votes: self.worth(votes, labelled[votes]))
            found.append(self.worth(best, labelled[best]))
            labelled[best] += 1
            left.remove(best)
        return found


def table(connection: duckdb.DuckDBPyConnection, given_rows: list[Row]) -> None:
    """The tables `votes` and `labels` of rows."""
    columns = ", ".join('"' + name.replace('"', '""') + '" varchar' for name in FUNCTIONS)
    connection.execute(f"create or replace table votes (id bigint, site varchar, {columns})")
    connection.execute(
        "create or replace table labels (id bigint, label varchar, probability double, "
        "probabilities map(varchar, double), source varchar)"
    )
    votes_rows, label_rows = [], []
    for row_id, site, votes, is_labelled in given_rows:
        votes_rows.append([row_id, site, *votes])
        shares = [1.0, 0.0, 0.0] if is_labelled else posterior(votes)
        source = "expert" if is_labelled else "functions" if any(votes) else None
        label = [CLASSES[shares.index(max(shares))], max(shares), dict(zip(CLASSES, shares, strict=True))]
        label_rows.append([row_id, *(label if source else [None] * 3), source])
    for name, of_table in (("votes", votes_rows), ("labels", label_rows)):
        if of_table:
            values = ", ".join(f"({', '.join('?' * len(row))})" for row in of_table)
            connection.execute(f"insert into {name} values {values}", [value for row in of_table for value in row])


@settings(max_examples=20)
@given(drawn_rows=rows, limit=st.integers(1, 12))
def test_candidates_are_those_of_the_greedy_choice(drawn_rows: list[Any], limit: int) -> None:
    given_rows: list[Row] = [(place, *row) for place, row in enumerate(drawn_rows)]
    with duckdb.connect() as connection:
        table(connection, given_rows)
        drawn = dict(connection.execute("select id, hash(id) from votes").fetchall())
        query = candidates("labels", "votes", "id", FUNCTIONS, ["site"], limit)
        found = connection.execute(query).fetchall()
    slices = {"all": given_rows}
    for row in given_rows:
        slices.setdefault(f"site={row[1]}" if row[1] else "site is null", []).append(row)
    for name, of_slice in slices.items():
        expected, ranked = Slice(of_slice), [row for row in found if row[1] == name]
        worths = expected.greedy(limit)
        assert [row[0] for row in ranked] == list(range(1, len(worths) + 1))
        assert all(math.isclose(row[3], worth, abs_tol=1e-9) for row, worth in zip(ranked, worths, strict=True))
        taken: dict[tuple[str | None, ...], list[int]] = defaultdict(list)
        for row in ranked:
            votes = expected.votes[row[2]]
            assert math.isclose(
                row[3], expected.worth(votes, expected.labelled[votes] + len(taken[votes])), abs_tol=1e-9
            )
            assert row[7] == {function: vote for function, vote in zip(FUNCTIONS, votes, strict=True) if vote}
            taken[votes].append(row[2])
        for votes, ids in taken.items():
            alike = sorted(
                (row_id for row_id in expected.votes if expected.votes[row_id] == votes), key=drawn.__getitem__
            )
            assert ids == alike[: len(ids)]
    assert {row[1] for row in found} <= set(slices)


def test_the_order_of_rows_changes_nothing() -> None:
    given_rows: list[Row] = [
        (place, "NS"[place % 2], (CLASSES[place % 3], CLASSES[place % 2], None), place % 11 == 0) for place in range(60)
    ]
    query = candidates("labels", "votes", "id", FUNCTIONS, ["site"], 10)
    with duckdb.connect() as connection:
        table(connection, given_rows)
        before = connection.execute(query).fetchall()
        table(connection, given_rows[::-1])
        assert connection.execute(query).fetchall() == before
    assert len({tuple(row[7].items()) for row in before if row[1] == "all"}) > 1
