"""monitoring.model_performance in a project with a model of each task, on made-up predictions whose outcomes come days later."""

from typing import Any

import numpy as np
import pytest
import yaml
from sklearn import metrics

from tests.conftest import REPOSITORY, Project, messages

# 400 rows a day from 1 June; on the third day scores mean nothing. What came of a day is observed two days later. Row 5 had
# another outcome at first, and what was said of row 6 is none. Uniform numbers come from the row's number: the same everywhere.
WORLD = """
select
    row,
    'r' || row || '-0' as event_id,
    timestamptz '2024-06-01T00:00:00Z' + to_seconds(row * 216) as predicted_at,
    date_trunc('day', predicted_at) + interval 2 days as observed_at,
    if(row % 7 = 0, null, chr(65 + cast(row % 2 as integer))) as site,
    md5_number_lower('a' || row) / 18446744073709551616.0 as u,
    if(row between 800 and 1199, md5_number_lower('c' || row), md5_number_lower('b' || row)) / 18446744073709551616.0 as noise,
    if(row between 800 and 1199, md5_number_lower('d' || row) / 18446744073709551616.0, u) as seen,
    noise < pow(u, 2) as late,
    case when late then 'x' when u > 0.4 then 'y' else 'z' end as kind,
    10 * u + noise as delay
from range({rows}) as rows (row)
"""
SCORES = {
    "late": ("cast({late} as double)", "seen", "0.5"),
    "kind": (
        "kind",
        "map {'x': seen * seen, 'y': if(seen > 0.4, 1 - seen * seen, 0), 'z': if(seen > 0.4, 0, 1 - seen * seen)}",
        "null",
    ),
    "delay": ("delay", "10 * seen", "null"),
}
TASKS = {"late": "binary", "kind": "multiclass", "delay": "regression"}
METRICS = {"late": {"auc": {"max_loss": 0.02}, "brier": {"max_relative_loss": 0.1}}, "kind": None, "delay": None}
SIGNATURES = {
    "late": '{"threshold": 0.5, "classes": []}',
    "kind": '{"threshold": null, "classes": ["x", "y", "z"]}',
    "delay": '{"threshold": null, "classes": []}',
}
AT_FIRST = {"late": "true", "kind": "y", "delay": "99"}
TABLE = "select * from monitoring.model_performance order by all"


def _scores(model: str) -> str:
    target, score, threshold = SCORES[model]
    kind = ("varchar", "map(varchar, double)") if model == "kind" else ("double", "double")
    return f"""
    select
        '{model}' as model, 1 as version, 1 as dataset_version, cast(row as varchar) as row_id,
        if(row % 4 = 0, 'train', 'test') as split, map {{'site': site}} as slices,
        cast({target.format(late="late")} as {kind[0]}) as target, cast({score} as {kind[1]}) as score,
        cast(null as {kind[1]}) as baseline, cast({threshold} as double) as threshold
    from ({WORLD.format(rows=9000)}) where row >= 4000
    """


def _log(model: str) -> str:
    score = SCORES[model][1]
    return f"""
    select event_id, event_id[:-3] as request_id, 0 as place, site, predicted_at, '{model}' as model, 1 as version,
        cast(null as struct(endpoint varchar, role varchar)) as assignment,
        {"null" if model == "kind" else score} as score, {score if model == "kind" else "null"} as probabilities
    from ({WORLD.format(rows=1600)})
    """


def _feedback(model: str) -> str:
    return f"""
    select
        '{model}' as model, 'r' || row as request_id, 0 as instance,
        list_concat(
            [{{
                'outcome': if(row = 6, 'maybe', cast({model} as varchar)),
                'observed_at': observed_at + to_days(if(row = 5, 2, 0))
            }}],
            if(row = 5, [{{'outcome': '{AT_FIRST[model]}', 'observed_at': observed_at}}], [])
        ) as outcomes
    from ({WORLD.format(rows=1600)})
    where row <> 8
    """


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Project:
    folder = tmp_path_factory.mktemp("performance") / "quality"
    (folder / "models").mkdir(parents=True)
    (folder / "warehouse" / "raw").mkdir(parents=True)
    (folder / "packages.yml").write_text(yaml.safe_dump({"packages": [{"local": str(REPOSITORY)}]}))
    (folder / "dbt_project.yml").write_text(
        "name: quality\nversion: 1.0.0\nprofile: quality\n"
        "models: {eiderdown: {+enabled: false}, quality: {+materialized: table, model_metrics: {+materialized: registered}, "
        "model_performance: {+materialized: registered, +schema: monitoring}}}\n"
        "data_tests: {eiderdown: {+enabled: false}}\nflags: {send_anonymous_usage_stats: false}\n"
    )
    profile = {
        "type": "duckdb",
        "path": str(folder / "warehouse" / "quality.duckdb"),
        "plugins": [{"module": "ml.plugin"}],
        "settings": {"TimeZone": "UTC"},
    }
    (folder / "profiles.yml").write_text(yaml.safe_dump({"quality": {"target": "here", "outputs": {"here": profile}}}))
    queries = {
        "clock": "select cast(as_of as timestamptz) as as_of from read_csv('{{ eiderdown.home() }}/raw/clock.csv')",
        "prediction_log": "\nunion all by name\n".join(_log(model) for model in TASKS),
        "feedback": "\nunion all\n".join(_feedback(model) for model in TASKS),
        "model_versions": " union all ".join(
            f"select '{model}' as model, 1 as version, cast('{signature}' as json) as signature"
            for model, signature in SIGNATURES.items()
        ),
        "model_metrics": "{{ eiderdown.model_metrics(["
        + ", ".join(f"ref('{model}_scores')" for model in TASKS)
        + "]) }}",
        "model_performance": "{{ eiderdown.model_performance(["
        + ", ".join(f"ref('{model}_served')" for model in TASKS)
        + "]) }}",
    }
    declared: list[dict[str, Any]] = []
    for model, task in TASKS.items():
        queries[model] = "select 1 as nothing"
        queries[f"{model}_scores"] = _scores(model)
        queries[f"{model}_served"] = (
            f"select * exclude (model, probabilities, request_id, place, assignment) from "
            f"{{{{ ref('prediction_log') }}}} where model = '{model}'"
        )
        monitor = {"model": model, "at": "predicted_at", "every": "day", "slices": ["site"]}
        if METRICS[model]:
            monitor["metrics"] = METRICS[model]
        declared += [
            {"name": model, "config": {"meta": {"model": {"task": task}}}},
            {"name": f"{model}_scores", "config": {"materialized": "registered", "meta": {"scores": {"model": model}}}},
            {"name": f"{model}_served", "config": {"meta": {"monitor": monitor}}},
        ]
    for name, query in queries.items():
        (folder / "models" / f"{name}.sql").write_text(query)
    (folder / "models" / "models.yml").write_text(yaml.safe_dump({"version": 2, "models": declared}))
    (folder / "macros").mkdir()
    (folder / "macros" / "schema.sql").write_text(
        "{% macro generate_schema_name(name, node) %}{{ name or target.schema }}{% endmacro %}"
    )
    project = Project(folder, database="quality.duckdb")
    project.dbt("deps")
    project.set_clock("2024-06-04T12:00:00Z")
    project.dbt("run")
    return project


def _values(project: Project, model: str, day: int, basis: str, slice_name: str = "all") -> dict[str, Any]:
    rows = project.query(
        "select metric, value, low, high, row_count, outcome_count, unusable_count, reference_value, is_degraded "
        f"from monitoring.model_performance where model = '{model}' and window_at = '2024-06-0{day}T00:00:00Z' "
        f"and basis = '{basis}' and slice = '{slice_name}'"
    )
    names = ("value", "low", "high", "row_count", "outcome_count", "unusable_count", "reference", "is_degraded")
    return {metric: dict(zip(names, rest, strict=True)) for metric, *rest in rows}


def _world(project: Project, day: int) -> dict[str, np.ndarray]:
    query = f"select row, seen, late, kind, delay from ({WORLD.format(rows=1600)}) where day(predicted_at) = {day} order by row"
    columns = zip(*project.query(query), strict=True)
    return {
        name: np.array(values) for name, values in zip(("row", "seen", "late", "kind", "delay"), columns, strict=True)
    }


def test_what_was_known_by_then_is_measured_as_scikit_learn_does(served: Project) -> None:
    """On 4 June: row 5's first outcome stands, row 6 has none that the task knows, of row 8 nothing was said."""
    world = _world(served, 1)
    known = ~np.isin(world["row"], [6, 8])
    late = np.where(world["row"] == 5, True, world["late"])[known]
    found = _values(served, "late", 1, "realised")
    assert found["auc"]["value"] == pytest.approx(metrics.roc_auc_score(late, world["seen"][known]), abs=1e-12)
    assert found["brier"]["value"] == pytest.approx(metrics.brier_score_loss(late, world["seen"][known]), abs=1e-12)
    assert (found["auc"]["row_count"], found["auc"]["outcome_count"], found["auc"]["unusable_count"]) == (400, 398, 1)
    assert found["auc"]["low"] < found["auc"]["value"] < found["auc"]["high"]
    delay = np.where(world["row"] == 5, 99, world["delay"])[known]
    assert _values(served, "delay", 1, "realised")["mae"]["value"] == pytest.approx(
        metrics.mean_absolute_error(delay, 10 * world["seen"][known]), abs=1e-9
    )
    likeliest = np.where(world["seen"] ** 2 > 0.5, "x", np.where(world["seen"] > 0.4, "y", "z"))
    kind = np.where(world["row"] == 5, "y", world["kind"])[known]
    assert _values(served, "kind", 1, "realised")["accuracy"]["value"] == pytest.approx(
        metrics.accuracy_score(kind, likeliest[known]), abs=1e-9
    )


def test_before_outcomes_come_there_is_an_estimate(served: Project) -> None:
    realised, estimated = _values(served, "late", 3, "realised"), _values(served, "late", 3, "estimated")
    assert realised["auc"]["value"] is None
    assert (realised["auc"]["row_count"], realised["auc"]["outcome_count"]) == (400, 0)
    # The scores look as ever; that they mean nothing any more an estimate does not see.
    assert estimated["auc"]["low"] < estimated["auc"]["reference"] < estimated["auc"]["high"]
    assert set(_values(served, "kind", 3, "estimated")) == {"accuracy"}
    assert _values(served, "delay", 3, "estimated") == {}
    for day in (1, 2):
        realised, estimated = _values(served, "late", day, "realised"), _values(served, "late", day, "estimated")
        for name in ("auc", "brier", "accuracy", "f1", "specificity"):
            assert estimated[name]["low"] < realised[name]["value"] < estimated[name]["high"], (day, name)


def test_slices_are_those_of_the_hold_out(served: Project) -> None:
    counts = served.query(
        "select slice, any_value(row_count), bool_and(reference_value is not null) from monitoring.model_performance "
        "where model = 'late' and window_at = '2024-06-02T00:00:00Z' group by slice order by slice"
    )
    assert [name for name, _, _ in counts] == ["all", "site is null", "site=A", "site=B"]
    assert counts[0][1] == sum(count for _, count, _ in counts[1:])
    assert all(has_reference for *_, has_reference in counts)


def test_a_window_changes_as_outcomes_come_and_no_other(served: Project) -> None:
    """The rest runs in order: the clock moves on."""
    assert served.query("select distinct window_at from monitoring.model_performance where is_degraded") == []
    before = served.query(TABLE)
    served.dbt("run", "-s", "model_performance")
    assert served.query(TABLE) == before
    served.set_clock("2024-06-05T00:00:00Z")
    served.dbt("run", "-s", "clock", "model_performance")
    degraded = served.query(
        "select model, slice, metric from monitoring.model_performance where is_degraded and slice = 'all' order by all"
    )
    assert degraded == [
        ("delay", "all", "rmse"),
        ("kind", "all", "accuracy"),
        ("late", "all", "auc"),
        ("late", "all", "brier"),
    ]
    degraded_days = served.query(
        "select distinct day(window_at), basis from monitoring.model_performance where is_degraded"
    )
    assert degraded_days == [(3, "realised")]
    # Row 5 has its second outcome by now.
    assert _values(served, "delay", 1, "realised")["mae"]["value"] < 1
    after = served.query(TABLE)
    second = [row for row in before if row[2].day == 2]
    assert second == [row for row in after if row[2].day == 2]


def test_a_mistake_in_what_is_judged_says_where_and_what_to_do(served: Project) -> None:
    declared = served.folder / "models" / "models.yml"
    text = declared.read_text()
    try:
        declared.write_text(text.replace("max_relative_loss: 0.1", "most: 0.1"))
        result = served.dbt("run", "-s", "model_performance", succeeds=False)
    finally:
        declared.write_text(text)
    assert "config.meta.monitor.metrics.brier has the unknown field 'most'" in messages(result)
