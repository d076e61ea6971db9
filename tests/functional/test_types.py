"""Every carried type, from a feature view through dataset and release to the HTTP answer; every other is refused."""

import json
import shutil
from pathlib import Path
from typing import Any

import duckdb
import pytest
import yaml
from fastapi.testclient import TestClient

import eiderdown
from ml import json_values
from ml.datasets.versions import dataset_version
from ml.field_types import CARRIED
from serving.app import create_app
from tests.conftest import Project, copy_machines, messages

MACHINE = 9007199254740992
NAN, INFINITE, NEGATIVE = "NaN", "Infinity", "-Infinity"


class Special:
    """What an answer holds where JSON has no value: null in its place, and what it is."""

    def __init__(self, special: dict[str, str], value: Any = None) -> None:
        self.special, self.value = special, value

    def answer(self) -> dict[str, Any]:
        status = "nan" if "" in self.special else "present"
        return {"value": self.value, "status": status, "special": self.special}


# A column's name: its type as a user may spell it, as DuckDB names it, and values: SQL text and what an answer holds.
COLUMNS: dict[str, tuple[str, str, list[tuple[str, Any]]]] = {
    "a_tinyint": ("int1", "TINYINT", [("-128", -128), ("127", 127)]),
    "a_smallint": ("short", "SMALLINT", [("-32768", -32768), ("32767", 32767)]),
    "an_integer": ("int", "INTEGER", [("-2147483648", -(2**31)), ("2147483647", 2**31 - 1)]),
    "a_bigint": (
        "int8",
        "BIGINT",
        [("9007199254740993", 2**53 + 1), ("9223372036854775807", 2**63 - 1), ("-9223372036854775808", -(2**63))],
    ),
    "a_utinyint": ("utinyint", "UTINYINT", [("255", 255)]),
    "a_usmallint": ("usmallint", "USMALLINT", [("65535", 65535)]),
    "a_uinteger": ("uinteger", "UINTEGER", [("4294967295", 2**32 - 1)]),
    "a_ubigint": ("ubigint", "UBIGINT", [("18446744073709551615", 2**64 - 1), ("0", 0)]),
    "a_float": ("real", "FLOAT", [("0.1", 0.10000000149011612), ("'nan'", Special({"": NAN})), ("'1e-45'", 2.0**-149)]),
    "a_double": (
        "float8",
        "DOUBLE",
        [
            ("0.1", 0.1),
            ("'nan'", Special({"": NAN})),
            ("'inf'", Special({"": INFINITE})),
            ("'-inf'", Special({"": NEGATIVE})),
            ("'5e-324'", 5e-324),
            ("'1.7976931348623157e308'", 1.7976931348623157e308),
        ],
    ),
    "a_decimal": (
        "numeric(38, 10)",
        "DECIMAL(38,10)",
        [
            ("9999999999999999999999999999.9999999999", "9999999999999999999999999999.9999999999"),
            ("-9999999999999999999999999999.9999999999", "-9999999999999999999999999999.9999999999"),
            ("0.0000000001", "0.0000000001"),
            ("0", "0.0000000000"),
        ],
    ),
    "a_whole": ("decimal(38,0)", "DECIMAL(38,0)", [("9" * 38, "9" * 38), ("-" + "9" * 38, "-" + "9" * 38)]),
    "a_price": ("decimal", "DECIMAL(18,3)", [("1.1", "1.100")]),
    "a_boolean": ("bool", "BOOLEAN", [("true", True), ("false", False)]),
    "a_text": ("text", "VARCHAR", [("'Zoë 東京 🛫'", "Zoë 東京 🛫"), ("''", ""), ("'a''b\"c'", "a'b\"c")]),
    "a_date": (
        "date",
        "DATE",
        [
            ("'9999-12-31'", "9999-12-31"),
            ("'1969-07-20'", "1969-07-20"),
            ("'0001-01-01'", "0001-01-01"),
            ("'infinity'", Special({"": INFINITE})),
            ("'12345-06-07'", Special({"": "12345-06-07"})),
        ],
    ),
    "a_local_time": (
        "datetime",
        "TIMESTAMP",
        [
            ("'9999-12-31 23:59:59.999999'", "9999-12-31T23:59:59.999999"),
            ("'1903-12-17 10:35:00.000001'", "1903-12-17T10:35:00.000001"),
            ("'-infinity'", Special({"": NEGATIVE})),
            ("'10000-01-01'", Special({"": "10000-01-01T00:00:00.000000"})),
        ],
    ),
    "a_time": (
        "timestamp with time zone",
        "TIMESTAMP WITH TIME ZONE",
        [
            ("'9999-12-31 23:59:59.999999+00'", "9999-12-31T23:59:59.999999Z"),
            ("'1969-12-31 23:59:59+01'", "1969-12-31T22:59:59Z"),
            ("'infinity'", Special({"": INFINITE})),
        ],
    ),
    "integers": (
        "int8[]",
        "BIGINT[]",
        [("[9223372036854775807, null, -1]", [2**63 - 1, None, -1]), ("[]", []), ("[null]", [None])],
    ),
    "nested": (
        "int[][]",
        "INTEGER[][]",
        [("[[1], [], null, [2, 3]]", [[1], [], None, [2, 3]]), ("[[1, 2, 3]]", [[1, 2, 3]])],
    ),
    "doubles": (
        "double[]",
        "DOUBLE[]",
        [
            (
                "['nan', 'inf', '-inf', '0.5', null]",
                Special({"/0": NAN, "/1": INFINITE, "/2": NEGATIVE}, [None, None, None, 0.5, None]),
            )
        ],
    ),
    "decimals": ("decimal(38,10)[]", "DECIMAL(38,10)[]", [("[1.5, null]", ["1.5000000000", None])]),
    "texts": ("varchar[]", "VARCHAR[]", [("['é', '', null, 'NULL']", ["é", "", None, "NULL"]), ("['a, b']", ["a, b"])]),
    "times": (
        "timestamptz[]",
        "TIMESTAMP WITH TIME ZONE[]",
        [("['1969-12-31T23:00:00Z', 'infinity']", Special({"/1": INFINITE}, ["1969-12-31T23:00:00Z", None]))],
    ),
    "embedding": (
        "float[3]",
        "FLOAT[3]",
        [("['0.5', '-0.25', 'nan']", Special({"/2": NAN}, [0.5, -0.25, None])), ("[1, null, 3]", [1.0, None, 3.0])],
    ),
    "image": ("utinyint[2][2]", "UTINYINT[2][2]", [("[[0, 255], [1, 2]]", [[0, 255], [1, 2]])]),
    "a_struct": (
        'struct(a integer, b varchar[], "c/d" double)',
        'STRUCT(a INTEGER, b VARCHAR[], "c/d" DOUBLE)',
        [
            (
                "{'a': 1, 'b': ['x', null], 'c/d': 'nan'}",
                Special({"/c~1d": NAN}, {"a": 1, "b": ["x", None], "c/d": None}),
            ),
            ("{'a': null, 'b': [], 'c/d': 1}", {"a": None, "b": [], "c/d": 1.0}),
            ("{'a': null, 'b': null, 'c/d': null}", {"a": None, "b": None, "c/d": None}),
        ],
    ),
    "structs": (
        "struct(seen_at timestamptz, price decimal(9,2))[]",
        "STRUCT(seen_at TIMESTAMP WITH TIME ZONE, price DECIMAL(9,2))[]",
        [
            (
                "[{'seen_at': '2024-05-31T08:30:00Z', 'price': 9.90}, null]",
                [{"seen_at": "2024-05-31T08:30:00Z", "price": "9.90"}, None],
            )
        ],
    ),
    "probabilities": (
        "map(text, float8)",
        "MAP(VARCHAR, DOUBLE)",
        [
            ("map {'late': 0.25, 'a/b': 0.75}", {"late": 0.25, "a/b": 0.75}),
            ("map {'late': 'nan'::double, 'on time': null}", Special({"/late": NAN}, {"late": None, "on time": None})),
        ],
    ),
}
ROWS = max(len(values) for _, _, values in COLUMNS.values()) + 1
"""One for each value, and a last one of nulls."""

REFUSED = {
    "hugeint": "cast it to DECIMAL(38,0)",
    "uhugeint": "cast it to DECIMAL(38,0)",
    "bignum": "cast it to VARCHAR",
    "blob": "cast it to VARCHAR",
    "uuid": "cast it to VARCHAR",
    "time": "cast it to VARCHAR",
    "time with time zone": "cast it to VARCHAR",
    "timestamp_s": "cast it to TIMESTAMP",
    "timestamp_ms": "cast it to TIMESTAMP",
    "timestamp_ns": "cast it to TIMESTAMP",
    "interval": "cast it to BIGINT",
    "bit": "cast it to VARCHAR",
    "enum('a', 'b')": "cast it to VARCHAR",
    "map(varchar, integer)": "cast it to a list of STRUCT",
    "union(a integer, b varchar)": "cast it to a STRUCT",
    "json": "cast it to VARCHAR",
    "variant": "cast it to VARCHAR",
    "hugeint[]": "cast it to DECIMAL(38,0)",
    "struct(a uuid)": "cast it to VARCHAR",
}


def _rows_sql() -> str:
    columns = ",\n    ".join(
        f"case machine {' '.join(f'when {row} then cast({sql} as {kind})' for row, (sql, _) in enumerate(values))} "
        f"end as {name}"
        for name, (kind, _, values) in COLUMNS.items()
    )
    return (
        f"select {MACHINE} + machine as machine_id, timestamptz '2024-05-29T00:00:00Z' as event_at, "
        f"timestamptz '2024-05-29T00:00:00Z' as known_at,\n    {columns}\nfrom range({ROWS}) as machines (machine)"
    )


def _contract(name: str, columns: dict[str, str], **more: Any) -> dict[str, Any]:
    typed = [{"name": column, "data_type": kind} for column, kind in columns.items()]
    return {"name": name, "columns": typed, **more}


def _view(name: str, columns: dict[str, str]) -> dict[str, Any]:
    meta = {"feature_view": {"entity": ["machine_id"], "event_at": "event_at", "known_at": "known_at"}}
    keys = {"machine_id": "bigint", "event_at": "timestamptz", "known_at": "timestamp with time zone"}
    primary_key = {"type": "primary_key", "columns": list(keys)}
    return _contract(name, keys | columns, config={"meta": meta}, constraints=[primary_key], versions=[{"v": 1}])


def _write(project: Project, path: str, content: str | dict[str, Any]) -> None:
    text = content if isinstance(content, str) else yaml.safe_dump({"models": [content]})
    (project.folder / "models" / path).write_text(text)


@pytest.fixture(scope="module")
def typed(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The machines with a second view, which has every carried type, and a dataset of it."""
    project = copy_machines(tmp_path_factory.mktemp("typed") / "machines")
    types = {name: kind for name, (kind, _, _) in COLUMNS.items()}
    _write(project, "features/everything_v1.sql", _rows_sql())
    _write(project, "features/everything.yml", _view("everything", types))
    _write(
        project,
        "datasets/seen.sql",
        "with spine as (select machine_id, as_of as predicted_at from {{ ref('everything', v=1) }} "
        "cross join {{ ref('clock') }})\nselect * from ({{ eiderdown.point_in_time('spine', [ref('everything', v=1)]) }})",
    )
    meta = {"dataset": {"row_id": "machine_id", "at": "predicted_at", "request": ["machine_id"]}}
    keys = {"machine_id": "int64", "predicted_at": "timestamptz"}
    _write(project, "datasets/seen.yml", _contract("seen", keys | types, config={"meta": meta}))
    _write(project, "registry/datasets.sql", "{{ eiderdown.datasets([ref('stops'), ref('seen')]) }}")
    views = "{{ eiderdown.feature_views([ref('machine_health', v=1), ref('heating', v=1), ref('everything', v=1)]) }}"
    _write(project, "registry/feature_views.sql", views)
    readings = project.folder / "models" / "staging" / "readings.sql"
    readings.write_text(readings.read_text().replace("range(600)", "range(100)"))
    project.dbt("deps")
    project.dbt("run")
    return project


def _differing(connection: duckdb.DuckDBPyConnection, relation: str) -> list[tuple[str, int]]:
    """The columns and rows of a relation whose type or value is not the one that was written."""
    return [
        (name, row)
        for name, (kind, named, values) in COLUMNS.items()
        for row in range(ROWS)
        if connection.execute(
            f"select typeof({name}) = ? and {name} is not distinct from cast({values[row][0] if row < len(values) else 'null'} "
            f"as {kind}) from {relation} where machine_id = {MACHINE + row}",
            [named],
        ).fetchall()
        != [(True,)]
    ]


def test_values_are_the_same_in_view_dataset_and_release(typed: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EIDERDOWN_HOME", str(typed.home))
    with duckdb.connect(str(typed.database), read_only=True) as warehouse:
        warehouse.execute("set TimeZone = 'UTC'")
        assert _differing(warehouse, "features.everything_v1") == []
        assert _differing(warehouse, "datasets.seen") == []
        version = dataset_version(warehouse.table("registry.datasets"), "seen")
        table = version.read(warehouse, ["machine_id", *COLUMNS])
        warehouse.register("read_back", table)
        assert _differing(warehouse, "read_back") == []
    with eiderdown.connect() as release:
        assert _differing(release, "features.everything_v1") == []
    assert json_values.to_json(table.column("a_bigint")[0]) == (2**53 + 1, {})


def test_values_are_the_same_over_http(typed: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EIDERDOWN_HOME", str(typed.home))
    keys = [{"machine_id": MACHINE + row} for row in range(ROWS)]
    with TestClient(create_app()) as client:
        answer = client.post("/features/everything", json={"keys": keys})
    assert answer.status_code == 200, answer.text
    for row, found in enumerate(json.loads(answer.text)["rows"]):
        for name, (_, _, values) in COLUMNS.items():
            expected = values[row][1] if row < len(values) else None
            status = "null" if expected is None else "present"
            answered = expected.answer() if isinstance(expected, Special) else {"value": expected, "status": status}
            assert (name, found["features"][name]) == (name, answered)
            # 1 == 1.0 == True in Python, but not in JSON.
            assert json.dumps(found["features"][name]) == json.dumps(answered)


def test_nothing_new_is_published_by_a_second_run(typed: Project) -> None:
    typed.dbt("run")
    assert typed.query("select (select count(*) from registry.releases), max(version) from registry.datasets") == [
        (1, 1)
    ]


def test_a_change_that_hash_does_not_see_is_a_new_version(typed: Project, tmp_path: Path) -> None:
    shutil.copytree(typed.folder, tmp_path / "changed", symlinks=True)
    project = Project(tmp_path / "changed", database=typed.database.name)
    # DuckDB's hash() of [[1, 2, 3]] is that of [[1], [2], [3]], and that of [] is that of null.
    path = project.folder / "models" / "datasets" / "seen.sql"
    path.write_text(
        path.read_text().replace("select * from", "select * replace (nullif(integers, []) as integers) from")
    )
    project.dbt("run", "--select", "seen", "datasets")
    hashes = project.query("select column_hashes from registry.datasets where dataset = 'seen' order by version")
    assert [name for name in hashes[0][0] if hashes[0][0][name] != hashes[1][0][name]] == ["integers"]


@pytest.fixture(scope="module")
def refused(typed: Project, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What one run says of models that cannot hold: a view for each type, a dataset and a model."""
    folder = tmp_path_factory.mktemp("refused") / "machines"
    shutil.copytree(typed.folder, folder, symlinks=True)
    project = Project(folder, database=typed.database.name)
    for place, kind in enumerate(REFUSED):
        sql = f"select 1::bigint as machine_id, now() as event_at, now() as known_at, cast(null as {kind}) as odd"
        _write(project, f"features/odd_{place}_v1.sql", sql)
        _write(project, f"features/odd_{place}.yml", _view(f"odd_{place}", {"odd": kind}))
    meta = {"dataset": {"row_id": "machine_id", "at": "predicted_at", "request": ["machine_id", "embedding"]}}
    columns = {"machine_id": "bigint", "predicted_at": "timestamptz", "embedding": "float[3]"}
    nulls = ", ".join(f"cast(null as {kind}) as {name}" for name, kind in columns.items())
    _write(project, "datasets/asked.sql", f"select {nulls}")
    _write(project, "datasets/asked.yml", _contract("asked", columns, config={"meta": meta}))
    model = folder / "models" / "training" / "training.yml"
    as_it_was = model.read_text()
    declared = as_it_was.replace("dataset: stops", "dataset: seen", 1).replace("target: stopped", "target: a_boolean")
    model.write_text(declared.replace("{exclude: [machine_id]}", "[a_bigint, embedding]", 1))
    said = messages(project.dbt("run", "--select", "will_stop", succeeds=False))
    model.write_text(as_it_was)
    result = project.dbt("run", "--select", "odd_*", "asked", succeeds=False)
    assert project.query("select count(*) from duckdb_tables() where table_name like 'odd%'") == [(0,)]
    return {node.node.name: node.message for node in result.result} | {"will_stop": said}


@pytest.mark.parametrize(("place", "kind"), list(enumerate(REFUSED)))
def test_other_types_are_refused(refused: dict[str, str], place: int, kind: str) -> None:
    message = refused[f"odd_{place}"]
    for part in (f"odd_{place}_v1", "'odd'", str(duckdb.dtype(kind)), "not carried", REFUSED[kind], *CARRIED):
        assert part in message


def test_a_request_holds_no_list(refused: dict[str, str]) -> None:
    assert "dataset asked: the request's field 'embedding' is FLOAT[3]" in refused["asked"]


def test_a_model_takes_no_list(refused: dict[str, str]) -> None:
    said = "config.meta.model.features: 'embedding' is float[3]; a model takes numbers, booleans and text"
    assert said in refused["will_stop"]
