"""Canaries: rows with the scores that a model gave when it was trained, to try a loaded model on.

A text that LightGBM cannot parse ends the process, so a model is first loaded in a child process: `python -m ml.scoring.canary`.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from ml.errors import ArtifactError
from ml.field_types import arrow_type, canonical, decode, encode
from ml.scoring.scorer import Scorer
from ml.scoring.signature import Feature, Signature

CANARY_ROWS = 8
SECONDS_TO_ANSWER = 60


def make_canary(scorer: Scorer, table: pa.Table) -> str:
    """Rows spread over a table and their scores, as JSON {rows: [{feature: value}], scores: [[hex of a double]]}."""
    places = np.unique(np.linspace(0, table.num_rows - 1, CANARY_ROWS).astype(int))
    rows = table.take(pa.array(places)).select([feature.name for feature in scorer.signature.features])
    scores = [[float(score).hex() for score in row] for row in _by_row(scorer, rows)]
    return json.dumps({"rows": [_write_row(row) for row in rows.to_pylist()], "scores": scores})


def _write_row(row: dict[str, Any]) -> dict[str, Any]:
    """A row as JSON holds it without loss: doubles in hex, infinities and NaN too."""
    return {name: value.hex() if isinstance(value, float) else encode(value) for name, value in row.items()}


def _read_value(value: Any, sql_type: str) -> Any:
    if canonical(sql_type) in ("DOUBLE", "FLOAT"):
        return None if value is None else float.fromhex(value)
    return decode(value, sql_type)


def check_in_child(name: str, artifact: Path, artifact_format: str, sha256: str, signature: str, canary: str) -> None:
    """Load a model in a child process and compare its scores with the recorded ones, as `check` does.

    name: the model and version, for the error. Raises ArtifactError where the child crashes, hangs or scores otherwise.
    """
    asked = {
        "artifact": str(artifact),
        "artifact_format": artifact_format,
        "sha256": sha256,
        "signature": signature,
        "canary": canary,
    }
    command = [sys.executable, "-m", "ml.scoring.canary"]
    try:
        child = subprocess.run(
            command, input=json.dumps(asked), capture_output=True, text=True, timeout=SECONDS_TO_ANSWER, check=False
        )
    except subprocess.TimeoutExpired:
        raise ArtifactError(
            f"{name}: {artifact} did not load within {SECONDS_TO_ANSWER} s; train the model again."
        ) from None
    if child.returncode != 0:
        said = child.stderr.strip().splitlines()[-1:] or [f"ended by signal {-child.returncode}"]
        raise ArtifactError(f"{name}: refused, {said[0]}")


def check(scorer: Scorer, canary: str) -> None:
    """Raise ArtifactError where a model does not give its canary's rows the recorded scores: bit for bit, or within what
    the estimator says that another processor may change.
    """
    try:
        stored = json.loads(canary)
        rows = _to_table(stored["rows"], scorer.signature.features)
        expected = [[float.fromhex(score) for score in row] for row in stored["scores"]]
    except (ValueError, KeyError, TypeError) as error:
        raise ArtifactError(
            f"the canary is not one that this version of the platform writes ({error!r}). Train the model again."
        ) from error
    for number, (found, recorded) in enumerate(zip(_by_row(scorer, rows).tolist(), expected, strict=True)):
        if len(found) != len(recorded) or any(
            not abs(one - other) <= scorer.tolerance * max(abs(other), 1)
            for one, other in zip(found, recorded, strict=True)
        ):
            raise ArtifactError(
                f"the canary's row {number} scores {found!r}, recorded {recorded!r}. "
                "The model is another one, or the library scores otherwise; train it again."
            )


def _by_row(scorer: Scorer, rows: pa.Table) -> np.ndarray:
    """Scores of shape (rows, outputs)."""
    return scorer.score(rows).reshape(rows.num_rows, scorer.signature.outputs)


def _to_table(rows: list[dict[str, Any]], features: list[Feature]) -> pa.Table:
    columns = {
        feature.name: pa.array([_read_value(row[feature.name], feature.type) for row in rows], arrow_type(feature.type))
        for feature in features
    }
    return pa.table(columns)


if __name__ == "__main__":
    try:
        asked = json.load(sys.stdin)
        signature = Signature.from_json(asked["signature"])
        model = Scorer(Path(asked["artifact"]), asked["artifact_format"], asked["sha256"], signature)
        check(model, asked["canary"])
    except ArtifactError as error:
        sys.exit(str(error))
