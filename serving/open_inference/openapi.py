"""The OpenAPI of the Open Inference Protocol: the shapes of its answers, of its errors, and of a request for inference."""

from typing import Any

from pydantic import BaseModel

from serving.open_inference.infer_request import MAX_ID
from serving.requests.timeout import TIMEOUT_HEADER


class ErrorAnswer(BaseModel):
    """The body of every answer under /v2 with a 4xx or 503 status."""

    error: str


class LiveAnswer(BaseModel):
    """The process answers."""

    live: bool


class ReadyAnswer(BaseModel):
    """Whether predictions are answered."""

    ready: bool


class ModelReadyAnswer(BaseModel):
    """Whether a model answers."""

    name: str
    ready: bool


class ServerAnswer(BaseModel):
    """The server and the extensions of the protocol that it has."""

    name: str
    version: str
    extensions: list[str]


class TensorAnswer(BaseModel):
    """A tensor that a model takes or gives; -1 in the shape is any number of rows."""

    name: str
    datatype: str
    shape: list[int]
    parameters: dict[str, str | bool] | None = None


class ModelAnswer(BaseModel):
    """What a model takes and gives. `parameters.classes` is the JSON list of the columns of `score`."""

    name: str
    versions: list[str]
    platform: str
    inputs: list[TensorAnswer]
    outputs: list[TensorAnswer]
    parameters: dict[str, str | float]


class ConfigurationAnswer(BaseModel):
    """A model's configuration as Triton has it."""

    name: str
    platform: str
    backend: str
    version_policy: dict[str, Any]
    max_batch_size: int
    input: list[dict[str, Any]]
    output: list[dict[str, Any]]


class IndexEntry(BaseModel):
    """A version of a model."""

    name: str
    version: str
    state: str
    reason: str


class StatisticsAnswer(BaseModel):
    """What was counted of versions of models, as Triton has it."""

    model_stats: list[dict[str, Any]]


class OutputAnswer(BaseModel):
    """A tensor of an answer: `data` in row-major order, or the length of its binary data behind the JSON."""

    name: str
    datatype: str
    shape: list[int]
    parameters: dict[str, int] | None = None
    data: list[float | bool | str | None] | None = None


class InferAnswer(BaseModel):
    """Predictions in the order of the rows. `model_version` is left out where an experiment answered."""

    model_name: str
    model_version: str | None = None
    id: str | None = None
    parameters: dict[str, str]
    outputs: list[OutputAnswer]


def errors(*more: dict[int, str]) -> dict[int | str, dict[str, Any]]:
    """The OpenAPI of refusals with these statuses. FastAPI documents a 422 that cannot be, unless there is a 4XX."""
    found: dict[int | str, dict[str, Any]] = {"4XX": {"model": ErrorAnswer, "description": "The request is refused."}}
    for descriptions in ({503: "No release is being served yet."}, *more):
        for status, text in descriptions.items():
            found[status] = {"model": ErrorAnswer, "description": text}
    return found


NO_SUCH_MODEL = {404: "The release has no such model, version or alias."}
INFER_ERRORS = errors(
    NO_SUCH_MODEL,
    {
        400: "The request is malformed: the error says which input and row is wrong.",
        408: "The body came too slowly, or the time that the client gave was up.",
        413: "The body is too long, or holds too many rows.",
        415: "The body has a content encoding.",
        503: "No release is being served yet, or there are more requests than can be answered in time.",
    },
)
VERSION = {"name": "version", "in": "path", "required": True, "schema": {"type": "string"}}
_HEADER_LENGTH = {
    "name": "Inference-Header-Content-Length",
    "in": "header",
    "description": "Where the JSON object of the body ends, if binary data follow it.",
    "schema": {"type": "integer", "minimum": 0},
}
_PARAMETERS = {"type": ["object", "null"]}
_INPUT = {
    "type": "object",
    "required": ["name", "shape", "datatype"],
    "additionalProperties": False,
    "properties": {
        "name": {"type": "string"},
        "shape": {"type": "array", "items": {"type": "integer", "minimum": 1}, "minItems": 1, "maxItems": 2},
        "datatype": {"type": "string"},
        "parameters": _PARAMETERS | {"description": "binary_data_size: the bytes of its binary data."},
        "data": {"type": "array"},
    },
}
_OUTPUT = {
    "type": "object",
    "required": ["name"],
    "additionalProperties": False,
    "properties": {
        "name": {"type": "string"},
        "parameters": _PARAMETERS | {"description": "binary_data: whether it comes as binary data."},
    },
}
_BODY = {
    "type": "object",
    "required": ["inputs"],
    "additionalProperties": False,
    "properties": {
        "inputs": {"type": "array", "minItems": 1, "items": _INPUT},
        "outputs": {"type": ["array", "null"], "items": _OUTPUT, "description": "All of them, unless some are named."},
        "id": {"type": ["string", "null"], "maxLength": MAX_ID},
        "parameters": _PARAMETERS
        | {"description": "binary_data_output, alias, timeout (microseconds); others are passed over."},
        "model_name": {"type": ["string", "null"]},
        "model_version": {"type": ["string", "null"]},
    },
}
INFER: dict[str, Any] = {
    "parameters": [TIMEOUT_HEADER, _HEADER_LENGTH],
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {"schema": _BODY},
            "application/octet-stream": {"schema": {"type": "string", "format": "binary"}},
        },
    },
}


INFER_ANSWER = {
    "model": InferAnswer,
    "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
}
