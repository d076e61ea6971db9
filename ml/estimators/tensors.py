"""Artifacts of named arrays: a safetensors file with a JSON description in its metadata, checked when it is read.

The format is that of https://github.com/huggingface/safetensors: eight bytes with the header's length, a JSON header,
the arrays. Nothing in it can run.
"""

import json
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load, save

from ml.errors import ArtifactError

_KEY = "eiderdown"
_MOST_HEADER_BYTES = 1 << 20
_TYPES = {"F32": np.dtype(np.float32), "F64": np.dtype(np.float64)}

Shapes = dict[str, tuple[type[np.floating], tuple[int, ...]]]
"""Name to type and shape of each array."""


def refuse(what: str) -> ArtifactError:
    """The error of an artifact that is not what training wrote."""
    return ArtifactError(
        f"not a model that can be read, {what}. The file was altered; restore it, or train and publish again."
    )


def write(description: dict[str, Any], arrays: dict[str, np.ndarray]) -> bytes:
    """An artifact: a description that JSON can hold, and arrays of float32 or float64. The same gives the same bytes."""
    # One key of metadata, since the library does not order several.
    text = json.dumps(description, sort_keys=True)
    return save({name: np.ascontiguousarray(array) for name, array in arrays.items()}, {_KEY: text})


def read(artifact: bytes) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """The description and the arrays. Raises ArtifactError where the file is not one, or a value is not finite."""
    try:
        size = int.from_bytes(artifact[:8], "little")
        if size > min(len(artifact) - 8, _MOST_HEADER_BYTES):
            raise refuse("its header is longer than the file")
        header = json.loads(artifact[8 : 8 + size], object_pairs_hook=_once)
        description = json.loads(header.pop("__metadata__")[_KEY], object_pairs_hook=_once)
        if not isinstance(description, dict) or any(entry["dtype"] not in _TYPES for entry in header.values()):
            raise refuse("its header is not one that this platform writes")
        arrays = load(artifact)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, SafetensorError) as error:
        raise refuse("its header is malformed") from error
    for name, array in arrays.items():
        if not np.isfinite(array).all():
            raise refuse(f"'{name}' holds what is no number")
    return description, arrays


def expect(arrays: dict[str, np.ndarray], shapes: Shapes) -> None:
    """Raise ArtifactError where arrays are not of the names, types and shapes that an architecture asks for."""
    if arrays.keys() != shapes.keys():
        raise refuse(f"it lacks or adds arrays: {', '.join(sorted(arrays.keys() ^ shapes.keys()))[:200]}")
    for name, (kind, shape) in shapes.items():
        if arrays[name].dtype != kind or arrays[name].shape != shape:
            raise refuse(f"'{name}' is {arrays[name].dtype}{arrays[name].shape}, not {np.dtype(kind)}{shape}")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(dict(pairs)) != len(pairs):
        raise ValueError("a key comes twice")
    return dict(pairs)
