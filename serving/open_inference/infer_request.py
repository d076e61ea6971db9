"""A request for inference: the JSON object at the head of a body and the binary data behind it, as instances of a model."""

from collections.abc import Collection
from typing import Any

from fastapi import Request

from ml.scoring.signature import Signature
from serving.open_inference.datatypes import datatypes_of
from serving.open_inference.tensors import TensorError, Values, from_binary, from_json
from serving.problems import Problem
from serving.requests.strict_json import decode_object, read_body
from serving.settings import Settings

HEADER_LENGTH = b"inference-header-content-length"
"""The header that says where the JSON object of a body ends."""
MAX_ID = 128
"""Characters of a request's id, which comes back in the answer."""

_FIELDS = {"inputs", "outputs", "parameters", "id", "model_name", "model_version"}
_INPUT = {"name", "shape", "datatype", "parameters", "data"}
_OUTPUT = {"name", "parameters"}
# Each would change the answer, so none is passed over as other parameters are.
_SEQUENCE = ("sequence_id", "sequence_start", "sequence_end")
_SHARED_MEMORY = ("shared_memory_region", "shared_memory_byte_size", "shared_memory_offset")
_MICROSECONDS = 10**12


class InferRequest:
    """What a client asks, checked as far as it can be without the model.

    id: that the client gave, if it did; alias: of the model; seconds: for how long the client waits.
    """

    def __init__(self, header: dict[str, Any], binary: memoryview) -> None:
        """header: the JSON object; binary: what follows it. Raises Problem 400."""
        self._header, self._binary = header, binary
        self._parameters = parameters = _parameters(header, _SEQUENCE, "requests are independent of each other", ())
        self.id: str | None = _typed(header, "id", str, "a string")
        if self.id is not None and len(self.id) > MAX_ID:
            raise Problem(400, f"expected at most {MAX_ID} characters", ("id",))
        self.alias: str | None = _typed(parameters, "alias", str, "a string", ("parameters",))
        timeout = _typed(parameters, "timeout", int, "a whole number of microseconds", ("parameters",)) or 0
        if timeout < 0:
            raise Problem(400, "expected a whole number of microseconds", ("parameters", "timeout"))
        self.seconds = min(timeout, _MICROSECONDS) / 1e6 or None

    def check_name(self, model: str, version: str | None) -> None:
        """Raise Problem 400 where the body says another model or version than the path; it need say none."""
        if _typed(self._header, "model_name", str, "a string") not in (None, model):
            raise Problem(400, "is not the model of the path", ("model_name",))
        if _typed(self._header, "model_version", str, "a string") not in (None, "", version):
            raise Problem(400, "is not the version of the path", ("model_version",))

    def outputs(self, offered: Collection[str]) -> dict[str, bool]:
        """The names of the outputs to give, and whether as binary data. Raises Problem 400."""
        default = _typed(self._parameters, "binary_data_output", bool, "true or false", ("parameters",)) or False
        asked = _typed(self._header, "outputs", list, "a list")
        if not asked:
            return dict.fromkeys(offered, default)
        wanted: dict[str, bool] = {}
        for place, output in enumerate(asked):
            where = ("outputs", place)
            name = _name(output, _OUTPUT, offered, wanted, where)
            parameters = _parameters(output, _SHARED_MEMORY, "shared memory is not supported", where)
            if parameters.get("classification"):
                raise Problem(400, "classification is not supported; ask for score and label", where)
            is_binary = _typed(parameters, "binary_data", bool, "true or false", where)
            wanted[name] = default if is_binary is None else is_binary
        return wanted

    def instances(self, signature: Signature, most: int) -> list[dict[str, Any]]:
        """An object for each row of the tensors, as JSON would bring it.

        Raises Problem 400 with the input and the row that is wrong, 413 for more than `most` rows.
        """
        types = {field.name: field.type for field in signature.request}
        types[signature.at] = "TIMESTAMP WITH TIME ZONE"
        inputs = _typed(self._header, "inputs", list, "a list")
        if not inputs:
            raise Problem(400, f"must be a list of tensors; the inputs are {', '.join(types)}", ("inputs",))
        columns: dict[str, Values] = {}
        start, rows = 0, 0
        for place, tensor in enumerate(inputs):
            name = _name(tensor, _INPUT, types, columns, ("inputs", place))
            where = (f"input {name}",)
            shape = _shape(tensor.get("shape"), most, where)
            rows = rows or shape[0]
            if shape[0] != rows:
                raise Problem(400, f"has {shape[0]} rows, and the inputs before it {rows}", where)
            size = self._binary_size(tensor, start, where)
            data = None if size is None else self._binary[start : start + size]
            columns[name] = _values(tensor, data, types[name], shape, where)
            start += size or 0
        if start != len(self._binary):
            raise Problem(400, "the body holds more binary data than the inputs' binary_data_size say")
        for field in signature.request:
            if field.required and field.name not in columns:
                raise Problem(400, "is required", (f"input {field.name}",))
        return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]

    def _binary_size(self, tensor: dict[str, Any], start: int, where: tuple[str, ...]) -> int | None:
        parameters = _parameters(tensor, _SHARED_MEMORY, "shared memory is not supported", where)
        size: int | None = _typed(parameters, "binary_data_size", int, "a whole number", where)
        if size is None:
            return None
        if "data" in tensor:
            raise Problem(400, "has data as JSON and binary_data_size; give one of them", where)
        if not 0 <= size <= len(self._binary) - start:
            raise Problem(400, "binary_data_size is more than the binary data that are left, or less than none", where)
        return size


async def read_infer_request(request: Request, settings: Settings) -> InferRequest:
    """A request's body. Raises what `read_body` and `decode_object` do, and Problem 400 where its two parts do not fit."""
    body = await read_body(request, settings)
    given = [value for name, value in request.scope["headers"] if name == HEADER_LENGTH]
    if not given:
        return InferRequest(await decode_object(body, _FIELDS), memoryview(b""))
    length = given[0]
    # Up to the digits of any length that a body can have.
    is_length = len(given) == 1 and length.isascii() and length.isdigit() and len(length) < 16
    if not is_length or int(length) > len(body):
        raise Problem(
            400,
            "the header Inference-Header-Content-Length must be there once, with the length of the JSON in the body",
        )
    return InferRequest(await decode_object(body[: int(length)], _FIELDS), memoryview(body)[int(length) :])


def _values(
    tensor: dict[str, Any], data: memoryview | None, sql_type: str, shape: list[int], where: tuple[str]
) -> Values:
    """A tensor's values. data: in binary form, if it has that."""
    allowed = datatypes_of(sql_type)
    datatype = tensor.get("datatype")
    if datatype not in allowed:
        raise Problem(400, f"datatype must be {' or '.join(allowed)} for {sql_type}", where)
    try:
        return from_json(tensor.get("data"), datatype, shape) if data is None else from_binary(data, datatype, shape[0])
    except TensorError as error:
        at = "" if error.place is None else f", row {error.place}"
        raise Problem(400, str(error), (f"{where[0]}{at}",)) from None


def _shape(shape: Any, most: int, where: tuple[str, ...]) -> list[int]:
    is_shape = isinstance(shape, list) and len(shape) in (1, 2) and type(shape[0]) is int and shape[0] > 0
    if not is_shape or (len(shape) == 2 and (type(shape[1]) is not int or shape[1] != 1)):
        raise Problem(400, "shape must be [rows] or [rows, 1]", where)
    if shape[0] > most:
        raise Problem(413, f"at most {most} rows at a time", where)
    found: list[int] = shape
    return found


def _name(
    tensor: Any, fields: set[str], known: Collection[str], before: Collection[str], where: tuple[str | int, ...]
) -> str:
    """The name of an input or output that is known and was not named before."""
    if not isinstance(tensor, dict):
        raise Problem(400, "must be an object", where)
    if not tensor.keys() <= fields:
        raise Problem(400, f"has an unknown field; the fields are {', '.join(sorted(fields))}", where)
    name = tensor.get("name")
    if not isinstance(name, str) or name not in known:
        raise Problem(400, f"has no name that the model knows; it knows {', '.join(known)}", where)
    if name in before:
        raise Problem(400, "has the name of one before it", where)
    return name


def _parameters(
    of: dict[str, Any], refused: tuple[str, ...], reason: str, where: tuple[str | int, ...]
) -> dict[str, Any]:
    parameters: dict[str, Any] = _typed(of, "parameters", dict, "an object", where) or {}
    if not parameters.keys().isdisjoint(refused):
        raise Problem(400, reason, (*where, "parameters"))
    return parameters


def _typed(of: dict[str, Any], name: str, kind: type, expected: str, where: tuple[str | int, ...] = ()) -> Any:
    """A field's value, None where it is left out or null. Raises Problem 400 where it is of another type."""
    value = of.get(name)
    if value is not None and type(value) is not kind:
        raise Problem(400, f"expected {expected}", (*where, name))
    return value
