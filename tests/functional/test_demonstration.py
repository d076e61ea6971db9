"""The demonstration on a slice of the real flights: convergence, history, metrics, guards."""


from tests.conftest import Project


def _tables(project: Project) -> set[str]:
    return {".".join(row) for row in project.query("select schema_name, table_name from duckdb_tables()")}


def test_build_leaves_every_station_of_the_line(built: Project) -> None:
    schemas = {row[0] for row in built.query("select distinct schema_name from duckdb_tables()")}
    assert schemas == {"staging", "features", "datasets", "training", "registry", "predictions", "monitoring"}
    assert built.query("select count(*) from registry.releases") == [(1,)]


def test_second_run_adds_nothing(project: Project) -> None:
    history = (
        "select (select count(*) from registry.model_versions), (select count(*) from registry.releases), "
        "(select count(*) from registry.datasets), (select count(*) from registry.model_aliases), "
        "(select count(*) from training.flight_delay_scores), (select count(*) from registry.model_metrics)"
    )
    before, tables = project.query(history), _tables(project)
    project.dbt("run")
    assert project.query(history) == before
    assert _tables(project) == tables
