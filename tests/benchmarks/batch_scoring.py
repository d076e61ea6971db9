"""How fast a batch is scored, and in how much memory: `predict()` in SQL beside what one would write by hand.

Each contender is a process of its own, which reads rows of 20 features from Parquet, scores them by 200 trees and writes
Parquet again; in turns, and the median of the rounds is shown. Memory is the process's peak above what it held when the
model was loaded. All scores are compared, bit for bit. The last column is one row at a time.
"""

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import duckdb
import lightgbm
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).parents[2]))

from ml import files
from ml.estimators.lightgbm import LightGBM
from ml.scoring.predict_function import register
from ml.scoring.scorer import Scorer
from ml.scoring.signature import Feature, Signature

FEATURES = [f"f{number}" for number in range(20)]
TREES = 200
BATCH = 100_000
ONE_ROW = 500
ROWS, MODEL, SCORES = "rows.parquet", "model.txt", "{}.parquet"

Score = Callable[[], object]


def _pandas(folder: Path, target: Path) -> tuple[Score, Score]:
    booster = lightgbm.Booster(model_file=folder / MODEL)

    def score() -> None:
        frame = pd.read_parquet(folder / ROWS)
        frame["score"] = booster.predict(frame[FEATURES])
        frame[["id", "score"]].to_parquet(target)

    one = pd.DataFrame(np.zeros((1, len(FEATURES))), columns=FEATURES)
    return score, lambda: booster.predict(one)


def _stream(folder: Path, target: Path) -> tuple[Score, Score]:
    booster = lightgbm.Booster(model_file=folder / MODEL)
    connection = duckdb.connect()

    def score() -> None:
        schema = pa.schema([("id", pa.int64()), ("score", pa.float64())])
        with pq.ParquetWriter(target, schema) as writer:
            for batch in connection.sql(f"from '{folder / ROWS}'").to_arrow_reader(BATCH):
                matrix = np.column_stack([batch.column(name).to_numpy() for name in FEATURES])
                writer.write_table(pa.table([batch.column("id"), pa.array(booster.predict(matrix))], schema=schema))

    one = np.zeros((1, len(FEATURES)))
    return score, lambda: booster.predict(one)


def _sql(folder: Path, target: Path) -> tuple[Score, Score]:
    features = [Feature(name, "DOUBLE") for name in FEATURES]
    signature = Signature("at", [], [], [], features, "binary", [], 0.5)
    path = folder / MODEL
    scorer = Scorer(path, LightGBM.artifact_format, files.sha256(path), signature)
    connection = duckdb.connect()
    # Enough for rows that pass once; without a limit DuckDB keeps more of the files than it needs.
    connection.execute("set memory_limit = '128MB'")
    register(connection, lambda name: scorer)
    query = f"select id, predict('model', rows) as score from '{folder / ROWS}' as rows"
    estimator, one = LightGBM(path.read_bytes(), features, 1), np.zeros((1, len(FEATURES)))
    return lambda: connection.execute(f"copy ({query}) to '{target}'"), lambda: estimator.predict(one)


CONTENDERS = {"pandas + Booster": _pandas, "DuckDB + Booster": _stream, "predict() in SQL": _sql}


def _peak_bytes() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _contend(name: str, folder: Path) -> None:
    """What a child process prints: seconds of the batch, bytes that it added, microseconds of one row."""
    score, score_one = CONTENDERS[name](folder, folder / SCORES.format(name))
    score_one()
    start = time.perf_counter()
    for _ in range(ONE_ROW):
        score_one()
    one = (time.perf_counter() - start) / ONE_ROW
    before, start = _peak_bytes(), time.perf_counter()
    score()
    print(json.dumps({"seconds": time.perf_counter() - start, "bytes": _peak_bytes() - before, "one": one * 1e6}))


def _prepare(folder: Path, rows: int, leaves: int) -> None:
    chance = np.random.default_rng(1)
    matrix = chance.normal(size=(200_000, len(FEATURES)))
    target = (
        matrix[:, 0] * matrix[:, 1] + np.sin(3 * matrix[:, 2]) + matrix.sum(axis=1) / 5 + chance.normal(size=200_000)
    )
    matrix[chance.random(matrix.shape) < 0.05] = np.nan
    parameters = {"objective": "binary", "num_leaves": leaves, "verbosity": -1, "seed": 1}
    data = lightgbm.Dataset(matrix, target > 0, feature_name=FEATURES)
    lightgbm.train(parameters, data, TREES).save_model(folder / MODEL)
    schema = pa.schema([("id", pa.int64()), *((name, pa.float64()) for name in FEATURES)])
    with pq.ParquetWriter(folder / ROWS, schema) as writer:
        for start in range(0, rows, BATCH):
            count = min(BATCH, rows - start)
            values = chance.normal(size=(len(FEATURES), count))
            values[chance.random(values.shape) < 0.05] = np.nan
            writer.write_table(pa.table([pa.array(np.arange(start, start + count)), *values], schema=schema))


def _differing(folder: Path, name: str, other: str) -> int:
    paths = [folder / SCORES.format(one) for one in (name, other)]
    query = f"from '{paths[0]}' as a full join '{paths[1]}' as b using (id) where a.score is distinct from b.score"
    return duckdb.sql(f"select count(*) {query}").fetchall()[0][0]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=5_000_000)
    parser.add_argument("--leaves", type=int, default=31)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--contend", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.contend:
        _contend(options.contend[0], Path(options.contend[1]))
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _prepare(folder, options.rows, options.leaves)
        measured: dict[str, list[dict[str, float]]] = {contender: [] for contender in CONTENDERS}
        for _ in range(options.rounds):
            for contender, rounds in measured.items():
                command = [sys.executable, __file__, "--contend", contender, name]
                rounds.append(json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout))
        title = f"{options.rows:,} rows, {len(FEATURES)} features, {TREES} trees of {options.leaves} leaves"
        table = Table("", "seconds", "rows/s", "added MB", "other scores", "one row, us", title=title)
        first = next(iter(measured))
        for contender, rounds in measured.items():
            seconds, added, one = (statistics.median(one[key] for one in rounds) for key in ("seconds", "bytes", "one"))
            differing = _differing(folder, first, contender)
            cells = (
                f"{seconds:.1f}",
                f"{options.rows / seconds:,.0f}",
                f"{added / 1e6:,.0f}",
                f"{differing}",
                f"{one:.0f}",
            )
            table.add_row(contender, *cells)
        Console().print(table)


if __name__ == "__main__":
    main()
