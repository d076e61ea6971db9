"""`eiderdown_label_probabilities(parameters, votes)` in SQL: a vectorised function that gives rows a probability per class."""

import functools
from typing import TYPE_CHECKING, Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ml.errors import DeclarationError

if TYPE_CHECKING:
    from ml.labeling import LabelModel


def register(connection: duckdb.DuckDBPyConnection) -> None:
    """Register eiderdown_label_probabilities(parameters VARCHAR, votes TINYINT[]) -> DOUBLE[].

    parameters: LabelModel.to_json(), one text for all rows; votes: of each function the place of a class, -1 where it abstains.
    A query fails with a DeclarationError's text where the votes are not those of the model's functions, or one is null.
    """
    options: dict[str, Any] = {"parameters": ["VARCHAR", "TINYINT[]"], "return_type": "DOUBLE[]", "type": "arrow"}
    connection.create_function("eiderdown_label_probabilities", _probabilities, **options)


def _probabilities(parameters: pa.ChunkedArray, votes: pa.ChunkedArray) -> pa.Array:
    texts = parameters.unique().to_pylist()
    if len(texts) != 1:
        raise DeclarationError("eiderdown_label_probabilities(): the parameters are to be one text for all rows.")
    model = _label_model(texts[0])
    rows = votes.combine_chunks()
    values = rows.flatten()
    functions = len(model.get_weights())
    if values.null_count or not pc.all(pc.equal(pc.list_value_length(rows), functions)).as_py():
        raise DeclarationError(
            f"eiderdown_label_probabilities(): the label model has {functions} functions, so a row has as many votes, none of "
            "them null: -1 abstains."
        )
    found = model.predict_proba(values.to_numpy().reshape(len(rows), functions))
    ends = pa.array(np.arange(0, found.size + 1, found.shape[1], dtype=np.int32))
    return pa.ListArray.from_arrays(ends, pa.array(found.ravel()))


@functools.lru_cache(maxsize=4)
def _label_model(parameters: str) -> "LabelModel":
    # scipy is imported when something is labelled, not in every run.
    from ml.labeling import LabelModel

    return LabelModel.from_json(parameters)
