"""Splits of a dataset's rows into train, validation and test."""

import numpy as np
import pyarrow as pa

from ml.errors import DeclarationError
from ml.spec import ModelSpec

SPLITS = ("train", "validation", "test")


def split_by_time(spec: ModelSpec, at: pa.ChunkedArray) -> np.ndarray:
    """The split of each row by its prediction time: shape (rows,), 0 train, 1 validation, 2 test.

    Rows of one time are never parted. Raises DeclarationError where a split is left empty.
    """
    times = at.cast(pa.int64()).to_numpy()
    if spec.split.validation_from is not None and spec.split.test_from is not None:
        bounds = [int(bound.timestamp() * 1_000_000) for bound in (spec.split.validation_from, spec.split.test_from)]
    else:
        distinct = np.unique(times)
        bounds = [int(distinct[int(len(distinct) * share)]) for share in (0.70, 0.85)]
    splits: np.ndarray = np.searchsorted(np.array(bounds), times, side="right")
    for number, name in enumerate(SPLITS):
        if not (splits == number).any():
            raise DeclarationError(
                f"model {spec.name}: config.meta.model.split leaves no rows for {name}; the dataset's times run from "
                f"{at[0] if len(at) else 'nowhere'} on. Move the bounds or load more data."
            )
    return splits
