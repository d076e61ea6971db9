"""What a request for predictions got, as an Arrow stream."""

from typing import Any

import pyarrow as pa

from ml.scoring.signature import Signature
from serving.predictions.answered import Answered
from serving.predictions.predictor import Prediction


def prediction_columns(predictions: list[Prediction], signature: Signature) -> dict[str, pa.Array]:
    """A row for each prediction: `score`, a double or a struct with one for each class; `label`, none of a regression;
    `status`; and `missing`, a list of the views that had nothing current.
    """
    scores: Any = [prediction.score for prediction in predictions]
    columns = {
        "score": pa.array(scores, pa.float64()) if not signature.classes else _by_class(scores, signature.classes)
    }
    if predictions[0].label is not None:
        kind = pa.string() if signature.classes else pa.bool_()
        columns["label"] = pa.array([prediction.label for prediction in predictions], kind)
    columns["status"] = pa.array([prediction.status for prediction in predictions], pa.string())
    columns["missing"] = pa.array([prediction.missing for prediction in predictions], pa.list_(pa.string()))
    return columns


def answered_columns(answered: Answered, signature: Signature) -> dict[str, pa.Array]:
    """The same of all that an answer holds, and of an experiment `arm`, `model` and `version`, which made each."""
    columns = prediction_columns(answered.predictions, signature)
    if answered.made_by is not None:
        for name, kind in (("arm", pa.string()), ("model", pa.string()), ("version", pa.int32())):
            columns[name] = pa.array([getattr(made_by, name) for made_by in answered.made_by], kind)
    return columns


def write_stream(parts: list[dict[str, pa.Array]], about: dict[str, str]) -> bytes:
    """An Arrow IPC stream of parts that have the same columns, at least one. about: the schema's metadata."""
    batches = [pa.RecordBatch.from_pydict(part) for part in parts]
    schema = batches[0].schema.with_metadata(about)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, schema) as writer:
        for batch in batches:
            writer.write_batch(batch.replace_schema_metadata(about))
    return bytes(sink.getvalue())


def _by_class(scores: list[list[float]], classes: list[str]) -> pa.Array:
    return pa.StructArray.from_arrays([pa.array(of_class) for of_class in zip(*scores, strict=True)], classes)
