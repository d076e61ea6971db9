"""From a table of features to the matrix that estimators take."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ml.signature import Feature


def to_matrix(table: pa.Table, features: list[Feature]) -> np.ndarray:
    """The features of a table as float64, shape (rows, features).

    A null is NaN; a category is its place in `categories`, or NaN where it is not among them.
    """
    matrix = np.empty((table.num_rows, len(features)), dtype=np.float64, order="F")
    for place, feature in enumerate(features):
        matrix[:, place] = _to_floats(table.column(feature.name), feature)
    return np.ascontiguousarray(matrix)


def _to_floats(column: pa.ChunkedArray, feature: Feature) -> np.ndarray:
    if feature.categories is not None:
        column = pc.index_in(pc.cast(column, pa.string()), pa.array(feature.categories, pa.string()))
    elif pa.types.is_boolean(column.type):
        column = pc.cast(column, pa.uint8())
    floats = pc.cast(column, pa.float64(), safe=False)
    return np.asarray(pc.fill_null(floats, float("nan")).to_numpy())
