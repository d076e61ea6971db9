"""An ONNX graph under construction, and what every model's graph begins with: its features as inputs."""

from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from ml.scoring.signature import Feature

ML = "ai.onnx.ml"
_OPSETS = {"": 18, ML: 5}
_IR_VERSION = 10
"""That of ONNX 1.16, which brought trees in doubles; a newer one would ask for newer readers."""


class Graph:
    """Nodes in the order of their computation. Its values are known by name; those that are made begin with a slash."""

    def __init__(self) -> None:
        self._nodes: list[onnx.NodeProto] = []
        self._constants: list[onnx.TensorProto] = []
        self._inputs: list[onnx.ValueInfoProto] = []

    def add(self, operator: str, *inputs: str, domain: str = "", **attributes: Any) -> str:
        """Add a node with one output. Returns the output's name."""
        output = f"/{operator}_{len(self._nodes)}"
        self._nodes.append(helper.make_node(operator, list(inputs), [output], domain=domain, **attributes))
        return output

    def constant(self, value: Any) -> str:
        """Add an array. Returns its name."""
        name = f"/constant_{len(self._constants)}"
        self._constants.append(numpy_helper.from_array(np.asarray(value), name))
        return name

    def number(self, feature: Feature) -> str:
        """An input of a number: double, shape (rows,), NaN where it is missing. Returns it in the shape (rows, 1)."""
        self._inputs.append(helper.make_tensor_value_info(feature.name, TensorProto.DOUBLE, ["rows"]))
        return self.add("Unsqueeze", feature.name, self.constant(np.array([1])))

    def category(self, feature: Feature, unknown: int) -> str:
        """An input of a text, shape (rows,). Returns its place among the categories, int64; unknown: that of any other text."""
        self._inputs.append(helper.make_tensor_value_info(feature.name, TensorProto.STRING, ["rows"]))
        categories = feature.categories or []
        if not categories:
            # A look-up of nothing is none that ONNX has.
            return self.add("ConstantOfShape", self.add("Shape", feature.name), value=_one(unknown))
        return self.add(
            "LabelEncoder",
            feature.name,
            domain=ML,
            keys_strings=categories,
            values_int64s=list(range(len(categories))),
            default_int64=unknown,
        )

    def to_model(self, name: str, score: str, outputs: int, facts: dict[str, str]) -> onnx.ModelProto:
        """The whole model, checked, whose output `score` is double, shape (rows,), or (rows, outputs).

        score: the value of shape (rows, outputs) that is given out; facts: what the file says of itself.
        """
        shape: list[str | int] = ["rows"] if outputs == 1 else ["rows", outputs]
        if outputs == 1:
            score = self.add("Squeeze", score, self.constant(np.array([1])))
        self._nodes.append(helper.make_node("Identity", [score], ["score"]))
        graph = helper.make_graph(
            self._nodes,
            name,
            self._inputs,
            [helper.make_tensor_value_info("score", TensorProto.DOUBLE, shape)],
            self._constants,
        )
        opsets = [helper.make_opsetid(domain, version) for domain, version in _OPSETS.items()]
        model = helper.make_model(graph, opset_imports=opsets, ir_version=_IR_VERSION, producer_name="eiderdown")
        helper.set_model_props(model, facts)
        onnx.checker.check_model(model, full_check=True)
        return model


def _one(value: int) -> onnx.TensorProto:
    return numpy_helper.from_array(np.array([value], dtype=np.int64))
