"""What a model takes and gives, as the protocol and Triton's extension for a model's configuration describe it."""

from typing import Any

import orjson

from serving.open_inference.datatypes import datatypes_of
from serving.open_inference.outputs import outputs_of
from serving.predictions.target import Target
from serving.releases.served_release import ServedRelease

EXTENSIONS = ["binary_tensor_data", "model_configuration", "model_repository", "statistics"]
"""The extensions of the protocol that are here, by the names that Triton has for them."""

PLATFORM = "eiderdown"

_STRING = {"BYTES": "TYPE_STRING"}


def model_metadata(release: ServedRelease, target: Target) -> dict[str, Any]:
    """A model's metadata: name, versions, inputs and outputs.

    A parameter is a text, a number or a boolean in the protocol, so the names of the classes are a JSON list in one.
    """
    signature = target.signature
    parameters: dict[str, Any] = {"release": release.name, "task": signature.task}
    if signature.classes:
        parameters["classes"] = orjson.dumps(signature.classes).decode()
    if signature.threshold is not None:
        parameters["threshold"] = signature.threshold
    return {
        "name": target.name,
        "versions": [str(version) for version in release.models[target.name]],
        "platform": PLATFORM,
        "inputs": _inputs(target),
        "outputs": [
            {
                "name": name,
                "datatype": output.datatype,
                "shape": [-1] if output.width is None else [-1, output.width],
            }
            for name, output in outputs_of(target).items()
        ],
        "parameters": parameters,
    }


def model_configuration(release: ServedRelease, target: Target) -> dict[str, Any]:
    """A model's configuration as Triton has it. Its shapes are whole, the number of rows included: max_batch_size is 0."""
    metadata = model_metadata(release, target)
    return {
        "name": target.name,
        "platform": PLATFORM,
        "backend": PLATFORM,
        "version_policy": {"all": {}},
        "max_batch_size": 0,
        "input": [
            _configured(tensor) | {"optional": not tensor["parameters"]["required"]} for tensor in metadata["inputs"]
        ],
        "output": [_configured(tensor) for tensor in metadata["outputs"]],
    }


def repository_index(release: ServedRelease) -> list[dict[str, str]]:
    """Every version of every model, all of which are ready."""
    return [
        {"name": name, "version": str(version), "state": "READY", "reason": ""}
        for name, versions in release.models.items()
        for version in versions
    ]


def _inputs(target: Target) -> list[dict[str, Any]]:
    signature = target.signature
    fields = [(field.name, field.type, field.required) for field in signature.request]
    return [
        {
            "name": name,
            "datatype": datatypes_of(sql_type)[0],
            "shape": [-1],
            "parameters": {"required": is_required, "type": sql_type},
        }
        for name, sql_type, is_required in [*fields, (signature.at, "TIMESTAMP WITH TIME ZONE", False)]
    ]


def _configured(tensor: dict[str, Any]) -> dict[str, Any]:
    datatype = tensor["datatype"]
    return {
        "name": tensor["name"],
        "data_type": _STRING.get(datatype, f"TYPE_{datatype}"),
        "dims": tensor["shape"],
    }
