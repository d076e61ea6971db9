"""predict() in SQL over real models: the scores of the scorer, for any form of row, and errors that say what to do."""

from collections.abc import Iterator
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pytest

from ml import files
from ml.errors import DeclarationError
from ml.estimators.base import TrainingData
from ml.estimators.lightgbm import LightGBM
from ml.scoring.predict_function import register
from ml.scoring.scorer import Scorer
from ml.scoring.signature import Feature, Signature

FEATURES = [
    Feature("distance", "DOUBLE"),
    Feature("legs", "BIGINT"),
    Feature("carrier", "VARCHAR", ["AA", "B6", "UA"]),
    Feature("night", "BOOLEAN"),
    Feature("fare", "DECIMAL(9,2)"),
]
ROWS = 5000
TABLE = """
create table flights as select
    i as flight,
    if(i % 7 = 0, null, sin(i) * 100) as distance,
    (i * 31 % 11)::bigint as legs,
    ['AA', 'B6', 'UA', 'ZZ', null][1 + i % 5] as carrier,
    if(i % 13 = 0, null, i % 3 = 0) as night,
    (i % 977)::decimal(9, 2) / 7 as fare,
from range($rows) as rows(i)
"""


def _scorer(folder: Path, task: str) -> Scorer:
    chance = np.random.default_rng(1)
    matrix = np.column_stack(
        [chance.normal(size=1500) * 70, *chance.integers(0, 3, (3, 1500)), chance.random(1500) * 140]
    )
    target = (matrix[:, 0] > 0) + (matrix[:, 2] == 1.0) * 1.0
    target = target > 0 if task == "binary" else target
    classes = ["none", "some", "all"] if task == "multiclass" else []
    data = TrainingData(
        task, len(classes) or 1, FEATURES, (matrix, target.astype(float)), (matrix, target.astype(float))
    )
    artifact = LightGBM.train(data, {"num_boost_round": 10}, seed=1).artifact
    path = folder / f"{task}.txt"
    path.write_bytes(artifact)
    threshold = 0.5 if task == "binary" else None
    signature = Signature("at", [], [], [], FEATURES, task, classes, threshold)
    return Scorer(path, LightGBM.artifact_format, files.sha256(path), signature)


@pytest.fixture(scope="module")
def scorers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Scorer]:
    folder = tmp_path_factory.mktemp("models")
    return {task: _scorer(folder, task) for task in ("binary", "regression", "multiclass")}


@pytest.fixture(scope="module")
def connection(scorers: dict[str, Scorer]) -> Iterator[duckdb.DuckDBPyConnection]:
    def find(name: str) -> Scorer:
        if name not in scorers:
            raise DeclarationError(f"there is no model '{name}'")
        return scorers[name]

    with duckdb.connect(config={"threads": 3}) as connection:
        connection.execute(TABLE, {"rows": ROWS})
        register(connection, find)
        yield connection


def _expected(connection: duckdb.DuckDBPyConnection, scorer: Scorer) -> np.ndarray:
    return scorer.score(connection.sql("from flights order by flight").to_arrow_table())


@pytest.mark.parametrize("task", ["binary", "regression"])
@pytest.mark.parametrize(
    "row",
    [
        "flights",
        "{'distance': distance, 'legs': legs, 'carrier': carrier, 'night': night, 'fare': fare}",
        "{'FARE': fare::double, 'Distance': distance, 'legs': legs::utinyint, 'carrier': carrier, 'NIGHT': night, 'x': [1]}",
        "{'distance': distance, 'legs': legs::double, 'carrier': carrier::enum('AA', 'B6', 'UA', 'ZZ'), 'night': night, "
        "'fare': fare}",
    ],
)
def test_the_scores_of_the_scorer(
    connection: duckdb.DuckDBPyConnection, scorers: dict[str, Scorer], task: str, row: str
) -> None:
    found = connection.sql(f"select predict('{task}', {row}) from flights order by flight").fetchall()
    assert [score for (score,) in found] == _expected(connection, scorers[task]).tolist()


def test_probabilities_by_class(connection: duckdb.DuckDBPyConnection, scorers: dict[str, Scorer]) -> None:
    query = "select predict_probabilities('multiclass', flights) from flights order by flight"
    probabilities = _expected(connection, scorers["multiclass"]).tolist()
    expected = [dict(zip(["none", "some", "all"], row, strict=True)) for row in probabilities]
    assert [row for (row,) in connection.sql(query).fetchall()] == expected


def test_one_row_a_filter_and_an_order(connection: duckdb.DuckDBPyConnection, scorers: dict[str, Scorer]) -> None:
    expected = _expected(connection, scorers["binary"])
    assert connection.sql("select predict('binary', f) from flights f where flight = 4321").fetchall() == [
        (expected[4321],)
    ]
    best = connection.sql(
        "select flight from flights where predict('binary', flights) > 0.5 order by flight"
    ).fetchall()
    assert [flight for (flight,) in best] == np.flatnonzero(expected > 0.5).tolist()
    assert connection.sql("select predict('binary', none) from (from flights limit 0) as none").fetchall() == []


def test_a_row_that_is_null_has_no_score(connection: duckdb.DuckDBPyConnection) -> None:
    rows = "(select flight, if(flight % 2 = 0, null, flights) as row from flights where flight < 6000)"
    for function, model in (("predict", "binary"), ("predict_probabilities", "multiclass")):
        query = (
            f"select flight % 2 = 0, {function}('{model}', row) is null, count(*) from {rows} group by all order by 1"
        )
        assert connection.sql(query).fetchall() == [(False, False, ROWS // 2), (True, True, ROWS // 2)]


def test_null_features_are_missing_values(connection: duckdb.DuckDBPyConnection, scorers: dict[str, Scorer]) -> None:
    row = "{'distance': null, 'legs': null, 'carrier': null, 'night': null, 'fare': null}"
    nothing = pa.table({feature.name: pa.nulls(1, pa.float64()) for feature in FEATURES})
    assert connection.sql(f"select predict('binary', {row})").fetchall() == [(scorers["binary"].score(nothing)[0],)]


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("predict('nobody', flights)", "there is no model 'nobody'"),
        ("predict('binary', distance)", "takes a model and a row; write predict"),
        ("predict('binary')", "takes a model and a row"),
        ("predict_probabilities('multiclass')", "write predict_probabilities"),
        ("predict(carrier, flights)", "one text for all rows"),
        ("predict(null, flights)", "one text for all rows"),
        ("predict('binary', {'distance': distance})", "no 'legs', which the model takes as BIGINT. Add it"),
        ("predict('multiclass', flights)", r"Use predict_probabilities\('multiclass'"),
        ("predict_probabilities('binary', flights)", r"Use predict\('binary'"),
    ],
)
def test_errors_say_what_to_do(connection: duckdb.DuckDBPyConnection, query: str, said: str) -> None:
    with pytest.raises(duckdb.InvalidInputException, match=said):
        connection.sql(f"select {query} from flights").fetchall()


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("distance", "'12'"),
        ("legs", "true"),
        ("carrier", "1"),
        ("night", "1"),
        ("night", "'true'"),
        ("fare", "current_date"),
    ],
)
def test_another_type_is_refused(connection: duckdb.DuckDBPyConnection, column: str, value: str) -> None:
    rows = f"(select * replace ({value} as {column}) from flights) as rows"
    with pytest.raises(duckdb.InvalidInputException, match=rf"'{column}' has the type .* Cast it: {column}::"):
        connection.sql(f"select predict('binary', rows) from {rows}").fetchall()
