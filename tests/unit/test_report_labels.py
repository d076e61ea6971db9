"""The report's section on labels: there where a label task is, right about its tables, and harmless."""

from pathlib import Path

import duckdb
import pytest

from ml.reports import svg
from ml.reports.labels import read_labels
from ml.reports.page import render
from ml.reports.rows import read
from tests.made_up_labels import churned
from tests.made_up_monitoring import monitored, warehouse
from tests.unit.test_report import HOSTILE, assert_harmless, report


def shown(connection: duckdb.DuckDBPyConnection) -> str:
    parsed = assert_harmless(render(read(connection), read_labels(connection))[0])
    return " ".join(parsed.sections["labels"].split())


def test_a_task_has_its_functions_sources_and_probabilities() -> None:
    with warehouse() as connection:
        churned(connection)
        [task] = read_labels(connection)
        text = shown(connection)
        probabilities = [
            probability
            for (probability,) in connection.execute(
                "select probability from labels.churned where source = 'functions'"
            ).fetchall()
        ]
        late = connection.execute("select count(*) filter (label) / count(label) from labels.churned").fetchall()[0][0]
    assert "churned, version 2 of the label model (em)" in text
    assert "600 rows: 567 (94 %) labelled by functions, 20 (3.3 %) by experts, 13 (2.2 %) not labelled." in text
    assert (
        "few_orders false, true 50 % of the rows have its vote50 %" in text
        and "75 % 70 % 60 % to 80 % 90 complained" in text
    )
    assert "90 % - 0 -" in text
    assert task.balance.values == [("false", 0.7, pytest.approx(1 - late)), ("true", 0.3, pytest.approx(late))]
    counts = [0] * 20
    for probability in probabilities:
        counts[min(int(probability * 20), 19)] += 1
    assert task.certainty == pytest.approx([count / len(probabilities) for count in counts])


def test_without_a_task_there_is_no_section() -> None:
    with warehouse() as connection:
        assert read_labels(connection) == []
        parsed = assert_harmless(render(read(connection))[0])
        assert "labels" not in parsed.sections and "#labels" not in str(parsed.tags)


def test_what_is_not_built_is_said() -> None:
    with warehouse() as connection:
        churned(connection)
        for table in ("churned_functions", "churned_model", "churned", "churned_candidates"):
            connection.execute(f"drop table labels.{table}")
        assert "dbt run -s churned_functions" in shown(connection)


def test_what_data_say_is_text() -> None:
    with warehouse() as connection:
        churned(connection, text=HOSTILE.replace("'", "").replace("\0", "")[:200])
        connection.execute("update labels.churned_functions set classes_voted = [?], copies = [?]", [HOSTILE, HOSTILE])
        connection.execute(
            "update labels.churned_functions set coverage = 'nan', learned_accuracy = 'inf', gold_accuracy = null"
        )
        assert "<script>alert(1)</script>" in shown(connection)


def test_what_is_not_known_is_not_drawn() -> None:
    assert [
        str(svg.accuracy(*given, "t")).count("<path") for given in ((0.7, 0.8, 0.7, 0.9), (0.7, None, None, None))
    ] == [4, 2]


def test_the_command_shows_labels_unless_it_is_about_others(tmp_path: Path) -> None:
    with warehouse() as connection:
        churned(connection)
        monitored(connection, "a.b")
        connection.execute(f"attach '{tmp_path / 'eiderdown.duckdb'}' as copied")
        connection.execute("copy from database memory to copied")
        connection.execute("detach copied")
    report(tmp_path, "--to", str(tmp_path / "all.html"))
    report(tmp_path, "--to", str(tmp_path / "one.html"), "--relation", "a.b")
    assert 'id="labels"' in (tmp_path / "all.html").read_text()
    assert 'id="labels"' not in (tmp_path / "one.html").read_text()
