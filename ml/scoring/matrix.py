"""From a table of features to the matrix that estimators take."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ml.scoring.signature import Feature

# Columns become rows part by part, so that a part stays in the processor's cache.
_ROWS = 8192


def to_matrix(table: pa.Table, features: list[Feature]) -> np.ndarray:
    """The features of a table as float64, shape (rows, features), row after row.

    A null is NaN; a category is its place in `categories`, or NaN where it is not among them.
    """
    matrix = np.empty((table.num_rows, len(features)), dtype=np.float64)
    for start in range(0, table.num_rows, _ROWS):
        part = table.slice(start, _ROWS)
        columns = np.empty((len(features), part.num_rows))
        for place, feature in enumerate(features):
            columns[place] = _to_floats(part.column(feature.name), feature)
        matrix[start : start + _ROWS] = columns.T
    return matrix


def _to_floats(column: pa.ChunkedArray, feature: Feature) -> np.ndarray:
    if feature.categories is not None:
        column = pc.index_in(pc.cast(column, pa.string()), pa.array(feature.categories, pa.string()))
    elif pa.types.is_boolean(column.type):
        column = pc.cast(column, pa.uint8())
    if column.type != pa.float64():
        column = pc.cast(column, pa.float64(), safe=False)
    if column.null_count:
        column = pc.fill_null(column, float("nan"))
    return np.asarray(column.to_numpy())
