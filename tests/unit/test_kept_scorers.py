"""Models by name are loaded once, and found anew when the registry's file is another one."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from ml import files
from ml.errors import ArtifactError, DeclarationError
from ml.estimators.base import TrainingData
from ml.estimators.lightgbm import LightGBM
from ml.registry.models import ModelVersion, models_file
from ml.scoring.kept_scorers import kept_scorer
from ml.scoring.signature import Feature, Signature

FEATURES = [Feature("x", "DOUBLE")]


def _version(home: Path, number: int) -> dict[str, Any]:
    matrix = np.random.default_rng(number).normal(size=(200, 1))
    data = (matrix, (matrix[:, 0] > number).astype(float))
    trained = LightGBM.train(TrainingData("binary", 1, FEATURES, data, data), {"num_boost_round": 3}, seed=number)
    (home / f"{number}.txt").write_bytes(trained.artifact)
    signature = Signature("at", [], [], [], FEATURES, "binary", [], 0.5)
    known = {
        "model": "delay",
        "version": number,
        "created_at": "2026-01-01T00:00:00+00:00",
        "signature": dataclasses.asdict(signature),
        "canary": {},
        "artifact_format": LightGBM.artifact_format,
        "artifact": f"{number}.txt",
        "artifact_sha256": files.sha256(home / f"{number}.txt"),
    }
    return {field.name: None for field in dataclasses.fields(ModelVersion)} | known


def _write_registry(versions: list[dict[str, Any]], champion: int) -> None:
    alias = {"model": "delay", "alias": "champion", "version": champion}
    models_file().parent.mkdir(parents=True, exist_ok=True)
    files.write_changed(models_file(), json.dumps({"versions": versions, "aliases": [alias], "decisions": []}).encode())


def test_a_model_is_loaded_once_until_the_registry_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EIDERDOWN_HOME", str(tmp_path))
    with pytest.raises(ArtifactError, match="no list of model versions"):
        kept_scorer("delay")
    versions = [_version(tmp_path, number) for number in (0, 1)]
    _write_registry(versions, champion=0)
    first, second, champion = (kept_scorer(name) for name in ("delay@0", "delay@1", "delay"))
    assert kept_scorer("delay") is champion
    table = pa.table({"x": np.linspace(-2, 2, 9)})
    assert champion.score(table).tolist() == first.score(table).tolist() != second.score(table).tolist()
    _write_registry(versions, champion=1)
    assert kept_scorer("delay").score(table).tolist() == second.score(table).tolist()
    with pytest.raises(DeclarationError, match="no version or alias '7'"):
        kept_scorer("delay@7")
