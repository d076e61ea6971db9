"""A release made up by hand, to serve without dbt: a feature view `machine` and a model `stops`, in milliseconds."""

import datetime as dt
import functools
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from ml import files
from ml.estimators.base import TrainingData
from ml.estimators.lightgbm import LightGBM
from ml.release.feature_file import write_feature_file
from ml.release.manifest import Manifest, ReleasedModel, ReleasedView, identity, read_manifest
from ml.scoring.canary import make_canary
from ml.scoring.scorer import Scorer
from ml.scoring.signature import Feature, RequestField, Signature, ViewInput

AS_OF = dt.datetime(2026, 1, 1, 12, tzinfo=dt.UTC)
HOUR = dt.timedelta(hours=1)
MODEL_FEATURES = [Feature("heat", "DOUBLE")]
CLASSES = ["goes", "slows", "stops"]
FEATURES = {"heat": "double", "parts": "struct(name varchar, counts bigint[])", "place": "varchar"}
SCHEMA = pa.schema(
    [
        ("machine", pa.string()),
        ("event_at", pa.timestamp("us", "UTC")),
        ("known_at", pa.timestamp("us", "UTC")),
        ("heat", pa.float64()),
        ("parts", pa.struct([("name", pa.string()), ("counts", pa.list_(pa.int64()))])),
        ("place", pa.string()),
    ]
)


def row(machine: str, event_at: dt.datetime, known_at: dt.datetime, heat: float | None) -> dict[str, Any]:
    """A row of the view, which is its contract's."""
    return {
        "machine": machine,
        "event_at": event_at,
        "known_at": known_at,
        "heat": heat,
        "parts": {"name": "belt", "counts": [1, None]},
        "place": None,
    }


def publish(
    home: Path,
    rows: Iterable[dict[str, Any]],
    as_of: dt.datetime = AS_OF,
    created_at: dt.datetime = AS_OF,
    *,
    versions: int = 1,
    aliases: dict[str, int] | None = None,
    serving: dict[str, Any] | None = None,
    task: str = "binary",
    fields: Sequence[RequestField] = (),
    fields_of: dict[int, list[RequestField]] | None = None,
) -> str:
    """Publish a release of the view with these rows, whose ttl is one day, and of the model. Returns its name.

    versions: how many the model has, which score differently; aliases: theirs, the first is champion unless told; serving: what
    the model declares of how it is served; fields: of a request, beside the machine, which make no feature, and fields_of: those
    that a version takes besides; task: the model's.
    """
    aside = home / "releases" / ".aside"
    for folder in ("features", "models"):
        (aside / folder).mkdir(parents=True)
    (aside / "release.duckdb").write_bytes(b"")
    view = _view(aside, rows)
    others = fields_of or {}
    models = [_model(aside, one, [*fields, *others.get(one, [])], task) for one in range(1, versions + 1)]
    named = {"stops": aliases or {"champion": 1}}
    declared = {"stops": serving} if serving else {}
    name = identity(as_of.isoformat(), True, [view], models, named, declared, "")
    manifest = Manifest(
        release=name,
        as_of=as_of.isoformat(),
        replay=True,
        views=[view],
        models=models,
        aliases=named,
        serving=declared,
        catalog="",
        created_at=created_at.isoformat(),
        database="release.duckdb",
        database_sha256=files.sha256(aside / "release.duckdb"),
    )
    (aside / "manifest.json").write_text(manifest.to_json())
    aside.rename(home / "releases" / name)
    point_at(home, name)
    return name


def point_at(home: Path, release: str) -> None:
    """Make a release the current one."""
    files.write_whole(home / "releases" / "current", release.encode())


def scorer(home: Path) -> Scorer:
    """The model of the current release."""
    folder = home / "releases" / (home / "releases" / "current").read_text()
    model = read_manifest(folder).models[0]
    return Scorer(folder / model.file, model.artifact_format, model.sha256, Signature.from_json(model.signature))


def _view(folder: Path, rows: Iterable[dict[str, Any]]) -> ReleasedView:
    path = folder / "features" / "machine_v1.arrow"
    count = write_feature_file(pa.Table.from_pylist(list(rows), SCHEMA), ["machine"], path)
    return ReleasedView(
        view="machine",
        version=1,
        fingerprint="",
        entity=["machine"],
        event_at="event_at",
        known_at="known_at",
        ttl_seconds=86_400.0,
        columns=FEATURES,
        file=str(path.relative_to(folder)),
        sha256=files.sha256(path),
        row_count=count,
    )


def _model(folder: Path, version: int, fields: Sequence[RequestField], task: str) -> ReleasedModel:
    path = folder / "models" / f"stops_v{version}.txt"
    path.write_bytes(_artifact(version, task))
    view = ViewInput("machine", 1, "", ["machine"], 86_400.0, {"heat": "double"})
    request = [RequestField("machine", "VARCHAR", required=True), *fields]
    classes = CLASSES if task == "multiclass" else []
    threshold = 0.5 if task == "binary" else None
    signature = Signature("predicted_at", request, [view], [], MODEL_FEATURES, task, classes, threshold)
    sha256 = files.sha256(path)
    scorer = Scorer(path, LightGBM.artifact_format, sha256, signature)
    return ReleasedModel(
        model="stops",
        version=version,
        task=task,
        estimator="lightgbm",
        artifact_format=LightGBM.artifact_format,
        file=str(path.relative_to(folder)),
        sha256=sha256,
        signature=signature.to_json(),
        canary=make_canary(scorer, pa.table({"heat": [-1.0, 1.0]})),
    )


@functools.cache
def _artifact(version: int, task: str) -> bytes:
    matrix = np.random.default_rng(1).normal(size=(200, 1))
    targets = {
        "binary": matrix[:, 0] > 0,
        "multiclass": np.digitize(matrix[:, 0], (-0.5, 0.5)),
        "regression": matrix[:, 0],
    }
    data = (matrix, targets[task].astype(float))
    training = TrainingData(task, len(CLASSES) if task == "multiclass" else 1, MODEL_FEATURES, data, data)
    return LightGBM.train(training, {"num_boost_round": 2 + version}, seed=1).artifact
