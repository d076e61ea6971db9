"""Homes to serve experiments from: the release that http_serving has built, with an experiment of its model `quick`.

The model has three versions: 1, its champion; 2, the same again, which is no worse; 3, the first trees alone, which is.
"""

import dataclasses
import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb
import lightgbm
import pyarrow as pa

from ml import files
from ml.estimators.lightgbm import LightGBM
from ml.release.manifest import Manifest, ReleasedModel, identity, read_manifest
from ml.release.place import point_to
from ml.scoring.canary import make_canary
from ml.scoring.scorer import Scorer
from ml.scoring.signature import Signature
from tests.benchmarks.http_serving.home import KEPT, Home, built

CHAMPION, TWIN, WORSE = 1, 2, 3
"""Versions of `quick`."""
FIRST_TREES = 10
_ALIASES = {"champion": CHAMPION, "twin": TWIN, "worse": WORSE}


def experiment(policy: str, *versions: int, **settings: Any) -> dict[str, Any]:
    """A declaration of one whose control is the champion, and whose other arms are these versions."""
    arms = {"control": "quick@champion"} | {f"v{version}": f"quick@{version}" for version in versions}
    return {"name": f"{policy}_of_quick", "policy": policy, "arms": arms, **settings}


@contextmanager
def home_with(declared: dict[str, Any] | None) -> Iterator[Home]:
    """A home of its own whose one release has the three versions, and this experiment; it goes with the context."""
    source = built()
    old = source.folder / "releases" / source.releases[0]
    home = KEPT / "experiments" / uuid.uuid4().hex
    aside = home / "releases" / ".aside"
    # Hard links: the views are large, and the same.
    shutil.copytree(old, aside, copy_function=os.link, ignore=shutil.ignore_patterns("manifest.json"))
    manifest = read_manifest(old)
    champion = next(model for model in manifest.models if model.model == "quick")
    models = [champion, dataclasses.replace(champion, version=TWIN), _first_trees(aside, champion)]
    serving = {"quick": {"experiment": declared}} if declared else {}
    changed = {"models": models, "aliases": {"quick": _ALIASES}, "serving": serving}
    held = (manifest.views, models, changed["aliases"], serving, manifest.catalog)
    name = identity(manifest.as_of, manifest.replay, *held)
    (aside / "manifest.json").write_text(Manifest(**manifest.__dict__ | changed | {"release": name}).to_json())
    aside.rename(home / "releases" / name)
    point_to(home / "releases", name)
    try:
        yield Home(home, (name, name))
    finally:
        shutil.rmtree(home)


def outcomes() -> dict[int, bool]:
    """What came of 20,000 accounts."""
    with duckdb.connect(built().folder / "accounts.duckdb", read_only=True) as connection:
        return dict(connection.execute("select account, is_bought from datasets.narrow_choices").fetchall())


def _first_trees(folder: Path, champion: ReleasedModel) -> ReleasedModel:
    """The champion cut short, as a version of its own."""
    path = folder / "models" / f"quick_v{WORSE}.txt"
    booster = lightgbm.Booster(model_file=folder / champion.file)
    path.write_text(booster.model_to_string(num_iteration=FIRST_TREES))
    signature = Signature.from_json(champion.signature)
    rows = pa.table({name: [0.25, 0.75] for name in (feature.name for feature in signature.features)})
    scorer = Scorer(path, LightGBM.artifact_format, files.sha256(path), signature)
    return dataclasses.replace(
        champion,
        version=WORSE,
        file=str(path.relative_to(folder)),
        sha256=files.sha256(path),
        canary=make_canary(scorer, rows),
    )
