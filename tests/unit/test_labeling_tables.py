"""Votes in SQL: coverage, overlap, conflict and gold accuracy by brute force; patterns as they are counted for Python."""

import ast
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

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
from ml.labeling.score import _votes_of_rows
from ml.labeling.votes import CountedVotes, count_votes, expert_labels
from ml.scoring import label_function
from tests import rendered
from tests.conftest import REPOSITORY

CLASSES = ["cold", "warm", "it's hot"]
SESSION = duckdb.connect(config={"threads": 1})
label_function.register(SESSION)
Rows = list[list[int]]


@dataclass
class _Relation:
    identifier: str
    schema: str = "labels"

    def __str__(self) -> str:
        return self.identifier


@dataclass
class _Column:
    name: str
    dtype: str


def _columns(relation: _Relation) -> list[_Column]:
    return [_Column(name, kind) for name, kind, *_ in SESSION.execute(f"describe {relation}").fetchall()]


def _query(sql: str) -> SimpleNamespace:
    return SimpleNamespace(rows=SESSION.execute(sql).fetchall())


@pytest.fixture(scope="module", autouse=True)
def _closed() -> Iterator[None]:
    """An open connection with functions ends in a page of leak warnings."""
    yield
    SESSION.close()


META = {"row_id": "row", "classes": CLASSES}
NODE = SimpleNamespace(name="feeling_votes", config=SimpleNamespace(meta={"votes": META}))
VOTES_TABLE, MODEL_TABLE, EXPERTS = _Relation("feeling_votes"), _Relation("feeling_model"), _Relation("experts")
MACROS = rendered.package(
    "labels/*",
    "monitoring/monitored_relations",
    "features/fingerprint",
    "statistics/statistics",
    context={
        "execute": True,
        "model": NODE,
        "this": VOTES_TABLE,
        "run_query": _query,
        "adapter": {"get_columns_in_relation": _columns},
    },
    node_of=lambda relation: NODE,
)


def _table(rows: Rows, functions: int) -> list[str]:
    """The table feeling_votes(row, f0, f1, …) with the classes as texts."""
    names = [f"f{place}" for place in range(functions)]
    texts = {name: pa.array([_text(row[place]) for row in rows], pa.string()) for place, name in enumerate(names)}
    _create("feeling_votes", pa.table({"row": pa.array(range(len(rows)), pa.int64()), **texts}))
    return names


def _create(name: str, table: pa.Table) -> None:
    SESSION.register("given", table)
    SESSION.execute(f"create or replace table {name} as from given")


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
    names = _table(rows, functions)
    # What is none of the classes is passed over.
    known = [_text(row[-1]) for row in rows] + ["none"]
    _create("known", pa.table({"row_id": [str(number) for number in [*range(len(rows)), 0]], "label": known}))
    ctes = MACROS.function_shares(VOTES_TABLE, _columns(VOTES_TABLE)[1:], META, "known")
    found = _query(f"with {ctes} select * exclude (place) from shares order by place").rows
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
    found = _query(f"select {ends}").rows[0]
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


def _count(rows: Rows) -> CountedVotes:
    names = _table(rows, len(rows[0]) - 1)
    _create("experts", _experts(rows))
    experts = expert_labels(SESSION.table("experts"), "feeling", CLASSES)
    return count_votes(SESSION, "feeling_votes", VotesSpec("row", CLASSES), names, experts)


def _experts(rows: Rows) -> pa.Table:
    """The last of each row as an expert's label, and labels that are to be passed over: of another task, and no class."""
    labels = [("feeling", str(number), _text(row[-1])) for number, row in enumerate(rows)]
    labels += [("other", "0", CLASSES[0]), ("feeling", "1000", "none")]
    return pa.table(dict(zip(["task", "row_id", "label"], map(list, zip(*labels, strict=True)), strict=True)))


def _learn(rows: Rows, names: list[str]) -> LabelModel:
    """The table feeling_model with the model of these votes as its newest version."""
    model = LabelModel(3).fit(np.array(rows)[:, : len(names)])
    versions = {
        "version": [1, 2],
        "functions": [["f"], names],
        "classes": [["a", "b"], CLASSES],
        "parameters": ["{}", model.to_json()],
    }
    empty = {"accuracies": pa.nulls(2), "dependencies": pa.nulls(2)}
    _create("feeling_model", pa.table(versions | empty))
    return model


@settings(max_examples=15)
@given(votes.filter(lambda rows: any(vote >= 0 for row in rows for vote in row[:-1])))
def test_labels_are_the_models_and_an_experts_wins(rows: Rows) -> None:
    names = _table(rows, len(rows[0]) - 1)
    _create("experts", _experts(rows))
    model = _learn(rows, names)
    probabilities = model.predict_proba(np.array(rows)[:, :-1])
    expected = []
    for number, (*row, known) in enumerate(rows):
        voted = sum(vote >= 0 for vote in row)
        shares = probabilities[number] if known < 0 else np.eye(3)[known]
        if voted == 0 and known < 0:
            expected.append((number, None, None, None, 0, None, None))
            continue
        source, version = ("functions", 2) if known < 0 else ("expert", None)
        label = CLASSES[int(shares.argmax())]
        expected.append((number, label, shares.max(), dict(zip(CLASSES, shares, strict=True)), voted, source, version))
    sql = MACROS.default__labels(VOTES_TABLE, MODEL_TABLE, EXPERTS)
    assert _query(f"from ({sql}) order by 1").rows == expected
    without = MACROS.default__labels(VOTES_TABLE, MODEL_TABLE, None)
    assert {row[5] for row in _query(without).rows} <= {"functions", None}


def test_labels_of_other_functions_than_were_learned_from_are_refused() -> None:
    names = _table([[0, 1, 2], [0, 1, 1]], 3)
    _learn([[0, 1, 2], [0, 1, 1]], names)
    SESSION.execute("alter table feeling_votes add column more varchar")
    with pytest.raises(
        duckdb.Error,
        match=r"labels.feeling_model: its newest version learned from other functions than f0, f1, f2, more",
    ):
        _query(MACROS.default__labels(VOTES_TABLE, MODEL_TABLE, EXPERTS))


def test_labels_of_classes_in_another_order_than_were_learned_from_are_refused() -> None:
    """The places of the classes are all that the parameters know: false and true would change sides."""
    names = _table([[0, 1, 2], [0, 1, 1]], 3)
    _learn([[0, 1, 2], [0, 1, 1]], names)
    SESSION.execute("update feeling_model set classes = list_reverse(classes)")
    with pytest.raises(duckdb.Error, match=r"or other classes than cold, warm, it's hot\. Build it before"):
        _query(MACROS.default__labels(VOTES_TABLE, MODEL_TABLE, EXPERTS))


def test_the_type_of_labels_holds_every_class() -> None:
    """Most functions may be silent, and so of any type."""
    silent = [_Column(name, "INTEGER") for name in "ab"]
    found = [
        MACROS.type_of_votes([*silent, *(_Column("voting", kind) for kind in kinds)], classes)
        for kinds, classes in (
            (["VARCHAR"], CLASSES),
            (["BOOLEAN"], ["false", "true"]),
            (["DECIMAL(2,1)", "DECIMAL(2,1)", "DECIMAL(3,2)"], ["0.25", "0.50"]),
            (["TINYINT"], ["0", "1"]),
            (["BOOLEAN"], ["no", "yes"]),
        )
    ]
    assert found == ["VARCHAR", "BOOLEAN", "DECIMAL(3,2)", "INTEGER", "varchar"]


def test_votes_and_row_ids_are_compared_as_duckdb_writes_them() -> None:
    """Arrow writes the double 1.0 as 1, and a time with six places of its second."""
    with SESSION.cursor() as session:
        session.execute(
            "create or replace table timed_votes as select timestamp '2024-05-31' + to_hours(place::int) as row, "
            "1.0::double as a, if(place = 0, 2.0::double, null) as b, null as c from range(3) as given (place)"
        )
        spec = VotesSpec("row", ["1.0", "2.0"])
        experts = pa.table({"row_id": ["2024-05-31 00:00:00"], "label": ["2.0"]})
        counted = count_votes(session, "timed_votes", spec, ["a", "b", "c"], experts)
        assert np.column_stack([counted.votes, counted.gold, counted.counts]).tolist() == [
            [0, 1, -1, 1, 1],
            [0, -1, -1, -1, 2],
        ]
        asked = session.sql("select row from timed_votes order by row desc").to_arrow_table().column(0)
        found = _votes_of_rows(session, "timed_votes", spec, ["a", "b", "c"], asked)
        assert found.tolist() == [[0, -1, -1], [0, -1, -1], [0, 1, -1]]


def test_a_class_that_yaml_reads_as_no_text_is_to_be_quoted() -> None:
    """dbt itself hangs at a key of a node's meta that is no text."""

    def check(balance: dict) -> None:
        meta = {"label_model": {"votes": "late_votes", "class_balance": balance}}
        node = SimpleNamespace(
            resource_type="model", alias="late_model", schema="labels", config=SimpleNamespace(meta=meta)
        )
        context = {
            "execute": True,
            "graph": SimpleNamespace(nodes={"late_model": node}),
            "run_query": lambda sql: SimpleNamespace(rows=[[""]]),
        }
        rendered.package("labels/check_labels", "features/fingerprint", context=context).check_labels()

    check({"false": 0.7, "true": 0.3})
    with pytest.raises(rendered.CompilerError, match=r"late_model: .*class_balance has the key False.*in quotes"):
        check({False: 0.7, True: 0.3})


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        (
            "select 1 as id, 'cold' as a, 'cold' as b, 'cold' as c",
            "votes.row_id: there is no column row; the columns are id, a, b, c",
        ),
        (
            "select 1 as row, 'cold' as a, null as b",
            r"2 labelling functions \(a, b\), and a label model needs three or more",
        ),
        ("select 1 as row", r"0 labelling functions \(none\)"),
        (
            "select 1 as row, '1.0' as a, null as b, 2 as c",
            "a votes '1.0' in 1 row, which is no class.* c votes '2' in 1 row",
        ),
        (
            "select unnest([1, 1, 2, 2, 2]) as row, 'cold' as a, null as b, null as c",
            "'1' is there 2 times. Give each row to label once",
        ),
        (
            "select unnest([1, null, null]) as row, 'cold' as a, null as b, null as c",
            "row, the row id, is null in 2 rows",
        ),
    ],
)
def test_votes_that_cannot_be_learned_from_are_refused(sql: str, said: str) -> None:
    SESSION.execute(f"create or replace table feeling_votes as {sql}")
    with pytest.raises(rendered.CompilerError, match=rf"^labels.feeling_votes: .*{said}.*Nothing was overwritten"):
        MACROS.default__check_votes()


def test_votes_that_can_be_learned_from_pass() -> None:
    SESSION.execute(
        "create or replace table feeling_votes as select 1 as row, 'cold' as a, null as b, 'it''s hot' as c"
    )
    assert MACROS.default__check_votes().strip() == ""


def test_probabilities_in_sql_are_those_of_the_model() -> None:
    chance = np.random.default_rng(1)
    matrix = chance.integers(-1, 3, (5000, 4)).astype(np.int8)
    model = LabelModel(3).fit(matrix)
    with SESSION.cursor() as session:
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


def _problems(votes: dict, model: dict, scores: dict, hooks: str = "check_votes() record_fingerprint()") -> str:
    return problems(
        json.dumps(
            {
                "votes": {"late_votes": {"declared": votes, "schema": "labels", "hooks": hooks}},
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
    assert "has no post-hook check_votes" in _problems(VOTES, MODEL, SCORES, "record_fingerprint()")
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
        ("model", {"method": "triplet", "accuracies": {"rain": 0.8}}, "accuracies plays no part with method triplet"),
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
