"""The estimators linear and torch_mlp in plain ONNX operators, in doubles."""

from typing import Any

import numpy as np

from ml.estimators.encoding import FURTHEST, Encoding
from ml.estimators.tensors import read
from ml.export.onnx_graph import Graph
from ml.scoring.signature import Feature

_DOUBLE = 11


def add_linear(graph: Graph, artifact: bytes, features: list[Feature]) -> str:
    """Add a model of the estimator linear. Returns the scores, double, shape (rows, outputs)."""
    description, arrays = read(artifact)
    encoding = Encoding.from_arrays(features, arrays)
    dense, codes = _encoded(graph, encoding, features)
    weights, intercept = arrays["weights"][:, :-1], arrays["weights"][:, -1]
    end = len(encoding.dense_owner)
    parts = [graph.add("MatMul", dense, graph.constant(weights[:, :end].T.copy()))] if dense else []
    for code, levels in zip(codes, encoding.levels.tolist(), strict=True):
        parts.append(graph.add("Gather", graph.constant(weights[:, end : end + levels].T.copy()), code, axis=0))
        end += levels
    raw = graph.constant(intercept)
    for part in parts:
        raw = graph.add("Add", part, raw)
    return _linked(graph, raw, description)


def add_mlp(graph: Graph, artifact: bytes, features: list[Feature]) -> str:
    """Add a model of the estimator torch_mlp. Returns the scores, double, shape (rows, outputs)."""
    description, arrays = read(artifact)
    encoding = Encoding.from_arrays(features, arrays)
    dense, codes = _encoded(graph, encoding, features)
    wide = {name: array.astype(np.float64) for name, array in arrays.items()}
    embedded = [
        graph.add("Gather", graph.constant(wide[f"embedding.{place}"]), code, axis=0)
        for place, code in enumerate(codes)
    ]
    values = graph.add("Concat", *([dense] if dense else []), *embedded, axis=1)
    last = len(description["hidden"])
    for layer in range(last + 1):
        product = graph.add("MatMul", values, graph.constant(wide[f"weight.{layer}"].T.copy()))
        values = graph.add("Add", product, graph.constant(wide[f"bias.{layer}"]))
        if layer < last:
            values = graph.add("Mul", values, graph.add("Sigmoid", values))
    middle, scale = wide["target"]
    raw = graph.add("Add", graph.add("Mul", values, graph.constant(scale)), graph.constant(middle))
    return _linked(graph, raw, description)


def _encoded(graph: Graph, encoding: Encoding, features: list[Feature]) -> tuple[str | None, list[str]]:
    """What Encoding.dense gives, shape (rows, columns), None without numbers; and the place of each category, int64 (rows,)."""
    codes = [
        graph.category(features[place], levels - 1)
        for place, levels in zip(encoding.categories.tolist(), encoding.levels.tolist(), strict=True)
    ]
    if not len(encoding.numbers):
        return None, codes
    numbers = graph.add("Concat", *(graph.number(features[place]) for place in encoding.numbers.tolist()), axis=1)
    arrays = encoding.arrays()
    mean, deviation = arrays["mean"], arrays["deviation"]
    inverse = np.where(deviation > 0, 1 / np.where(deviation > 0, deviation, 1.0), 0.0)
    is_missing = graph.add("IsNaN", numbers)
    filled = graph.add("Where", is_missing, graph.constant(mean), numbers)
    low, high = graph.constant(mean - FURTHEST * deviation), graph.constant(mean + FURTHEST * deviation)
    clipped = graph.add("Min", graph.add("Max", filled, low), high)
    dense = graph.add("Mul", graph.add("Sub", clipped, graph.constant(mean)), graph.constant(inverse))
    marked = np.flatnonzero(arrays["indicator"])
    if len(marked):
        marks = graph.add("Cast", graph.add("Gather", is_missing, graph.constant(marked), axis=1), to=_DOUBLE)
        dense = graph.add("Concat", dense, marks, axis=1)
    return dense, codes


def _linked(graph: Graph, raw: str, description: dict[str, Any]) -> str:
    if description["link"] == "identity":
        return raw
    return graph.add("Sigmoid", raw) if description["link"] == "sigmoid" else graph.add("Softmax", raw, axis=1)
