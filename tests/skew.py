"""Skew, measured: what a dataset says of a moment beside what a release made at that moment serves.

`measure` builds one dataset, with all the year known, whose rows stand at given moments; then it sets the clock to each
moment, publishes a release, and compares the dataset with what batch read, what `/features` and `/predict` answer, what
the server logged and what plain SQL over the release's database gives. Bits, statuses and all: each number is a count of
differences. The SQL side shares no code with the platform: joins as an analyst writes them, scores by LightGBM's own
package.
"""

import datetime as dt
import json
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import duckdb
import lightgbm
import numpy as np
import pyarrow as pa
import pytest
import yaml
from fastapi.testclient import TestClient
from rich import box
from rich.console import Console
from rich.table import Table

import eiderdown
from eiderdown.demonstration import flights
from ml import files
from ml.field_types import encode
from ml.scoring.scorer import Scorer
from ml.scoring.signature import Signature
from serving.app import create_app
from tests.conftest import Project, copy_project

# Both ends of daylight saving, in New York, and three other days.
MOMENTS = (
    "2013-03-10T07:30:00Z",
    "2013-06-24T22:10:00Z",
    "2013-09-12T17:45:00Z",
    "2013-11-03T06:15:00Z",
    "2013-12-31T12:00:00Z",
)
REQUEST = ["tailnum", "carrier", "flight", "origin", "dest", "distance", "sched_dep_at"]
RELEASE = (
    "path:models/staging path:models/features feature_views flight_delay_upcoming flight_delay_predictions releases"
)
PAGE = 1000

Row = dict[str, Any]


@dataclass(frozen=True)
class Differences:
    """Of one moment: how many rows and feature values were compared, and how many differed, by where they came from."""

    moment: str
    rows: int
    values: int
    present: int
    expired: int
    not_found: int
    features_batch: int
    features_http: int
    features_logged: int
    features_sql: int
    scores_batch: int
    scores_http: int
    scores_sql: int

    @property
    def total(self) -> int:
        """All that differed."""
        return sum(
            getattr(self, field.name) for field in fields(self) if field.name.startswith(("features_", "scores_"))
        )


def measure(project: Project, rows_per_moment: int) -> Iterator[Differences]:
    """Compare at each of MOMENTS. project: a built demonstration, which is changed."""
    _add_models(project)
    _write_spine(project, rows_per_moment)
    project.dbt("run", "-s", "skew_dataset")
    for moment in MOMENTS:
        project.set_clock(moment)
        project.dbt("run", "-s", *RELEASE.split())
        yield _compare(project, moment)


def _add_models(project: Project) -> None:
    """The dataset with the spine's rows, and the batch over the same rows."""
    models = project.folder / "models"
    declared = yaml.safe_load((models / "datasets" / "_datasets.yml").read_text())
    dataset = declared["models"][0]
    labels = dataset["config"]["meta"]["dataset"]["labels"]
    dataset["name"] = "skew_dataset"
    dataset["config"] = {
        "alias": "skew",
        "meta": {"dataset": {"row_id": "row_id", "at": "predicted_at", "request": REQUEST}},
    }
    dataset["constraints"] = [{"type": "primary_key", "columns": ["row_id"]}]
    stored = [
        {"name": "airport", "data_type": "varchar"},
        {"name": "expected_at", "data_type": "timestamptz"},
        *({"name": f"{view}_status", "data_type": "varchar"} for view in _views(project)),
    ]
    kept = [column for column in dataset["columns"] if column["name"] not in ("flight_id", *labels)]
    dataset["columns"] = [{"name": "row_id", "data_type": "varchar"}, *kept, *stored]
    (models / "datasets" / "_skew.yml").write_text(yaml.safe_dump(declared))
    original = (models / "datasets" / "flight_delay_dataset.sql").read_text()
    refs = original[original.index("[\n") : original.index(") }}\n\n)")]
    spine = "read_parquet('{{ eiderdown.home() }}/raw/skew.parquet')"
    (models / "datasets" / "skew_dataset.sql").write_text(
        f"with spine as (select * from {spine}),\n"
        f"joined as ({{{{ eiderdown.point_in_time('spine', {refs}, status=true) }}}})\n"
        "select * from joined\n"
    )
    (models / "predictions" / "flight_delay_upcoming.sql").write_text(
        f"with upcoming as (select row_id as flight_id, spine.* from {spine} as spine\n"
        "inner join {{ ref('clock') }} as clock on spine.predicted_at = clock.as_of)\n"
        "{{ eiderdown.model_features('flight_delay', 'upcoming') }}\n"
    )


def _views(project: Project) -> dict[str, Row]:
    """The views of the model's signature, by name with version."""
    signature = json.loads(
        project.query("select signature from registry.model_versions where model = 'flight_delay'")[0][0]
    )
    return {f"{view['view']}_v{view['version']}": view for view in signature["views"]}


def _write_spine(project: Project, rows_per_moment: int) -> None:
    """Flights of the weeks around each moment, departed or not; one in twenty of a plane that nobody knows."""
    moments = ", ".join(f"(timestamptz '{moment}')" for moment in MOMENTS)
    project.query(
        f"""
        copy (
            select
                strftime(moment, '%Y%m%d') || '-' || flight_id as row_id,
                if(hash(flight_id, moment) % 20 = 0, 'N0WHERE', tailnum) as tailnum,
                carrier, flight, origin, dest, distance, sched_dep_at, moment as predicted_at
            from staging.flights cross join (values {moments}) as moments (moment)
            where sched_dep_at between moment - interval 30 days and moment + interval 30 days
            qualify row_number() over (partition by moment order by hash(flight_id)) <= {rows_per_moment}
            order by row_id
        ) to '{project.home / "raw" / "skew.parquet"}' (format parquet)
        """
    )


def _compare(project: Project, moment: str) -> Differences:
    views = _views(project)
    stored = [name for view in views.values() for name in view["features"]]
    statuses = [f"{view}_status" for view in views]
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("EIDERDOWN_HOME", str(project.home))
        model = _released_model(project)
        used = [feature.name for feature in model.signature.features]
        names = list(dict.fromkeys([*stored, *used]))
        at = f"where predicted_at = timestamptz '{moment}' order by row_id"
        dataset = _rows(project, f"select row_id, {', '.join([*names, *statuses, *REQUEST])} from datasets.skew {at}")
        batch = _rows(
            project, f"select row_id, {', '.join([*names, *statuses])} from predictions.flight_delay_upcoming {at}"
        )
        scored = _rows(project, "select row_id, score, label, missing from predictions.flight_delay order by row_id")
        plain = _plain_sql(project, moment, views, model.signature)
        http, logged, looked_up = _ask_server(project, dataset, views)

    scores = model.score(_table(project, dataset, model.signature)).tolist()
    independent = _independent_scores(project, model.signature, plain)
    expected = [
        {
            "score": score,
            "label": score >= model.signature.threshold,
            "missing": [view["view"] for name, view in views.items() if row[f"{name}_status"] != "present"],
        }
        for row, score in zip(dataset, scores, strict=True)
    ]
    found = [row[status] for row in dataset for status in statuses]
    return Differences(
        moment=moment,
        rows=len(dataset),
        values=len(dataset) * (len(names) + len(statuses)),
        present=found.count("present"),
        expired=found.count("expired"),
        not_found=found.count("not_found"),
        features_batch=_count(dataset, batch, [*names, *statuses]),
        features_http=_count([_as_answered(row, views) for row in dataset], looked_up, list(looked_up[0])),
        features_logged=_count([{name: encode(row[name]) for name in used} for row in dataset], logged, used),
        features_sql=_count(dataset, plain, [*names, *statuses]),
        scores_batch=_count(expected, scored, ["score", "label", "missing"]),
        scores_http=_count(expected, http, ["score", "label", "missing"]),
        scores_sql=sum(one != other for one, other in zip(scores, independent, strict=True)),
    )


def _count(expected: list[Row], found: list[Row], names: list[str]) -> int:
    """Values that differ. Python's == on doubles, with NaN never equal: stored features hold none."""
    return sum(one[name] != other[name] for one, other in zip(expected, found, strict=True) for name in names)


def _rows(project: Project, query: str) -> list[Row]:
    with duckdb.connect(str(project.database), read_only=True) as connection:
        connection.execute("set TimeZone = 'UTC'")
        result = connection.sql(query)
        return [dict(zip(result.columns, row, strict=True)) for row in result.fetchall()]


def _released_model(project: Project) -> Scorer:
    artifact, artifact_format, sha256, signature = project.query(
        "select artifact, artifact_format, artifact_sha256, signature from registry.model_versions where model = 'flight_delay'"
    )[0]
    return Scorer(files.home() / artifact, artifact_format, sha256, Signature.from_json(signature))


def _table(project: Project, dataset: list[Row], signature: Signature) -> pa.Table:
    names = ", ".join(feature.name for feature in signature.features)
    with duckdb.connect(str(project.database), read_only=True) as connection:
        at = dataset[0]["row_id"][:8]
        return connection.sql(
            f"select {names} from datasets.skew where row_id like '{at}%' order by row_id"
        ).to_arrow_table()


def _plain_sql(project: Project, moment: str, views: dict[str, Row], signature: Signature) -> list[Row]:
    """Features and statuses from the release's own database, by joins on the latest rows."""
    joins, columns = [], ["spine.*"]
    for name, view in views.items():
        keys = ", ".join(view["entity"])
        too_old = f"epoch_us(spine.predicted_at) - epoch_us({name}.event_at) > {int(view['ttl_seconds'] * 1e6)}"
        joins.append(f"left join features.{name} as {name} using ({keys})")
        columns += [f"if({too_old}, null, {name}.{feature}) as {feature}" for feature in view["features"]]
        columns.append(
            f"case when {name}.event_at is null then 'not_found' when {too_old} then 'expired' else 'present' end "
            f"as {name}_status"
        )
    computed = ", ".join(f"cast({one.expression} as {one.type}) as {one.name}" for one in signature.expressions)
    spine = (
        f"(from read_parquet('{project.home / 'raw' / 'skew.parquet'}') where predicted_at = timestamptz '{moment}')"
    )
    with eiderdown.connect() as connection:
        result = connection.execute(
            f"select *, {computed} from (select {', '.join(columns)} from {spine} as spine {' '.join(joins)}) order by row_id"
        )
        names = [column[0] for column in result.description or []]
        return [dict(zip(names, row, strict=True)) for row in result.fetchall()]


def _independent_scores(project: Project, signature: Signature, rows: list[Row]) -> list[float]:
    """LightGBM's own package, on a matrix that is made here."""
    artifact = project.query("select artifact from registry.model_versions where model = 'flight_delay'")[0][0]
    matrix = np.full((len(rows), len(signature.features)), np.nan)
    for place, feature in enumerate(signature.features):
        places = {category: number for number, category in enumerate(feature.categories or [])}
        for number, row in enumerate(rows):
            value = row[feature.name] if feature.categories is None else places.get(row[feature.name])
            if value is not None:
                matrix[number, place] = value
    scores: list[float] = (
        lightgbm.Booster(model_file=str(project.home / artifact)).predict(matrix, num_threads=1).tolist()
    )
    return scores


def _ask_server(project: Project, dataset: list[Row], views: dict[str, Row]) -> tuple[list[Row], list[Row], list[Row]]:
    """What /predict answers, what the server logged of it, and what /features answers for the same rows."""
    events = project.home / "events" / "predictions"
    before = set(events.iterdir())
    predictions: list[Row] = []
    looked_up: list[Row] = [{} for _ in dataset]
    with TestClient(create_app()) as client:
        for start in range(0, len(dataset), PAGE):
            page = dataset[start : start + PAGE]
            instances = [{name: encode(row[name]) for name in REQUEST} for row in page]
            answer = client.post("/predict/flight_delay", json={"instances": instances}).raise_for_status().json()
            predictions += [{**one, "missing": one.get("missing", [])} for one in answer["predictions"]]
            for name, view in views.items():
                # A key with a null is no key: the look-up is not asked, and the dataset must say not_found.
                asked = [place for place, row in enumerate(page) if all(row[key] is not None for key in view["entity"])]
                keys = [{key: page[place][key] for key in view["entity"]} for place in asked]
                rows = client.post(f"/features/{name}", json={"keys": keys}).raise_for_status().json()["rows"]
                for place, row in zip(asked, rows, strict=True):
                    looked_up[start + place] |= row["features"]
                for place in set(range(len(page))) - set(asked):
                    absent = {"value": None, "status": "not_found"}
                    looked_up[start + place] |= dict.fromkeys(view["features"], absent)
    new = [path for path in events.iterdir() if path not in before]
    events_of_requests = [json.loads(line) for path in new for line in path.read_text().splitlines()]
    logged = [
        dict(zip(event["names"], values, strict=True)) for event in events_of_requests for values in event["features"]
    ]
    return predictions, logged, looked_up


def _as_answered(row: Row, views: dict[str, Row]) -> Row:
    """A dataset's row as /features is to answer it."""
    answer = {}
    for name, view in views.items():
        status = row[f"{name}_status"]
        for feature in view["features"]:
            is_null = status == "present" and row[feature] is None
            answer[feature] = {"value": encode(row[feature]), "status": "null" if is_null else status}
    return answer


def main() -> None:
    """On all the flights, 10,000 rows: `make skew`."""
    with tempfile.TemporaryDirectory() as folder:
        project = copy_project(Path(folder))
        flights.load(project.home / "raw", flights.DEFAULT_AS_OF)
        project.dbt("run")
        moments = [dt.datetime.fromisoformat(moment).strftime("%d %b\n%H:%M") for moment in MOMENTS]
        table = Table(
            title="A dataset and a release at its moment: ≠ counts what differs", box=box.SIMPLE_HEAD, pad_edge=False
        )
        table.add_column(no_wrap=True)
        for moment in moments:
            table.add_column(moment, justify="right")
        found = list(measure(project, 2000))
        for field in fields(Differences)[1:]:
            is_difference = field.name.startswith(("features_", "scores_"))
            name = ("≠ " if is_difference else "") + field.name.replace("_", " ")
            table.add_row(name, *(f"{getattr(one, field.name):,}" for one in found))
        Console().print(table)
        sys.exit(1 if sum(one.total for one in found) else 0)


if __name__ == "__main__":
    main()
