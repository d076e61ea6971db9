"""The demonstration on a slice of the real flights: convergence, history, metrics, batch predictions."""

import itertools

import duckdb
import pytest
from sklearn import metrics

from tests.conftest import Project

HISTORY = (
    "registry.model_versions",
    "registry.model_metrics",
    "registry.model_aliases",
    "registry.datasets",
    "registry.feature_views",
    "registry.releases",
    "training.flight_delay_scores",
)
REBUILT = (
    "features.plane_activity_v1",
    "features.plane_activity_v2",
    "features.origin_activity_v1",
    "datasets.flight_delay",
)


def _tables(project: Project) -> set[tuple]:
    return set(project.query("select schema_name, table_name from duckdb_tables()"))


def _rows(project: Project, tables: tuple[str, ...]) -> dict[str, list[tuple]]:
    return {table: project.query(f"select * from {table} order by all") for table in tables}


def test_every_station_of_the_line_is_there(built: Project) -> None:
    schemas = {row[0] for row in built.query("select distinct schema_name from duckdb_tables()")}
    # In main stand the tiles beside the views of windows().
    stations = {
        "staging",
        "features",
        "labels",
        "datasets",
        "training",
        "registry",
        "predictions",
        "monitoring",
        "experiments",
    }
    assert schemas == {"main"} | stations


def test_a_second_run_adds_nothing_and_leaks_nothing(project: Project) -> None:
    before, tables = _rows(project, HISTORY), _tables(project)
    files = sorted(path for path in project.home.rglob("*") if path.suffix in (".parquet", ".txt", ".arrow"))
    project.dbt("run")
    assert _rows(project, HISTORY) == before
    assert _tables(project) == tables
    assert sorted(path for path in project.home.rglob("*") if path.suffix in (".parquet", ".txt", ".arrow")) == files


def test_full_refresh_gives_the_same_rows_and_keeps_history(project: Project) -> None:
    before, history = _rows(project, REBUILT), _rows(project, HISTORY)
    project.dbt("run", "--full-refresh")
    assert _rows(project, REBUILT) == before
    assert _rows(project, HISTORY) == history


def test_each_pipeline_builds_on_its_own(project: Project) -> None:
    before = _rows(project, HISTORY)
    for pipeline in ("inference_pipeline", "training_pipeline", "feature_pipeline"):
        project.dbt("build", "--selector", pipeline)
    assert _rows(project, HISTORY) == before


def test_the_pipelines_cover_the_project(project: Project) -> None:
    listed = [
        project.dbt("ls", "--resource-type", "model", "--selector", f"{name}_pipeline").result
        for name in ("feature", "training", "inference")
    ]
    assert sorted(itertools.chain(*listed)) == sorted(project.dbt("ls", "--resource-type", "model").result)


@pytest.mark.parametrize("where", ["", "where slices['origin'] = 'JFK'"])
def test_metrics_are_those_of_scikit_learn(built: Project, where: str) -> None:
    slice_name = "origin=JFK" if where else "all"
    scores = built.query(f"select split, target, score, threshold from training.flight_delay_scores {where}")
    for split in ("train", "validation", "test"):
        _, target, score, threshold = zip(*(row for row in scores if row[0] == split), strict=True)
        predicted = [value >= limit for value, limit in zip(score, threshold, strict=True)]
        expected = {
            "auc": metrics.roc_auc_score(target, score),
            "average_precision": metrics.average_precision_score(target, score),
            "accuracy": metrics.accuracy_score(target, predicted),
            "log_loss": metrics.log_loss(target, score),
            "brier": metrics.brier_score_loss(target, score),
            "precision": metrics.precision_score(target, predicted),
            "recall": metrics.recall_score(target, predicted),
            "f1": metrics.f1_score(target, predicted),
        }
        found = dict(
            built.query(
                "select metric, value from registry.model_metrics "
                f"where model = 'flight_delay' and split = '{split}' and slice = '{slice_name}'"
            )
        )
        assert {name: found[name] for name in expected} == pytest.approx(expected, rel=1e-12)


def test_the_splits_are_the_declared_months(built: Project) -> None:
    spans = built.query(
        "select split, min(predicted_at) >= '2013-10-01', max(predicted_at) < '2013-11-01', min(predicted_at) >= '2013-11-01' "
        "from training.flight_delay_scores inner join datasets.flight_delay on row_id = flight_id group by split order by 1"
    )
    assert spans == [("test", True, False, True), ("train", False, True, False), ("validation", True, True, False)]


def test_batch_covers_the_flights_that_have_not_departed(built: Project) -> None:
    expected = built.query("select flight_id from staging.flights where departed_at is null and cancelled_at is null")
    found = built.query("select row_id from predictions.flight_delay")
    assert sorted(found) == sorted(expected)
    assert len(found) > 10


def test_nothing_is_known_after_the_clock(project: Project) -> None:
    project.set_clock("2013-11-20T12:00:00Z")
    project.dbt("run", "--selector", "feature_pipeline")
    late = project.query(
        "select (select count(*) from staging.flights where departed_at > as_of or arrived_at > as_of), "
        "(select count(*) from features.plane_activity_v2 where known_at > as_of), "
        "(select count(*) from features.origin_weather_v1 where known_at > as_of) from staging.clock"
    )
    assert late == [(0, 0, 0)]
    assert (
        project.query("select count(*) from staging.flights where departed_at is null and cancelled_at is null")[0][0]
        > 0
    )


def test_landing_times_agree_with_the_reported_delays(built: Project) -> None:
    """arrived_at comes from the clock at the destination; the delay is reported apart."""
    off = built.query(
        "select count(*) filter (date_diff('minute', sched_arr_at, arrived_at) <> arrival_delay), count(*) "
        "from staging.flights where arrival_delay is not null"
    )[0]
    assert off[0] <= 1
    assert off[1] > 10_000


def test_the_release_holds_the_warehouse_s_latest_rows(built: Project) -> None:
    release = (built.home / "releases" / "current").read_text().strip()
    expected = built.query(
        "select * from features.plane_activity_v2 "
        "qualify row_number() over (partition by tailnum order by event_at desc, known_at desc) = 1 order by all"
    )
    with duckdb.connect(str(built.home / "releases" / release / "release.duckdb"), read_only=True) as connection:
        connection.execute("set TimeZone = 'UTC'")
        assert connection.execute("select * from features.plane_activity_v2 order by all").fetchall() == expected
        assert connection.execute("select count(*) from registry.model_versions").fetchall() == [(4,)]
