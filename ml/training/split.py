"""Splits of a dataset's rows into train, validation and test."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ml.datasets.versions import in_memory
from ml.errors import DeclarationError
from ml.training.spec import ModelSpec

SPLITS = ("train", "validation", "test")


def split_rows(spec: ModelSpec, rows: pa.Table, row_id: str, at: str) -> np.ndarray:
    """The split of each row: shape (rows,), 0 train, 1 validation, 2 test.

    rows: a table with the columns `row_id`, `at` (the prediction time) and the one that the split goes by. Raises
    DeclarationError where a split is left empty.
    """
    if spec.split.by == "time":
        splits = _by_time(spec, rows.column(at))
    else:
        splits = _by_hash(spec, rows.column(spec.split.column or row_id))
    for number, name in enumerate(SPLITS):
        if not (splits == number).any():
            times = pc.min_max(rows.column(at)).as_py()
            raise DeclarationError(
                f"model {spec.name}: config.meta.model.split leaves no rows for {name}; of {rows.num_rows} rows the times run "
                f"from {times['min']} to {times['max']}. Move the bounds, or load more data."
            )
    return splits


def _by_time(spec: ModelSpec, at: pa.ChunkedArray) -> np.ndarray:
    """Rows of one time are never parted."""
    times = at.cast(pa.int64()).to_numpy()
    if spec.split.validation_from is not None and spec.split.test_from is not None:
        bounds = [int(bound.timestamp() * 1_000_000) for bound in (spec.split.validation_from, spec.split.test_from)]
    else:
        ordered = np.sort(times)
        bounds = [int(ordered[min(int(len(ordered) * share), len(ordered) - 1)]) for share in _cumulative(spec)]
    return np.asarray(np.searchsorted(np.array(bounds), times, side="right"))


def _by_hash(spec: ModelSpec, values: pa.ChunkedArray) -> np.ndarray:
    """By the MD5 of seed and value, which is the same in every version of every library; nulls are one group."""
    with in_memory() as session:
        session.register("_rows", pa.table({"value": values}))
        text = f"'{spec.seed}:' || coalesce(cast(value as varchar), '')"
        places = session.sql(f"select cast(md5_number_upper({text}) as double) / 18446744073709551616 from _rows")
        found = places.to_arrow_table().column(0).to_numpy()
    return np.asarray(np.searchsorted(np.array(_cumulative(spec)), found, side="right"))


def _cumulative(spec: ModelSpec) -> tuple[float, float]:
    train, validation, _ = spec.split.shares
    return train, train + validation
