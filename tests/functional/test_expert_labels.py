"""A task from candidates to answers and back, through dbt: whom an expert has labelled is labelled so, and asked no more."""

import csv
import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from eiderdown.cli import app
from ml.events import write_events
from tests.conftest import Project, copy_machines

MODELS = {
    "breaks_votes.sql": """
select
    i as part,
    if(i % 2 = 0, 'East', 'West') as site,
    case when hash(i) % 10 < 6 then if(hash(i * 3) % 10 < 8, i % 3 = 0, i % 3 <> 0) end as is_hot,
    case when hash(i * 5) % 10 < 7 then if(hash(i * 7) % 10 < 8, i % 3 = 0, i % 3 <> 0) end as is_loud,
    case when hash(i * 11) % 10 < 5 then if(hash(i * 13) % 10 < 7, i % 3 = 0, i % 3 <> 0) end as is_old
from range(400) as parts (i)
""",
    "breaks_model.py": """
def model(dbt, session):
    from ml.labeling.learn import learn_label_model

    dbt.config(materialized="registered")
    votes = dbt.ref("breaks_votes")
    experts = dbt.ref("expert_labels")
    return learn_label_model(dbt, session, dbt.config.meta_get("label_model"), votes, experts)
""",
    "breaks.sql": "{{ eiderdown.labels(ref('breaks_votes'), ref('breaks_model'), ref('expert_labels')) }}",
    "breaks_candidates.sql": "{{ eiderdown.label_candidates(ref('breaks'), ref('breaks_votes'), slices=['site'], limit=20) }}",
    "expert_labels.sql": "{{ eiderdown.expert_labels() }}",
    "labels.yml": """
models:
  - {name: breaks_votes, config: {meta: {votes: {row_id: part, classes: [false, true], keep: [site]}}}}
  - {name: breaks_model, config: {meta: {label_model: {votes: breaks_votes}}}}
""",
}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    project = copy_machines(tmp_path_factory.mktemp("labels") / "machines")
    settings = project.folder / "dbt_project.yml"
    hooks = '["{{ eiderdown.check_votes() }}", "{{ eiderdown.record_fingerprint() }}"]'
    settings.write_text(
        f"{settings.read_text()}    labels: {{+schema: labels, +materialized: table, +post-hook: {hooks}}}\n"
    )
    folder = project.folder / "models" / "labels"
    folder.mkdir()
    for name, text in MODELS.items():
        (folder / name).write_text(text)
    project.dbt("deps")
    return project


def test_what_an_expert_says_is_the_label(project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EIDERDOWN_HOME", str(project.home))

    def label(*arguments: object) -> Any:
        answer = CliRunner().invoke(app, ["label", *map(str, arguments), "--json"])
        assert answer.exit_code == 0, answer.output
        return json.loads(answer.stdout)

    build = ("run", "-s", "path:models/labels", "event_files")
    said = {"task": "breaks", "labelled_by": "bob", "labelled_at": "2026-01-01T00:00:00Z"}
    write_events("labels", [said | {"row_id": "399", "label": "true"}, said | {"row_id": "0", "label": "true"}])
    project.dbt(*build)
    assert project.query("select part, label from labels.breaks where source = 'expert' order by 1") == [
        (0, True),
        (399, True),
    ]
    answers = tmp_path / "answers.csv"
    assert label("candidates", "breaks", "--limit", 12, "--slice", "site=East", "--output", answers)["rows"] == 12
    with answers.open(newline="") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        row["label"] = str(int(row["part"]) % 3 == 0).upper()
    rows.append({"part": "0", "label": "false"})
    with answers.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    assert label("import", "breaks", answers, "--by", "ada")["written"] == 13
    assert label("import", "breaks", answers, "--by", "ada")["unchanged"] == 13
    (project.home / "events" / "labels" / "torn.jsonl").write_text('{"event_id": "a", "task": "br')
    project.dbt(*build)
    truth = {int(row["part"]): row["label"] == "TRUE" for row in rows} | {399: True}
    found = project.query("select part, label, probability from labels.breaks where source = 'expert'")
    assert {row[0]: row[1:] for row in found} == {part: (label, 1.0) for part, label in truth.items()}
    by = project.query("select labelled_by, count(*) from labels.expert_labels group by all order by all")
    assert by == [("ada", 13), ("bob", 1)]
    assert not truth.keys() & {row["part"] for row in label("candidates", "breaks")}
    [task] = label("list")
    assert (task["task"], task["version"], task["experts"]) == ("breaks", 2, 14)
    files = project.query(
        "select line_count, torn_count from monitoring.event_files where kind = 'labels' order by all"
    )
    assert files == [(1, 1), (2, 0), (13, 0)]
