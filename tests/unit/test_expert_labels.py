"""Labels by hand, through the commands: what is wrong is named and nothing is written, what is right is written once."""

import csv
import datetime as dt
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pytest
from typer.testing import CliRunner

from eiderdown.cli import app
from ml.events import read_events, user
from ml.labeling.experts import EVENT
from tests.made_up_labels import churned

Run = Callable[..., Any]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with the made-up task, to which no events are written."""
    home = tmp_path_factory.mktemp("home")
    with duckdb.connect(str(home / "eiderdown.duckdb")) as connection:
        churned(connection)
    return home


@pytest.fixture
def run(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run `eiderdown label`: what it prints, or with --json what that holds. `code`: how it must end."""
    monkeypatch.setenv("EIDERDOWN_HOME", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "200")

    def run(*arguments: object, code: int = 0) -> Any:
        command = ["label", *map(str, arguments), "--database", str(home / "eiderdown.duckdb")]
        answer = CliRunner().invoke(app, command)
        assert answer.exit_code == code, answer.output
        return json.loads(answer.stdout) if "--json" in arguments else answer.output

    return run


def written() -> list[tuple[str, str, str, str]]:
    return [
        (event["task"], event["row_id"], event["label"], event["labelled_by"]) for event in read_events("labels", EVENT)
    ]


def answers(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def test_candidates_are_filled_in_and_imported(run: Run, tmp_path: Path) -> None:
    asked = tmp_path / "answers.csv"
    assert "10 rows" in run("candidates", "churned", "--limit", 10, "--slice", "site=North", "--output", asked)
    assert "is there already" in run("candidates", "churned", "--output", asked, code=1)
    with asked.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["customer"] for row in rows] == [
        str(row["customer"]) for row in run("candidates", "churned", "--limit", 10, "--slice", "site=North", "--json")
    ]
    assert list(rows[0]) == ["customer", "label", "site", "few_orders", "complained", "new_plan", "silent"]
    assert {(row["label"], row["site"]) for row in rows} == {("", "North")}
    nothing = run("import", "churned", asked, "--json")
    assert (nothing["written"], nothing["empty"]) == (0, 10)
    assert not (tmp_path / "events").exists()

    rows[1]["label"], rows[2]["label"] = "TRUE", "false"
    with asked.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    assert "2 labels of churned by ada written, 8 rows without a label" in run(
        "import", "churned", asked, "--by", "ada"
    )
    expected = [("churned", rows[1]["customer"], "true", "ada"), ("churned", rows[2]["customer"], "false", "ada")]
    assert sorted(written()) == sorted(expected)
    [file] = (tmp_path / "events" / "labels").iterdir()
    again = run("import", "churned", asked, "--by", "ada", "--json")
    assert (again["written"], again["unchanged"]) == (0, 2)
    assert list((tmp_path / "events" / "labels").iterdir()) == [file]


def test_what_is_said_otherwise_is_written_also_when_it_was_said_before(run: Run, tmp_path: Path) -> None:
    first, second = answers(tmp_path / "1.csv", "customer,label\n1,true\n2,true\n"), tmp_path / "2.csv"
    answers(second, "customer;label\n1;false\n2;true\n")
    counts = [run("import", "churned", file, "--json")["written"] for file in (first, second, first, first)]
    assert counts == [2, 1, 1, 0]
    assert {entry[3] for entry in written()} == {user()}
    assert run("import", "churned", first, "--by", "bob", "--json")["written"] == 2


def test_a_time_that_was_said_stays_said(run: Run, tmp_path: Path) -> None:
    late = answers(tmp_path / "late.csv", "customer,label,labelled_at\n1,true,2024-05-02T10:00:00+02:00\n")
    early = answers(tmp_path / "early.csv", "customer,label,labelled_at\n1,false,2024-05-01 10:00:00\n")
    counts = [run("import", "churned", file, "--json")["written"] for file in (late, early, late, early)]
    assert counts == [1, 1, 0, 0]
    times = [dt.datetime.fromisoformat(event["labelled_at"]) for event in read_events("labels", EVENT)]
    assert times == [dt.datetime(2024, 5, 2, 8, tzinfo=dt.UTC), dt.datetime(2024, 5, 1, 10, tzinfo=dt.UTC)]
    assert run("import", "churned", answers(tmp_path / "3.csv", "customer,label\n1,true\n"), "--json")["written"] == 0


@pytest.mark.parametrize("ending", ["json", "jsonl", "parquet", "csv"])
def test_formats_say_the_same(run: Run, tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"answers.{ending}"
    rows = [{"customer": 7, "label": True}, {"customer": 8, "label": False}, {"customer": 9, "label": None}]
    if ending == "json":
        path.write_text(json.dumps(rows))
    elif ending == "jsonl":
        path.write_text("\n".join(map(json.dumps, rows)) + "\n")
    else:
        query = "select * from (values (7, true), (8, false), (9, null)) as given (customer, label)"
        duckdb.execute(f"copy ({query}) to '{path}'")
    assert run("import", "churned", path, "--json")["empty"] == 1
    assert sorted(entry[1:3] for entry in written()) == [("7", "true"), ("8", "false")]


WRONG = """\
customer,label,labelled_at
5,true,
5,false,
6,maybe,
x,true,
,true,
7,,never
8,true,never
9,true,2999-01-01
10,"tr\nue",
11,true,2024-01-01
"""


def test_wrong_rows_are_named_and_nothing_is_written(run: Run, tmp_path: Path) -> None:
    said = run("import", "churned", answers(tmp_path / "wrong.csv", WRONG), code=1)
    for part in (
        "7 rows cannot be taken, so no label was written",
        "line 3: customer '5' has the label 'true' on line 2",
        "line 4: label 'maybe' is no class; those are false, true",
        "line 5: labels.churned_votes has no row with customer 'x'",
        "line 6: has no customer",
        "line 8: labelled_at is 'never', which is no time",
        "line 9: labelled_at is 2999-01-01T00:00:00+00:00, which lies ahead",
        "line 11: label 'tr\nue' is no class",
    ):
        assert part in said, said
    many = "customer,label\n" + "".join(f"{place},no\n" for place in range(30))
    said = run("import", "churned", answers(tmp_path / "many.csv", many), code=1)
    assert said.count("is no class") == 10 and "and 20 more rows" in said
    assert not (tmp_path / "events").exists()


@pytest.mark.parametrize(
    "name, content, said",
    [
        ("a.csv", "id,label\n1,true\n", "has no column customer, only id, label"),
        ("a.csv", b"customer,label\n1,\xff\n", "cannot be read"),
        ("a.csv", "customer,label,label\n1,true,false\n", "two columns label"),
        ("a.csv", "customer,site,label\n1,a, b,true\n", "line 2 has more values than there are columns"),
        ("a.json", "{", "cannot be read"),
        ("a.json", "[" * 200_000, "cannot be read"),
        ("a.json", '{"customer": "\\ud800", "label": true}', "cannot be read"),
        ("a.json", "[1]", "row 1 is no object"),
        ("a.parquet", "PAR1", "cannot be read"),
        ("a.xlsx", "", "is none of .csv"),
        ("b.csv", None, "no such file"),
    ],
)
def test_a_file_that_cannot_be_read(
    run: Run, tmp_path: Path, name: str, content: str | bytes | None, said: str
) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content.encode() if isinstance(content, str) else content)
    assert said in run("import", "churned", tmp_path / name, code=1)


def test_tasks_functions_and_slices(run: Run) -> None:
    [task] = run("list", "--json")
    assert (task["task"], task["version"], task["classes"], task["experts"]) == ("churned", 2, ["false", "true"], 20)
    assert task["experts"] + task["functions"] + task["unlabelled"] == 600
    functions = run("functions", "churned", "--json")
    assert [row["function"] for row in functions] == ["few_orders", "complained", "new_plan", "silent"]
    printed = run("functions", "churned")
    assert "│ 0.750   │ 0.700 │ 1     │" in printed and "│ 0.900   │       │       │" in printed
    assert "few_orders: " in run("candidates", "churned", "--limit", "1")
    assert "Did you mean 'churned'?" in run("functions", "churn", code=1)
    assert "Did you mean 'site=North'?" in run("candidates", "churned", "--slice", "site=Nort", code=1)


def test_a_table_that_is_not_built_is_named(home: Path, run: Run, tmp_path: Path) -> None:
    path = tmp_path / "part.duckdb"
    with duckdb.connect(str(path)) as connection:
        churned(connection)
        connection.execute(
            "drop table labels.churned_functions; drop table labels.churned_model; drop table labels.churned"
        )
        connection.execute("drop table labels.expert_labels")
    answers = tmp_path / "answers.csv"
    answers.write_text("customer,label\n")
    answer = CliRunner().invoke(app, ["label", "import", "churned", str(answers), "--database", str(path)])
    assert answer.exit_code == 1 and "dbt run -s expert_labels" in answer.output
    command = ["label", "functions", "churned", "--database", str(path)]
    answer = CliRunner().invoke(app, command)
    assert answer.exit_code == 1 and "dbt run -s +churned_functions" in answer.output
    answer = CliRunner().invoke(app, ["label", "list", "--database", str(path), "--json"])
    assert json.loads(answer.stdout)[0]["version"] is None
