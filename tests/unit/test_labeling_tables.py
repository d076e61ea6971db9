"""Votes in SQL: coverage, overlap, conflict and gold accuracy by brute force; patterns as they are counted for Python."""

import ast
import json
from collections.abc import Sequence
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest

from ml.errors import DeclarationError
from ml.labeling import LabelModel, declaration
from ml.labeling.declaration import LabelModelSpec, VotesSpec, positive_class, problems
from ml.labeling.learn import LABELING_CODE
from ml.labeling.votes import count_votes, expert_labels
from ml.scoring import label_function
from tests import rendered
from tests.conftest import REPOSITORY

MACROS = rendered.package("labels/*", "monitoring/monitored_relations", "features/fingerprint")
CLASSES = ["cold", "warm", "it's hot"]
SESSION = duckdb.connect(config={"threads": 1})
Rows = list[list[int]]


class _Column:
    def __init__(self, name: str) -> None:
        self.name = name


def _table(session: duckdb.DuckDBPyConnection, rows: Rows, functions: int) -> list[str]:
    """The table votes(row, f0, f1, …) with the classes as texts."""
    names = [f"f{place}" for place in range(functions)]
    texts = {name: pa.array([_text(row[place]) for row in rows], pa.string()) for place, name in enumerate(names)}
    session.register("given", pa.table({"row": pa.array(range(len(rows)), pa.int64()), **texts}))
    session.execute("create or replace table votes as from given")
    return names


def _text(place: int) -> str | None:
    return CLASSES[place] if place >= 0 else None


votes = st.integers(3, 5).flatmap(
    lambda functions: st.lists(
        st.lists(st.integers(-1, 2), min_size=functions + 1, max_size=functions + 1), min_size=1, max_size=25
    )
)


@settings(max_examples=40)
@given(votes)
def test_functions_are_measured_as_by_brute_force(rows: Rows) -> None:
    """The last column is the known class. Coverage, overlap and conflict are snorkel's (LFAnalysis): shares of all rows."""
    functions = len(rows[0]) - 1
    with SESSION.cursor() as session:
        names = _table(session, rows, functions)
        known = pa.table(
            {"row_id": [str(number) for number in range(len(rows))], "label": [_text(row[-1]) for row in rows]}
        )
        session.register("known", known)
        ctes = MACROS.function_shares(
            "votes", [_Column(name) for name in names], {"row_id": "row", "classes": CLASSES}, "known"
        )
        found = session.execute(f"with {ctes} select * exclude (place) from shares order by place").fetchall()
    assert found == [_brute_force(rows, place, names[place]) for place in range(functions)]


def _brute_force(rows: Rows, place: int, name: str) -> tuple:
    voted, overlapping, conflicting, gold_votes, gold_hits = 0, 0, 0, 0, 0
    classes = set()
    for *row, known in rows:
        vote, others = row[place], [other for number, other in enumerate(row) if number != place and other >= 0]
        if vote < 0:
            continue
        classes.add(vote)
        voted += 1
        overlapping += bool(others)
        conflicting += any(other != vote for other in others)
        gold_votes += known >= 0
        gold_hits += vote == known
    total = len(rows)
    said = [CLASSES[number] for number in sorted(classes)]
    return (name, said, voted, voted / total, overlapping / total, conflicting / total, gold_votes, gold_hits)


@pytest.mark.parametrize(("hits", "count"), [(0, 3), (3, 3), (7, 20), (999, 1000)])
def test_intervals_are_wilsons(hits: int, count: int) -> None:
    ends = ", ".join(MACROS.wilson(str(hits), str(count), sign) for sign in "-+")
    found = duckdb.connect().execute(f"select {ends}").fetchall()[0]
    expected = binomtest(hits, count).proportion_ci(method="wilson")
    assert found == pytest.approx((expected.low, expected.high), abs=1e-12)


@settings(max_examples=20)
@given(votes, st.randoms(use_true_random=False))
def test_patterns_are_counted_whatever_the_order_of_rows(rows: Rows, chance: np.random.Generator) -> None:
    shuffled = list(rows)
    chance.shuffle(shuffled)
    counted = [_count(given) for given in (rows, shuffled)]
    expected: dict[tuple[int, ...], int] = {}
    for row in rows:
        expected[tuple(row)] = expected.get(tuple(row), 0) + 1
    for one in counted:
        found = np.column_stack([one.votes, one.gold]).tolist()
        assert dict(zip(map(tuple, found), one.counts.tolist(), strict=True)) == expected
    assert len({(one.votes_hash(), one.gold_hash()) for one in counted}) == 1
    more = _count([*rows, rows[0]])
    assert more.votes_hash() != counted[0].votes_hash()
    assert (more.gold_hash() == counted[0].gold_hash()) == (rows[0][-1] < 0)


def _count(rows: Rows):
    with SESSION.cursor() as session:
        names = _table(session, rows, len(rows[0]) - 1)
        labels = [("here", str(number), _text(row[-1])) for number, row in enumerate(rows)]
        # Of another task, and of a class that is none: passed over.
        labels += [("there", "0", CLASSES[0]), ("here", "1000", "none")]
        columns = [list(column) for column in zip(*labels, strict=True)]
        session.register("labels", pa.table(dict(zip(["task", "row_id", "label"], columns, strict=True))))
        experts = expert_labels(session.table("labels"), "here", CLASSES)
        return count_votes(session, "votes", VotesSpec("row", CLASSES), names, experts)


def test_probabilities_in_sql_are_those_of_the_model() -> None:
    chance = np.random.default_rng(1)
    matrix = chance.integers(-1, 3, (5000, 4)).astype(np.int8)
    model = LabelModel(3).fit(matrix)
    with duckdb.connect() as session:
        label_function.register(session)
        session.register("given", pa.table({"place": range(len(matrix)), "votes": pa.array(list(matrix))}))
        session.execute("set variable parameters = ?", [model.to_json()])
        asked = "select eiderdown_label_probabilities(getvariable('parameters'), {}) from given order by place"
        found = session.execute(asked.format("votes")).fetchall()
        np.testing.assert_array_equal(np.array([row[0] for row in found]), model.predict_proba(matrix))
        for other in ("votes[:3]", "[1, 1, 1, null]::tinyint[]"):
            with pytest.raises(duckdb.Error, match="has 4 functions"):
                session.execute(asked.format(other)).fetchall()


VOTES = {"row_id": "row", "classes": [False, True], "keep": ["at"]}
MODEL = {"votes": "late_votes"}
SCORES = {"labels": "late", "dataset": "flights", "target": "late", "slices": ["origin"]}


def _problems(votes: dict, model: dict, scores: dict) -> str:
    return problems(
        json.dumps(
            {
                "votes": {"late_votes": {"declared": votes, "schema": "labels"}},
                "label_models": {"late_model": {"declared": model, "schema": "labels"}},
                "scores": {"late_scores": scores},
                "datasets": {"flights": {"flight": "varchar", "late": "boolean", "origin": "varchar"}},
            }
        )
    )


def test_declarations_that_hold() -> None:
    model = MODEL | {
        "class_balance": {False: 0.75, True: 0.25},
        "accuracies": {"rain": 0.8},
        "dependencies": [["rain", "snow"]],
    }
    assert _problems(VOTES, MODEL, SCORES) == ""
    assert _problems(VOTES, model, SCORES | {"split": {"by": "random"}}) == ""
    assert VotesSpec.parse("late_votes", VOTES).functions(["ROW", "rain", "at", "snow"]) == ["rain", "snow"]
    assert [positive_class(one) for one in (["true", "false"], ["0", "1"], ["no", "yes"])] == [0, 1, None]


@pytest.mark.parametrize(
    ("part", "change", "said"),
    [
        ("votes", {"clases": []}, "config.meta.votes has the unknown field 'clases'. Did you mean 'classes'?"),
        ("votes", {"classes": [True]}, "config.meta.votes.classes must be 2 to 126 classes"),
        ("votes", {"classes": [True, "true"]}, "each of them once"),
        ("votes", {"row_id": 3}, "row_id is '3'"),
        ("votes", {"keep": "at"}, "keep must be a list"),
        ("model", {"votes": "late"}, "it must be the name of a votes model, <task>_votes"),
        (
            "model",
            {"votes": "lat_votes"},
            "no model 'lat_votes' with config.meta.votes; there are late_votes. Did you mean 'late_votes'?",
        ),
        ("model", {"method": "EM"}, "label_model.method is 'EM'; it must be one of em, majority_vote, triplet"),
        ("model", {"class_balance": {"true": 0.5, "false": 0.6}}, "adds up to 1.1"),
        ("model", {"class_balance": {"yes": 0.5, "no": 0.5}}, "give a share to each of false, true"),
        ("model", {"accuracies": {"rain": 1}}, "accuracies.rain is 1; it must lie between 0 and 1"),
        ("model", {"dependencies": "yes"}, "dependencies is 'yes'; it must be one of detect, none"),
        ("model", {"dependencies": [["rain"]]}, "groups of two or more functions"),
        ("model", {"dependencies": [["rain", "snow"], ["snow", "hail"]]}, "in two groups"),
        ("scores", {"labels": "late_votes"}, "config.meta.scores.labels is 'late_votes'; it must be one of late"),
        (
            "scores",
            {"dataset": "flight"},
            "scores.dataset is 'flight'; it must be one of flights. Did you mean 'flights'?",
        ),
        ("scores", {"target": "lat"}, "scores.target: 'lat' is no column of the dataset flights. Did you mean 'late'?"),
        ("scores", {"slices": ["orign"]}, "scores.slices: 'orign' is no column"),
        ("scores", {"split": {"by": "luck"}}, "config.meta.scores.split.by is 'luck'"),
    ],
)
def test_declarations_that_cannot_hold_are_refused(part: str, change: dict, said: str) -> None:
    declared = {"votes": VOTES, "model": MODEL, "scores": SCORES}
    declared[part] = declared[part] | change
    assert said in _problems(**declared)


def test_functions_that_the_votes_do_not_have_are_refused() -> None:
    for change in ({"accuracies": {"rian": 0.9}}, {"dependencies": [["snow", "rian"]]}):
        with pytest.raises(
            DeclarationError, match=r"'rian' is no labelling function of late_votes.*Did you mean 'rain'"
        ):
            LabelModelSpec.parse("late_model", MODEL | change).check(["rain", "snow", "hail"], ["false", "true"])


def test_all_code_that_learns_counts() -> None:
    """What the modules that learn import of ml.labeling is listed, but for the declarations, which count by themselves."""
    listed = set(LABELING_CODE) | {declaration.__name__}
    for module in LABELING_CODE:
        assert _imported(REPOSITORY / f"{module.replace('.', '/')}.py") <= listed, module


def _imported(path: Path) -> set[str]:
    nodes: Sequence[ast.AST] = list(ast.walk(ast.parse(path.read_text())))
    return {
        node.module
        for node in nodes
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("ml.labeling.")
    }
