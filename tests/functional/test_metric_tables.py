"""The registry's metrics, calibration, thresholds and comparisons in a project with a model of each task, on made-up scores."""

from pathlib import Path

import pytest
import yaml
from sklearn import metrics

from tests.conftest import REPOSITORY, Project

TASKS = {
    "binary": ("late", "double", "double"),
    "multiclass": ("kind", "varchar", "map(varchar, double)"),
    "regression": ("delay", "double", "double"),
}
TABLES = ("model_metrics", "model_calibration", "model_thresholds", "model_comparisons")
SCORED = "split = 'test' and version = 2"
GROUP = f"{SCORED} and slice = 'all'"
# Version 2 is the better one. Each uniform number comes from the row's number, so that the scores are the same everywhere.
ROWS = """
select
    '{model}' as model,
    cast(version as integer) as version,
    1 as dataset_version,
    cast(row as varchar) as row_id,
    if(row % 3 = 0, 'test', 'train') as split,
    map {{'site': if(row % 7 = 0, null, chr(65 + cast(row % 2 as integer)))}} as slices,
    cast({target} as {target_type}) as target,
    cast({score} as {score_type}) as score,
    cast({baseline} as {score_type}) as baseline,
    cast({threshold} as double) as threshold
from (
    select
        row,
        version,
        md5_number_lower('a' || row) / 18446744073709551616.0 as u,
        md5_number_lower('b' || row) / 18446744073709551616.0 as noise,
        (u + (4 - version) * noise) / (5 - version) as blurred
    from range(600) as rows (row), range(1, cast('{{{{ var("versions") }}}}' as integer) + 1) as versions (version)
)
"""
FORMULAS = {
    "binary": {
        "target": "u > 0.6",
        "score": "blurred",
        "baseline": "if(version = 1, null, 0.4)",
        "threshold": "0.5",
    },
    "multiclass": {
        "target": "if(u > 0.6, 'x', if(u > 0.3, 'y', 'z'))",
        "score": "map {'x': blurred / 2, 'y': 0.5 - blurred / 2, 'z': 0.5}",
        "baseline": "map {'x': 0.4, 'y': 0.3, 'z': 0.3}",
        "threshold": "null",
    },
    "regression": {"target": "u", "score": "blurred", "baseline": "0.5", "threshold": "null"},
}


def _write(folder: Path) -> None:
    relations = ", ".join(f"ref('{model}_scores')" for model, *_ in TASKS.values())
    models = []
    for task, (model, target, score) in TASKS.items():
        models += [
            {"name": model, "config": {"meta": {"model": {"task": task}}}},
            {
                "name": f"{model}_scores",
                "config": {"materialized": "registered", "meta": {"scores": {"model": model}}},
            },
        ]
        (folder / "models" / f"{model}.sql").write_text("select 1 as nothing\n")
        (folder / "models" / f"{model}_scores.sql").write_text(
            ROWS.format(model=model, target_type=target, score_type=score, **FORMULAS[task])
        )
    for table in TABLES:
        listed = f"[{relations}]" if table == "model_metrics" else ""
        (folder / "models" / f"{table}.sql").write_text(f"{{{{ eiderdown.{table}({listed}) }}}}\n")
        models.append({"name": table, "config": {"materialized": "registered"}})
    (folder / "models" / "models.yml").write_text(yaml.safe_dump({"version": 2, "models": models}))


@pytest.fixture(scope="module")
def scored(tmp_path_factory: pytest.TempPathFactory) -> Project:
    folder = tmp_path_factory.mktemp("scored") / "scored"
    (folder / "models").mkdir(parents=True)
    (folder / "warehouse").mkdir()
    (folder / "packages.yml").write_text(yaml.safe_dump({"packages": [{"local": str(REPOSITORY)}]}))
    (folder / "dbt_project.yml").write_text(
        "name: scored\nversion: 1.0.0\nprofile: scored\nvars: {versions: 2}\n"
        "models: {eiderdown: {+enabled: false}}\ndata_tests: {eiderdown: {+enabled: false}}\n"
        "flags: {send_anonymous_usage_stats: false}\n"
    )
    profile = {
        "type": "duckdb",
        "path": str(folder / "warehouse" / "scored.duckdb"),
        "plugins": [{"module": "ml.plugin"}],
        "settings": {"TimeZone": "UTC"},
    }
    (folder / "profiles.yml").write_text(yaml.safe_dump({"scored": {"target": "here", "outputs": {"here": profile}}}))
    _write(folder)
    project = Project(folder, database="scored.duckdb")
    project.dbt("deps")
    # Version 1 is measured by a run of its own, as it would be.
    project.dbt("run", "--vars", "versions: 1")
    project.dbt("run")
    return project


def test_each_task_has_the_metrics_of_scikit_learn(scored: Project) -> None:
    found = {
        (model, metric): (value, baseline)
        for model, metric, value, baseline in scored.query(
            f"select model, metric, value, baseline from model_metrics where {GROUP}"
        )
    }
    late = scored.query(f"select target, score, 0.4 from late_scores where {SCORED}")
    delay = scored.query(f"select target, score from delay_scores where {SCORED}")
    kind = scored.query(f"select target, [score['x'], score['y'], score['z']] from kind_scores where {SCORED}")
    target, score, baseline = zip(*late, strict=True)
    assert found["late", "auc"] == pytest.approx((metrics.roc_auc_score(target, score), 0.5), abs=1e-12)
    assert found["late", "log_loss"] == pytest.approx(
        (metrics.log_loss(target, score), metrics.log_loss(target, baseline)), abs=1e-12
    )
    target, score = zip(*delay, strict=True)
    assert found["delay", "r2"][0] == pytest.approx(metrics.r2_score(target, score), abs=1e-12)
    target, score = zip(*kind, strict=True)
    assert found["kind", "auc_macro"] == pytest.approx(
        (metrics.roc_auc_score(target, score, multi_class="ovr"), 0.5), abs=1e-12
    )


def test_a_version_without_baseline_scores_has_no_baseline(scored: Project) -> None:
    assert scored.query("select distinct baseline from model_metrics where model = 'late' and version = 1") == [(None,)]


def test_every_slice_is_measured_in_every_split(scored: Project) -> None:
    expected = {(split, name) for split in ("train", "test") for name in ("all", "site=A", "site=B", "site is null")}
    for table in ("model_metrics", "model_calibration", "model_comparisons"):
        for model, *_ in TASKS.values():
            groups = scored.query(f"select distinct split, slice from {table} where model = '{model}'")
            assert set(groups) == expected
    counts = scored.query(
        "select slice, max(row_count) from model_metrics where split = 'train' and model = 'late' group by 1 order by 1"
    )
    assert sum(count for _, count in counts) == 800


def test_the_newest_version_is_compared_with_the_one_before(scored: Project) -> None:
    rows = scored.query(f"select metric, value, champion_value, difference, low from model_comparisons where {GROUP}")
    for metric, value, champion_value, difference, low in rows:
        if metric in ("auc", "log_loss", "brier", "auc_macro", "rmse", "mae"):
            sign = -1 if metric in ("log_loss", "brier", "rmse", "mae") else 1
            assert difference == pytest.approx(sign * (value - champion_value))
            assert 0 < low < difference
    assert scored.query("select distinct version, champion from model_comparisons") == [(2, 1)]
    metric_values = scored.query(f"select model, metric, value from model_metrics where {GROUP} order by all")
    compared = set(scored.query(f"select model, metric, value from model_comparisons where {GROUP}"))
    assert compared <= set(metric_values)


def test_thresholds_are_bounded_and_those_of_the_scores(scored: Project) -> None:
    counts = scored.query(
        "select slice = 'all', max(points) from (select slice, count(*) as points from model_thresholds "
        "group by model, version, split, slice) group by 1 order by 1"
    )
    assert counts == [(False, 21), (True, 101)]
    wrong = scored.query(
        "select count(*) from model_thresholds as kept where split = 'test' and slice = 'all' and true_positives <> "
        "(select count(*) from late_scores where version = kept.version and split = 'test' and target = 1 "
        "and score >= kept.threshold)"
    )
    assert wrong == [(0,)]
    assert scored.query("select distinct model from model_thresholds") == [("late",)]


def test_calibration_bins_hold_each_row_once(scored: Project) -> None:
    sums = scored.query(
        "select model, sum(row_count), count(*) from model_calibration where version = 2 and split = 'test' "
        "and slice = 'all' group by model order by model"
    )
    assert sums == [("delay", 200, 10), ("kind", 200, sums[1][2]), ("late", 200, 10)]


def test_a_second_run_adds_nothing(scored: Project) -> None:
    before = {table: scored.query(f"select * from {table} order by all") for table in TABLES}
    scored.dbt("run", "--select", *TABLES)
    assert {table: scored.query(f"select * from {table} order by all") for table in TABLES} == before
