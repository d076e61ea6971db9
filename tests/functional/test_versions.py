"""Versions keep their meaning, contracts hold for Python too, and the champion is chosen by rule."""

import json
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from typer.testing import CliRunner

from eiderdown.cli import app
from serving.app import create_app
from tests.conftest import Project, messages


def _edit(project: Project, file: str, old: str, new: str) -> None:
    path = project.folder / "models" / file
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_a_version_that_changes_its_meaning_stops_before_it_is_overwritten(project: Project) -> None:
    before = project.query("select * from features.route_activity_v1 order by all")
    _edit(project, "features/route_activity_v1.sql", "'count(*) over 7 days'", "'count(*) over 6 days'")
    result = project.dbt("run", "-s", "route_activity+", succeeds=False)
    said = messages(result)
    assert (
        "feature view route_activity version 1: its meaning has changed (breaking): column route_landings changed"
        in said
    )
    assert (
        "Used by the dataset flight_delay version 1, the model arrival_delay_minutes version 1, the model flight_delay"
        in said
    )
    assert "write it as route_activity_v2.sql, with `- v: 2` under versions: in its YAML" in said
    assert "eiderdown_take_changes" not in said
    assert project.query("select * from features.route_activity_v1 order by all") == before
    flag = ("--vars", "{eiderdown_take_changes: [route_activity_v1]}")
    assert "its meaning has changed" in messages(project.dbt("run", "-s", "route_activity", *flag, succeeds=False))


def test_a_change_upstream_is_a_change_of_what_uses_it_and_of_nothing_else(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    _edit(project, "staging/weather.sql", "cast(temp as double)", "cast(temp - 32 as double)")
    _edit(project, "staging/flights.sql", "timed.sched_dep_at, null) as cancelled_at", "null, null) as cancelled_at")
    _edit(project, "features/plane_activity_v2.sql", "last_of_minute", "of_each_minute_the_last")
    monkeypatch.chdir(project.folder)
    monkeypatch.setenv("EIDERDOWN_HOME", str(project.home))
    before = project.query("select * from staging.weather order by all")
    answer = CliRunner().invoke(app, ["diff", "--json"])
    assert answer.exit_code == 1, answer.output
    lines = {line["relation"]: line for line in json.loads(answer.stdout)}
    assert {name: line["state"] for name, line in lines.items() if line["state"] != "unchanged"} == {
        "features.origin_weather_v1": "breaking",
        "datasets.flight_delay": "changed",
    }
    weather = lines["features.origin_weather_v1"]
    assert (weather["what"], weather["causes"]) == (["column temperature changed"], ["staging.weather"])
    assert weather["used_by"] == [
        "the dataset flight_delay version 1",
        "the model arrival_delay_minutes version 1",
        "the model flight_delay version 1",
        "the model flight_delay_weak version 1",
    ]
    assert project.query("select * from staging.weather order by all") == before
    result = project.dbt("run", "-s", "weather+", "flights+1", succeeds=False)
    assert messages(result).count("its meaning has changed") == 1
    assert "feature view origin_weather version 1: its meaning has changed (breaking): column temperature" in messages(
        result
    )


def test_what_an_ephemeral_or_a_python_model_reads_counts(project: Project) -> None:
    staging = project.folder / "models" / "staging"
    (staging / "between.sql").write_text("{{ config(materialized='ephemeral') }}\nselect * from {{ ref('weather') }}\n")
    (staging / "made.py").write_text(
        'def model(dbt, session):\n    dbt.config(materialized="table")\n    weather = dbt.ref("weather")\n    return weather\n'
    )
    path = project.folder / "models" / "features" / "_features.yml"
    text = path.read_text()
    weather = text[text.index("  - name: origin_weather") : text.index("  - name: departure")]
    for name, read in (("ephemeral_weather", "between"), ("python_weather", "made")):
        sql = (project.folder / "models" / "features" / "origin_weather_v1.sql").read_text()
        (project.folder / "models" / "features" / f"{name}_v1.sql").write_text(
            sql.replace("ref('weather')", f"ref('{read}')")
        )
        text += weather.replace("origin_weather", name)
        _edit(
            project,
            "registry/feature_views.sql",
            "    ref('departure'),\n",
            f"    ref('departure'),\n    ref('{name}'),\n",
        )
    path.write_text(text)
    # Of a Python model dbt-duckdb enforces no contract.
    _edit(
        project,
        "staging/_staging.yml",
        "models:\n",
        "models:\n  - {name: made, config: {contract: {enforced: false}}}\n",
    )
    project.dbt("run", "-s", "+ephemeral_weather", "+python_weather", "feature_views")
    _edit(project, "staging/weather.sql", "cast(temp as double)", "cast(temp - 32 as double)")
    said = messages(project.dbt("run", "-s", "weather", "made", "ephemeral_weather", "python_weather", succeeds=False))
    assert "feature view ephemeral_weather version 1: its meaning has changed (breaking): column temperature" in said
    assert "feature view python_weather version 1: its meaning has changed (breaking): upstream" in said


def test_a_view_that_was_never_built_is_new(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    _newer_view(project)
    monkeypatch.chdir(project.folder)
    monkeypatch.setenv("EIDERDOWN_HOME", str(project.home))
    answer = CliRunner().invoke(app, ["diff", "--json"])
    assert answer.exit_code == 0, answer.output
    states = {line["relation"]: line["state"] for line in json.loads(answer.stdout)}
    assert {name: state for name, state in states.items() if state != "unchanged"} == {
        "features.plane_activity_v3": "new",
        "datasets.flight_delay": "changed",
    }
    monkeypatch.chdir(project.home)
    answer = CliRunner().invoke(app, ["diff"])
    assert answer.exit_code == 1
    assert "holds no dbt_project.yml" in answer.output


def test_a_breaking_change_that_nobody_uses_may_be_taken_and_is_recorded(project: Project) -> None:
    _edit(project, "features/plane_activity_v1.sql", "interval 24 hours", "interval 36 hours")
    said = messages(project.dbt("run", "-s", "plane_activity_v1", succeeds=False))
    assert "Nobody uses it" in said
    assert "dbt build --vars '{eiderdown_take_changes: [plane_activity_v1]}'" in said
    project.dbt("run", "--vars", "{eiderdown_take_changes: [plane_activity_v1]}")
    project.dbt("run", "--selector", "feature_pipeline")
    [(changes,)] = project.query(
        "select cast(changes as varchar) from registry.feature_views where view = 'plane_activity' and version = 1"
    )
    [change] = json.loads(changes)
    assert change["kind"] == "breaking"
    assert change["what"] == ["column landings_last_day changed", "column mean_arrival_delay changed"]
    assert project.query("select max(version) from registry.model_versions") == [(1,)]


def test_added_columns_may_be_taken_under_a_champion(project: Project) -> None:
    _edit(
        project,
        "features/origin_weather_v1.sql",
        "    wind_gust,",
        "    wind_gust,\n    wind_gust - wind_speed as gustiness,",
    )
    _edit(
        project,
        "features/_features.yml",
        "      - name: wind_gust\n",
        "      - name: gustiness\n        data_type: double\n      - name: wind_gust\n",
    )
    _edit(project, "datasets/flight_delay_dataset.sql", "* exclude (airport,", "* exclude (gustiness, airport,")
    _edit(
        project, "training/_training.yml", "promote: {metric: auc, split: test}", "promote: {metric: auc, min_gain: 1}"
    )
    said = messages(project.dbt("run", "-s", "origin_weather", succeeds=False))
    assert "its meaning has changed (additive): column gustiness added. Used by" in said
    assert "or take it into this version: dbt build --vars '{eiderdown_take_changes: [origin_weather_v1]}'" in said
    project.dbt("run", "--vars", "{eiderdown_take_changes: [origin_weather_v1]}")
    assert project.query("select version from registry.current_aliases where model = 'flight_delay'") == [(1,)]
    newest = "select models['flight_delay'], map_keys(views) from registry.releases order by created_at desc limit 1"
    [(versions, views)] = project.query(newest)
    # The model does not use the new column, so there is nothing to learn.
    assert versions == [1]
    assert "origin_weather_v1" in views


def test_layout_and_comments_are_no_change(project: Project) -> None:
    _edit(project, "features/route_activity_v1.sql", "select *", "-- a comment\n    select\n    *")
    _edit(project, "staging/weather.sql", "select observed.*", "select observed.* -- a comment")
    project.dbt("run", "-s", "weather+", "route_activity+")
    assert project.query("select max(version) from registry.model_versions") == [(1,)]


def test_the_registry_follows_descriptions_and_deprecations(project: Project) -> None:
    _edit(project, "features/_features.yml", "deprecation_date: 2027-06-30", "deprecation_date: 2028-01-31")
    _edit(project, "features/_features.yml", "The last hour's weather at an origin.", "Weather, an hour old.")
    project.dbt("run", "-s", "registry.feature_views")
    assert project.query(
        "select strftime(deprecation_date, '%Y-%m-%d') from registry.feature_views where deprecation_date > '2020-01-01'"
    ) == [("2028-01-31",)]
    assert project.query("select description from registry.feature_views where view = 'origin_weather'") == [
        ("Weather, an hour old.",)
    ]
    assert project.query("select count(*), count(distinct fingerprint) from registry.feature_views") == [(7, 7)]


def test_a_view_without_versions_is_told_how_to_write_them(project: Project) -> None:
    _edit(
        project,
        "features/_features.yml",
        "    versions:\n      - v: 1\n\n  - name: carrier_activity",
        "\n  - name: carrier_activity",
    )
    (project.folder / "models/features/origin_activity_v1.sql").rename(
        project.folder / "models/features/origin_activity.sql"
    )
    result = project.dbt("run", "-s", "origin_activity", succeeds=False)
    assert "a feature view has versions. Name its file origin_activity_v1.sql" in messages(result)


def test_a_worse_candidate_is_recorded_but_not_promoted(project: Project) -> None:
    _edit(project, "training/_training.yml", "parameters: {learning_rate: 0.05,", "parameters: {num_boost_round: 1,")
    project.dbt("run", "--selector", "training_pipeline")
    project.dbt("run", "--selector", "inference_pipeline")
    assert project.query("select version from registry.model_versions where model = 'flight_delay' order by 1") == [
        (1,),
        (2,),
    ]
    assert project.query("select version from registry.current_aliases where model = 'flight_delay'") == [(1,)]
    assert project.query("select distinct version from predictions.flight_delay") == [(1,)]
    on_one_hold_out = project.query(
        "select version, row_count from registry.model_metrics where model = 'flight_delay' and metric = 'auc' "
        "and split = 'test' and slice = 'all' and dataset_version = 1 order by 1"
    )
    assert [row[0] for row in on_one_hold_out] == [1, 2]
    assert on_one_hold_out[0][1] == on_one_hold_out[1][1]
    newest = project.query("select models['flight_delay'] from registry.releases order by created_at desc limit 1")
    assert newest == [([1, 2],)]


def test_a_better_candidate_is_promoted_with_the_reason(project: Project) -> None:
    _edit(
        project, "training/_training.yml", "promote: {metric: auc, split: test}", "promote: {metric: auc, min_gain: -1}"
    )
    _edit(project, "training/_training.yml", "seed: 1", "seed: 2")
    project.dbt("run", "--selector", "training_pipeline")
    aliases = project.query(
        "select version, reason from registry.model_aliases where model = 'flight_delay' order by since"
    )
    assert [row[0] for row in aliases] == [1, 2]
    assert aliases[0][1] == "first version"
    assert aliases[1][1].startswith("auc on test is 0.")


def test_a_changed_dataset_gets_a_version_and_trains(project: Project) -> None:
    _edit(project, "datasets/flight_delay_dataset.sql", "where arrival_delay is not null", "where arrival_delay < 600")
    project.dbt("run", "--selector", "training_pipeline")
    assert project.query("select version from registry.datasets order by 1") == [(1,), (2,)]
    trained = "select version, dataset_version from registry.model_versions where model = 'flight_delay' order by 1"
    assert project.query(trained) == [(1, 1), (2, 2)]
    champion_on_both = (
        "select dataset_version from registry.model_metrics where model = 'flight_delay' and version = 1 "
        "and metric = 'auc' and split = 'test' and slice = 'all' order by 1"
    )
    assert project.query(champion_on_both) == [(1,), (2,)]


def _python_model(project: Project, body: str) -> None:
    folder = project.folder / "models" / "labels"
    folder.mkdir(exist_ok=True)
    (folder / "votes.py").write_text(
        f'def model(dbt, session):\n    dbt.config(materialized="registered")\n    return session.sql("{body}")\n'
    )
    (folder / "labels.yml").write_text(
        "version: 2\nmodels:\n  - name: votes\n    constraints: [{type: primary_key, columns: [id]}]\n    columns:\n"
        "      - {name: id, data_type: integer}\n"
        "      - {name: vote, data_type: integer, constraints: [{type: not_null}, {type: check, expression: vote < 10}]}\n"
    )


def _votes(project: Project, body: str, succeeds: bool) -> str:
    path: Path = project.folder / "models" / "labels" / "votes.py"
    path.write_text(path.read_text().split("    return")[0] + f'    return session.sql("{body}")\n')
    return (
        messages(project.dbt("run", "-s", "votes", succeeds=succeeds))
        if not succeeds
        else str(project.dbt("run", "-s", "votes"))
    )


def test_contracts_hold_for_python_models(project: Project) -> None:
    _python_model(project, "select 1 as id, 5 as vote")
    project.dbt("run", "-s", "votes")
    kept = [(1, 5)]
    wrong = {
        "select 2 as id, 'five' as vote": "vote: is VARCHAR, the contract has INTEGER",
        "select 2 as id": "vote: missing, the contract has INTEGER",
        "select 2 as id, 5 as vote, 1 as extra": "extra: not in the contract",
        "select 2 as id, 50 as vote": "CHECK constraint failed",
        "select 2 as id, null::integer as vote": "NOT NULL constraint failed",
        "select null::integer as id, 5 as vote": "NOT NULL constraint failed",
        "select * from (values (2, 5), (2, 6)) as t (id, vote)": "uplicate key",
    }
    for body, message in wrong.items():
        assert message in _votes(project, body, succeeds=False)
        schema = project.query("select schema_name from duckdb_tables() where table_name = 'votes'")[0][0]
        assert project.query(f"select * from {schema}.votes") == kept
    _votes(project, "select * from (values (1, 9), (2, 6)) as t (id, vote)", succeeds=True)
    assert project.query(f"select * from {schema}.votes order by 1") == [(1, 5), (2, 6)]


def test_a_python_model_must_return_a_relation(project: Project) -> None:
    _python_model(project, "select 1 as id, 5 as vote")
    path = project.folder / "models" / "labels" / "votes.py"
    path.write_text(path.read_text().replace('session.sql("select 1 as id, 5 as vote")', "[1, 2]"))
    result = project.dbt("run", "-s", "votes", succeeds=False)
    assert "the model returned list. Return a DuckDB relation" in messages(result)


def test_what_the_registry_leaves_out_cannot_be_published(project: Project) -> None:
    _edit(project, "registry/feature_views.sql", "    ref('origin_weather'),\n", "")
    result = project.dbt("run", "-s", "registry.feature_views", succeeds=False)
    assert "the list lacks origin_weather, v=1; add ref('origin_weather', v=1) to it" in messages(result)


def test_an_unknown_field_in_a_declaration_is_named(project: Project) -> None:
    _edit(
        project,
        "training/_training.yml",
        "estimator: lightgbm\n          features: {exclude",
        "estimater: lightgbm\n          features: {exclude",
    )
    result = project.dbt("run", "-s", "flight_delay", succeeds=False)
    assert "unknown field 'estimater'. Did you mean 'estimator'" in messages(result)


def test_the_champion_is_compared_on_the_features_that_it_was_trained_on(project: Project) -> None:
    """The dataset loses a column and takes another version of a view: the champion's scores do not move by a bit."""
    scores = "select row_id, split, score from training.flight_delay_scores where version = 1 and dataset_version = {} order by 1"
    _newer_view(project)
    _edit(
        project,
        "datasets/flight_delay_dataset.sql",
        "exclude (airport, expected_at)",
        "exclude (airport, expected_at, wind_gust)",
    )
    _edit(project, "datasets/_datasets.yml", "      - name: wind_gust\n        data_type: double\n", "")
    project.dbt("run")
    assert project.query("select max(version) from registry.model_versions where model = 'flight_delay'") == [(2,)]
    assert project.query(scores.format(2)) == project.query(scores.format(1))
    assert len(project.query(scores.format(2))) > 10_000


def test_batch_and_http_agree_while_the_dataset_reads_a_newer_view(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = project.query("select row_id, score from predictions.flight_delay order by 1")
    _newer_view(project)
    project.dbt("run")
    assert project.query("select max(version) from registry.model_versions where model = 'flight_delay'") == [(2,)]
    assert project.query("select row_id, score from predictions.flight_delay order by 1") == before
    monkeypatch.setenv("EIDERDOWN_HOME", str(project.home))
    instances = project.query(
        "select tailnum, carrier, flight, origin, dest, strftime(sched_dep_at, '%Y-%m-%dT%H:%M:%SZ') as sched_dep_at, distance "
        "from predictions.flight_delay inner join staging.flights on row_id = flight_id order by row_id"
    )
    names = ("tailnum", "carrier", "flight", "origin", "dest", "sched_dep_at", "distance")
    with TestClient(create_app()) as client:
        body = {"instances": [dict(zip(names, row, strict=True)) for row in instances]}
        answer = client.post("/predict/flight_delay", json=body).json()
    assert answer["version"] == 1
    assert [one["score"] for one in answer["predictions"]] == [row[1] for row in before]


def test_a_new_version_of_a_request_time_view_trains_although_no_value_changes(project: Project) -> None:
    folder = project.folder / "models" / "features"
    text = (folder / "departure_v1.sql").read_text()
    (folder / "departure_v2.sql").write_text(text.replace("airport <> origin", "not (airport = origin)"))
    path = folder / "_features.yml"
    path.write_text(path.read_text().rstrip("\n") + "\n      - v: 2\n")
    _edit(project, "registry/feature_views.sql", "ref('departure')", "ref('departure', v=1), ref('departure', v=2)")
    _edit(project, "datasets/flight_delay_dataset.sql", "ref('departure')", "ref('departure', v=2)")
    project.dbt("run", "-s", "departure.v2", "feature_views")
    project.dbt("run", "--selector", "training_pipeline")
    trained = "select model, max(version) from registry.model_versions group by 1 order by 1"
    assert project.query(trained) == [
        ("arrival_delay_minutes", 2),
        ("flight_delay", 2),
        ("flight_delay_schedule", 2),
        ("flight_delay_weak", 2),
    ]


def test_a_request_time_view_keeps_its_meaning(project: Project) -> None:
    _edit(project, "features/departure_v1.sql", "/ 3600", "/ 60")
    refused = messages(project.dbt("run", "-s", "departure", succeeds=False))
    assert (
        "feature view departure version 1: its meaning has changed (breaking): column turnaround_hours changed"
        in refused
    )


def test_a_request_time_view_that_no_server_could_compute_is_refused(project: Project) -> None:
    _edit(project, "features/departure_v1.sql", "airport <> origin", "regexp_matches(airport, origin)")
    refused = messages(project.dbt("run", "-s", "departure", "flight_delay_dataset", succeeds=False))
    assert "feature view departure_v1, column is_elsewhere: REGEXP_MATCHES(airport, origin): is outside of" in refused


def test_an_input_that_a_dataset_lacks_is_refused(project: Project) -> None:
    _edit(project, "datasets/flight_delay_dataset.sql", "        ref('plane_activity', v=2),\n", "")
    refused = messages(project.dbt("run", "-s", "flight_delay_dataset", succeeds=False))
    assert "feature view departure_v1: its input expected_at is no request field and no feature of a view" in refused


def test_a_feature_that_no_server_could_make_is_refused(project: Project) -> None:
    _edit(
        project,
        "datasets/flight_delay_dataset.sql",
        "select * exclude (airport, expected_at) from joined",
        "select * exclude (airport, expected_at), arrived_late as hint from joined",
    )
    _edit(
        project,
        "datasets/_datasets.yml",
        "      - name: local_hour\n",
        "      - name: hint\n        data_type: boolean\n      - name: local_hour\n",
    )
    refused = messages(project.dbt("run", "--selector", "training_pipeline", succeeds=False))
    assert "the dataset flight_delay makes hint in its own SQL, which a server does not run" in refused


def test_a_key_has_one_type(project: Project) -> None:
    _edit(
        project,
        "datasets/_datasets.yml",
        "      - name: tailnum\n        data_type: varchar\n",
        "      - name: tailnum\n        data_type: integer\n",
    )
    refused = messages(project.dbt("run", "-s", "flight_delay_dataset", succeeds=False))
    assert "the key 'tailnum' is integer here and varchar in the feature view plane_activity" in refused


def test_a_view_that_left_the_project_is_served_no_more_and_stays_registered(project: Project) -> None:
    (project.folder / "models/features/plane_activity_v1.sql").unlink()
    path = project.folder / "models/features/_features.yml"
    text = path.read_text()
    start = text.index("      - v: 1\n        deprecation_date")
    path.write_text(text[:start] + text[text.index("  - name: origin_activity") :])
    _edit(project, "registry/feature_views.sql", "    ref('plane_activity', v=1),\n", "")
    project.dbt("run")
    views = project.query(
        "select version, online, status from registry.feature_views where view = 'plane_activity' order by 1"
    )
    assert views == [(1, False, "retired"), (2, True, "active")]
    newest = project.query("select map_keys(views) from registry.releases order by created_at desc limit 1")[0][0]
    assert "plane_activity_v1" not in newest
    assert "plane_activity_v2" in newest


def _newer_view(project: Project) -> None:
    """plane_activity version 3, which is later by ten minutes, in the dataset; and a champion that stays."""
    folder = project.folder / "models" / "features"
    text = (folder / "plane_activity_v2.sql").read_text()
    (folder / "plane_activity_v3.sql").write_text(
        text.replace("as expected_at", "+ interval 10 minutes as expected_at").replace(
            "avg(departure_delay)", "avg(departure_delay + 1)"
        )
    )
    _edit(
        project,
        "features/_features.yml",
        "    versions:\n      - v: 2\n",
        "    versions:\n      - v: 3\n      - v: 2\n",
    )
    _edit(project, "features/_features.yml", "    latest_version: 2\n", "    latest_version: 3\n")
    _edit(
        project,
        "registry/feature_views.sql",
        "    ref('plane_activity', v=2),\n",
        "    ref('plane_activity', v=2),\n    ref('plane_activity', v=3),\n",
    )
    _edit(project, "datasets/flight_delay_dataset.sql", "ref('plane_activity', v=2)", "ref('plane_activity', v=3)")
    _edit(
        project, "training/_training.yml", "promote: {metric: auc, split: test}", "promote: {metric: auc, min_gain: 1}"
    )
