"""The tensors of an answer: what a model gives for each row, in JSON or as binary data."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import orjson

from serving.open_inference.datatypes import BYTES
from serving.open_inference.tensors import to_binary
from serving.predictions.answered import Answered
from serving.predictions.target import Target

JSON = b"application/json"
BINARY = b"application/octet-stream"


@dataclass(frozen=True)
class Output:
    """A tensor of the answer. width: of a row that is a list; None where it is a value."""

    datatype: str
    values: Callable[[Answered], list[Any]]
    width: int | None = None


def outputs_of(target: Target) -> dict[str, Output]:
    """What a model, or an experiment, gives, by name.

    score: of several classes a number for each, in the order of the signature's; label: where the task has labels;
    missing: the feature views that had nothing current, as a JSON list; arm: of an experiment, "" where an ensemble answered.
    """
    signature = target.signature
    outputs = {"score": Output("FP64", _scores, len(signature.classes) or None)}
    if signature.classes or signature.threshold is not None:
        outputs["label"] = Output(BYTES if signature.classes else "BOOL", _labels)
    outputs["status"] = Output(BYTES, _statuses)
    outputs["missing"] = Output(BYTES, _missing)
    if target.version is None:
        outputs["arm"] = Output(BYTES, _arms)
    return outputs


def write_answer(
    answered: Answered, outputs: dict[str, Output], wanted: dict[str, bool], id: str | None
) -> tuple[bytes, dict[str, str], bytes]:
    """The body of an answer, the headers and the content type that go with it.

    wanted: the names of the outputs, and whether as binary data; id: that the client gave its request.
    """
    tensors: list[dict[str, Any]] = []
    parts: list[bytes] = []
    rows = len(answered.predictions)
    for name, is_binary in wanted.items():
        output = outputs[name]
        shape = [rows] if output.width is None else [rows, output.width]
        tensor: dict[str, Any] = {"name": name, "datatype": output.datatype, "shape": shape}
        values = output.values(answered)
        if is_binary:
            parts.append(to_binary(values, output.datatype))
            tensor["parameters"] = {"binary_data_size": len(parts[-1])}
        else:
            tensor["data"] = values
        tensors.append(tensor)
    # A NaN among the numbers becomes null.
    header = orjson.dumps(_names(answered, id) | {"outputs": tensors})
    if not parts:
        return header, {}, JSON
    return b"".join((header, *parts)), {"inference-header-content-length": str(len(header))}, BINARY


def _names(answered: Answered, id: str | None) -> dict[str, Any]:
    parameters: dict[str, Any] = {"request_id": answered.request_id, "release": answered.release}
    if answered.experiment is not None:
        parameters["experiment"] = answered.experiment
    if answered.absent is not None:
        parameters["absent"] = orjson.dumps(answered.absent).decode()
    names: dict[str, Any] = {"model_name": answered.model, "parameters": parameters}
    if answered.version is not None:
        names["model_version"] = str(answered.version)
    if id:
        names["id"] = id
    return names


def _scores(answered: Answered) -> list[Any]:
    scores: list[Any] = [prediction.score for prediction in answered.predictions]
    return [number for row in scores for number in row] if answered.classes else scores


def _labels(answered: Answered) -> list[Any]:
    return [prediction.label for prediction in answered.predictions]


def _statuses(answered: Answered) -> list[Any]:
    return [prediction.status for prediction in answered.predictions]


def _missing(answered: Answered) -> list[Any]:
    return [
        orjson.dumps(prediction.missing).decode() if prediction.missing else "[]" for prediction in answered.predictions
    ]


def _arms(answered: Answered) -> list[Any]:
    if answered.made_by is None:
        return [""] * len(answered.predictions)
    return [made_by.arm for made_by in answered.made_by]
