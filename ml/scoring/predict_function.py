"""`predict(model, row)` in SQL: a vectorised function that scores rows by a version of a model.

    select flight, predict('delay', rows) from rows
    select flight, predict('delay@3', {'distance': distance, 'carrier': carrier}) from rows
    select flight, predict_probabilities('cause@champion', rows) from rows

The row is a table's alias or a struct. What the model does not take is passed over.
"""

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import duckdb
import numpy as np
import pyarrow as pa

from ml.errors import DeclarationError
from ml.field_types import arrow_type
from ml.scoring.signature import Feature

if TYPE_CHECKING:
    from ml.scoring.scorer import Scorer

FindScorer = Callable[[str], "Scorer"]
"""From `<model>`, `<model>@<version>` or `<model>@<alias>` to the model, loaded. It is called for each 2,048 rows."""

_FORM = "write predict('<model>', <table or struct>), with '@<version>' or '@<alias>' after the model if you like"


def register(connection: duckdb.DuckDBPyConnection, find_scorer: FindScorer) -> None:
    """Register predict(model, row) -> DOUBLE; predict_probabilities and contributions -> MAP(VARCHAR, DOUBLE).

    predict gives the probability of a binary task's positive class, or a regression's value; predict_probabilities those
    of a multiclass task, by class; contributions what each feature, and '(base)', adds to the raw score, of several classes
    to the likeliest's. A row that is NULL has no score; a null feature is a missing value. A query fails with
    a DeclarationError's text where there is no such model, or where a row lacks a feature or has it in another type.
    """

    def predict(*arguments: pa.ChunkedArray) -> pa.Array:
        name, rows = _arguments("predict", arguments)
        scorer = find_scorer(name)
        if scorer.signature.classes:
            raise DeclarationError(
                f"predict('{name}', …): the model tells {len(scorer.signature.classes)} classes apart, so a row has no single "
                f"score. Use predict_probabilities('{name}', …)."
            )
        scores = scorer.score(_features("predict", name, rows, scorer.signature.features))
        return pa.array(scores, mask=_is_null(rows))

    def predict_probabilities(*arguments: pa.ChunkedArray) -> pa.Array:
        name, rows = _arguments("predict_probabilities", arguments)
        scorer = find_scorer(name)
        classes = scorer.signature.classes
        if not classes:
            raise DeclarationError(
                f"predict_probabilities('{name}', …): the model gives one score for a row. Use predict('{name}', …)."
            )
        scores = scorer.score(_features("predict_probabilities", name, rows, scorer.signature.features))
        return _maps(classes, scores, _is_null(rows))

    def contributions(*arguments: pa.ChunkedArray) -> pa.Array:
        name, rows = _arguments("contributions", arguments)
        scorer = find_scorer(name)
        features = _features("contributions", name, rows, scorer.signature.features)
        added = scorer.contributions(features)
        if scorer.signature.classes:
            added = added[np.arange(len(added)), scorer.score(features).argmax(axis=1)]
        names = [*(feature.name for feature in scorer.signature.features), "(base)"]
        return _maps(names, added, _is_null(rows))

    options: dict[str, Any] = {"type": "arrow", "null_handling": "special"}
    connection.create_function("predict", predict, None, "DOUBLE", **options)
    for function in (predict_probabilities, contributions):
        connection.create_function(function.__name__, function, None, "MAP(VARCHAR, DOUBLE)", **options)


def _arguments(function: str, arguments: tuple[pa.ChunkedArray, ...]) -> tuple[str, pa.ChunkedArray]:
    if len(arguments) != 2 or not pa.types.is_struct(arguments[1].type):
        raise DeclarationError(f"{function}() takes a model and a row; {_FORM.replace('predict', function)}.")
    names = arguments[0].unique().to_pylist()
    if len(names) != 1 or not isinstance(names[0], str):
        raise DeclarationError(f"{function}(): the model is to be one text for all rows, and no null.")
    return names[0], arguments[1]


def _maps(keys: list[str], values: np.ndarray, is_null: np.ndarray) -> pa.Array:
    """A map of the same keys for each row of values, shape (rows, keys), or null."""
    ends = np.cumsum(np.append(0, np.where(is_null, 0, len(keys))), dtype=np.int32)
    # Where an entry begins says whether it is null.
    offsets = pa.array(ends, mask=np.append(is_null, False))
    places = np.tile(np.arange(len(keys)), np.count_nonzero(~is_null))
    return pa.MapArray.from_arrays(
        offsets, pa.array(keys, pa.string()).take(pa.array(places)), values[~is_null].ravel()
    )


def _is_null(rows: pa.ChunkedArray) -> np.ndarray:
    return np.asarray(rows.is_null().to_numpy())


def _features(function: str, name: str, rows: pa.ChunkedArray, features: list[Feature]) -> pa.Table:
    """The features of a model, found by name as SQL finds columns: whatever the case."""
    fields = {field.name.lower(): (number, field.type) for number, field in enumerate(rows.type)}
    given, columns = pa.Table.from_struct_array(rows), {}
    for feature in features:
        number, found = fields.get(feature.name.lower(), (-1, pa.null()))
        if number < 0:
            raise DeclarationError(
                f"{function}('{name}', …): the row has no '{feature.name}', which the model takes as {feature.type}. Add it; "
                f"the model takes {', '.join(feature.name for feature in features)}."
            )
        if not _is_taken(found, feature):
            raise DeclarationError(
                f"{function}('{name}', …): '{feature.name}' has the type {found} (Arrow), and the model takes "
                f"{feature.type}. Cast it: {feature.name}::{feature.type}."
            )
        columns[feature.name] = given.column(number)
    return pa.table(columns)


def _is_taken(found: pa.DataType, feature: Feature) -> bool:
    """Whether a value of a type means what it meant in training: a text is no number, and 1.0 is no category '1'."""
    kinds = {_kind(found), _kind(arrow_type(feature.type))}
    return (
        len(kinds) == 1 or "null" in kinds or (feature.categories is None and kinds <= {"integer", "double", "decimal"})
    )


def _kind(arrow: pa.DataType) -> str:
    if pa.types.is_dictionary(arrow):
        arrow = arrow.value_type
    kinds = {
        "integer": pa.types.is_integer,
        "double": pa.types.is_floating,
        "text": lambda one: pa.types.is_string(one) or pa.types.is_large_string(one) or pa.types.is_string_view(one),
    }
    # Of decimals and times the kind counts, whatever their digits and units.
    return next((kind for kind, holds in kinds.items() if holds(arrow)), re.split(r"[\d(\[]", str(arrow))[0])
