"""Labels by weak supervision, in a project of somebody else's: rules in SQL and in Python, a copied rule, experts who win."""

from pathlib import Path

import pytest
from sklearn import metrics

from tests.conftest import Project, copy_elsewhere, messages

VOTES = "models/labels/urgency_votes.sql"


@pytest.fixture(scope="module")
def tickets(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Built once; the tests that change it stand last, in their order."""
    project = copy_elsewhere("tickets", tmp_path_factory.mktemp("elsewhere") / "tickets")
    (project.home / "raw").mkdir(parents=True)
    (project.home / "raw" / "experts.csv").write_text(
        "task,row_id,label\nurgency,t0001,high\nurgency,t0002,low\nurgency,t0003,no class\nother,t0004,high\n"
    )
    project.dbt("deps")
    project.dbt("build")
    return project


def test_a_version_says_what_it_learned_from(tickets: Project) -> None:
    rows = tickets.query(
        "select version, reason, method, functions, classes, row_count, gold_count, dependencies, map_keys(class_balance), "
        "functions_fingerprint = (select comment->>'fingerprint' from duckdb_tables() where table_name = 'urgency_votes') "
        "from labels.urgency_model"
    )
    version, reason, method, functions, classes, row_count, gold_count, dependencies, balance, is_that_of_the_votes = (
        rows[0]
    )
    assert (len(rows), version, reason, method, row_count, gold_count) == (1, 1, "first version", "em", 1500, 2)
    assert functions == ["trouble", "haste", "reach", "reach_again", "tone", "shouting", "silent"]
    assert classes == balance == ["low", "normal", "high"]
    assert is_that_of_the_votes
    assert any({"reach", "reach_again"} <= set(group) for group in dependencies)


def test_labels_are_near_the_truth_and_an_expert_wins(tickets: Project) -> None:
    columns = tickets.query("describe labels.urgency")
    assert [(name, kind) for name, kind, *_ in columns] == [
        ("ticket", "VARCHAR"),
        ("label", "VARCHAR"),
        ("probability", "DOUBLE"),
        ("probabilities", "MAP(VARCHAR, DOUBLE)"),
        ("vote_count", "INTEGER"),
        ("source", "VARCHAR"),
        ("version", "INTEGER"),
    ]
    rows = tickets.query(
        "select urgency.*, tickets.urgency from labels.urgency inner join staging.tickets using (ticket)"
    )
    assert len(rows) == 1500
    by_source: dict[str, list[tuple]] = {}
    for row in rows:
        by_source.setdefault(row[5], []).append(row)
    assert sorted((row[0], row[1], row[2], row[3], row[6]) for row in by_source["expert"]) == [
        ("t0001", "high", 1.0, {"low": 0.0, "normal": 0.0, "high": 1.0}, None),
        ("t0002", "low", 1.0, {"low": 1.0, "normal": 0.0, "high": 0.0}, None),
    ]
    for _, label, probability, probabilities, vote_count, _, version, _ in by_source["functions"]:
        assert sum(probabilities.values()) == pytest.approx(1)
        assert probability == probabilities[label] == max(probabilities.values())
        assert (vote_count > 0, version) == (True, 1)
    assert all(row[1:5] == (None, None, None, 0) for row in by_source[None])
    assert sum(row[1] == row[7] for row in by_source["functions"]) > 0.88 * len(by_source["functions"])


def test_functions_are_measured_against_the_truth_and_their_copies_named(tickets: Project) -> None:
    rows = tickets.query(
        "select function, classes_voted, coverage, learned_accuracy, gold_accuracy_low, gold_accuracy_high, copies "
        "from labels.urgency_functions"
    )
    *rows, silent = rows
    assert silent == ("silent", [], 0.0, None, None, None, [])
    assert all(row[1] == ["low", "normal", "high"] and 0.6 < row[2] < 0.8 for row in rows)
    assert sum(low - 0.02 < learned < high + 0.02 for _, _, _, learned, low, high, _ in rows) >= 5
    copies = {row[0]: row[6] for row in rows}
    assert "reach_again" in copies["reach"] and "reach" in copies["reach_again"]


def test_the_label_model_and_the_majority_vote_are_measured_beside_models(tickets: Project) -> None:
    found = {
        (model, metric): value
        for model, metric, value in tickets.query(
            "select model, metric, value from registry.model_metrics where split = 'test' and slice = 'all'"
        )
    }
    for model in ("urgency_label_model", "urgency_majority_vote"):
        target, score = zip(
            *tickets.query(
                f"select target, score from labels.urgency_scores where split = 'test' and model = '{model}'"
            ),
            strict=True,
        )
        classes = sorted(score[0])
        matrix = [[one[name] for name in classes] for one in score]
        expected = metrics.log_loss(target, matrix, labels=classes)
        assert found[model, "log_loss"] == pytest.approx(expected, rel=1e-9)
    assert found["urgency_label_model", "log_loss"] < found["urgency_majority_vote", "log_loss"]
    # Who has no vote has the class balance, also of an expert's row: experts do not count here.
    silent = tickets.query(
        "select count(*), count(*) filter (score = class_balance) from labels.urgency_scores "
        "inner join labels.urgency on ticket = row_id cross join labels.urgency_model where vote_count = 0"
    )
    assert silent[0][0] == silent[0][1] > 0


def test_a_second_run_adds_nothing(tickets: Project) -> None:
    before = tickets.query("from labels.urgency order by all")
    tickets.dbt("run", "--exclude", "model_metrics")
    counts = "select (select count(*) from labels.urgency_model), (select count(*) from labels.urgency_scores)"
    assert tickets.query(counts) == [(1, 3000)]
    assert tickets.query("from labels.urgency order by all") == before


def test_another_rule_and_another_answer_make_a_version(tickets: Project) -> None:
    _edit(
        tickets.folder / VOTES,
        "case when subject like '%help%' then 'high'",
        "case when subject like '%help!%' then 'high'",
    )
    _edit(tickets.folder / VOTES, "null as silent", "null as silent,\n    null as another")
    with (tickets.home / "raw" / "experts.csv").open("a") as experts:
        experts.write("urgency,t0005,normal\n")
    tickets.dbt("run", "--select", "urgency_votes", "expert_labels", "urgency_model", "urgency")
    assert tickets.query("select version, reason, gold_count from labels.urgency_model where version > 1") == [
        (2, "functions changed; other votes; other expert labels", 3)
    ]
    assert tickets.query("select distinct version from labels.urgency where source = 'functions'") == [(2,)]


def test_bad_votes_are_refused_and_the_old_table_stays(tickets: Project) -> None:
    before = tickets.query("from labels.urgency_votes order by all")
    votes = tickets.folder / VOTES
    _edit(votes, "then 'normal' when subject like '%thanks%'", "then 'medium' when subject like '%thanks%'")
    _edit(votes, "    tickets.ticket,", "    nullif(replace(tickets.ticket, 't0012', 't0011'), 't0013') as ticket,")
    said = messages(tickets.dbt("run", "--select", "urgency_votes", succeeds=False))
    for part in (
        "tone votes 'medium' in ",
        "the classes are low, normal, high",
        "null in 1 row",
        "'t0011' is there 2 times",
    ):
        assert part in said, said
    assert tickets.query("from labels.urgency_votes order by all") == before


def _edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
