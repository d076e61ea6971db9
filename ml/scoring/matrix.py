"""From a table of features to the matrix that estimators take."""

from collections.abc import Callable, Container

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from ml.expressions.column import Column, to_arrow
from ml.expressions.types import parse_type
from ml.field_types import arrow_type
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


class MatrixOfColumns:
    """What `to_matrix` gives, of columns as ml.expressions has them: decided once for the features of a model, since a
    request has few rows.
    """

    def __init__(self, features: list[Feature], names: Container[str] | None = None) -> None:
        """names: the features that are filled in, all if none are given."""
        self._readers = [
            (place, feature.name, _reader(feature))
            for place, feature in enumerate(features)
            if names is None or feature.name in names
        ]

    def fill(self, columns: dict[str, Column], matrix: npt.NDArray[np.float64]) -> None:
        """Fill in a matrix of shape (rows, features). columns: by name, at least those of the features."""
        for place, name, read in self._readers:
            column = columns[name]
            matrix[:, place] = column.values if read is None else read(column)
            # Quicker for few rows than `any`.
            if 1 in column.null.tobytes():
                matrix[column.null, place] = np.nan


def _reader(feature: Feature) -> Callable[[Column], npt.NDArray[np.float64]] | None:
    """How a column becomes doubles; None where numpy's own conversion is right."""
    kind, arrow = parse_type(feature.type), arrow_type(feature.type)
    if feature.categories is not None and pa.types.is_string(arrow):
        codes = {category: float(code) for code, category in enumerate(feature.categories)}
        return lambda column: np.array([codes.get(value, np.nan) for value in column.values.tolist()])
    if feature.categories is None and not pa.types.is_decimal(arrow):
        return None

    def by_arrow(column: Column) -> npt.NDArray[np.float64]:
        array = to_arrow(column, kind) if kind else pa.array(column.values, arrow, mask=column.null)
        return _to_floats(pa.chunked_array([array]), feature)

    return by_arrow
