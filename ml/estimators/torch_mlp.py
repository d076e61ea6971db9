"""A feed-forward network with embeddings for categories: trained by torch, predicted with numpy alone."""

import itertools
from typing import Any, ClassVar, TypeGuard

import numpy as np

from ml.errors import DeclarationError
from ml.estimators.base import Estimator, Report, Trained, TrainingData, report_to_nobody
from ml.estimators.encoding import Encoding
from ml.estimators.integrated_gradients import integrated_gradients
from ml.estimators.links import LINKS, apply_link, checked_link
from ml.estimators.mlp_network import BLOCK, Network
from ml.estimators.parameters import Choice, Number, Parameter, Sizes, check, complete
from ml.estimators.tensors import Shapes, expect, read, refuse, write
from ml.scoring.signature import Feature

PARAMETERS: dict[str, Parameter] = {
    # The units of each hidden layer, from the inputs on.
    "hidden": Sizes(default=(128, 64), most=8, high=4096),
    "dropout": Number(default=0.1, low=0, high=0.9),
    # The highest one: it rises to it in the share `warmup` of all steps, and falls to 0 along a cosine.
    "learning_rate": Number(default=0.003, low=1e-7, high=1),
    "warmup": Number(default=0.1, low=0, high=0.9),
    "weight_decay": Number(default=0.01, low=0, high=10),
    # The rows of a step, but at least 20 steps an epoch where there are few rows.
    "batch_size": Number(default=1024, low=1, high=1_000_000, whole=True),
    "epochs": Number(default=30, low=1, high=10_000, whole=True),
    # Training ends after so many epochs without a better validation loss.
    "patience": Number(default=5, low=1, high=10_000, whole=True),
    "max_embedding": Number(default=32, low=1, high=512, whole=True),
    "loss": Choice(default="mse", choices=("mse", "l1", "huber")),
}
_ROWS_AT_ONCE = 4096


class TorchMLP(Estimator):
    """A multilayer perceptron with SiLU, dropout, AdamW (Loshchilov and Hutter 2019) and early stopping.

    Contributions are integrated gradients. Their baseline is the training split's mean: of each number, of its indicator, and
    of each category's embedding.
    """

    name = "torch_mlp"
    artifact_format = "mlp-safetensors"
    suffix = ".safetensors"
    requires = ("torch",)
    extra = "torch"
    search_space: ClassVar[dict[str, dict[str, Any]]] = {
        "hidden": {"choices": [[64], [64, 32], [128, 64], [256, 128], [128, 128, 64]]},
        "dropout": {"low": 0.0, "high": 0.5},
        "learning_rate": {"low": 0.0003, "high": 0.01, "log": True},
        "weight_decay": {"low": 0.0001, "high": 0.1, "log": True},
        "batch_size": {"choices": [256, 1024, 4096]},
    }
    code = ("ml.estimators.encoding", "ml.estimators.torch_network", "ml.estimators.torch_training")
    cost = 10.0
    # BLAS and exp round otherwise on a processor with other vector instructions.
    tolerance = 1e-9

    @classmethod
    def check_parameters(cls, task: str, parameters: dict[str, Any]) -> None:
        """As the base class says."""
        check(cls.name, PARAMETERS, parameters)
        if task != "regression" and "loss" in parameters:
            raise DeclarationError(f"parameters.loss of torch_mlp is for regression; the task is {task}: remove it.")

    @classmethod
    def train(
        cls, data: TrainingData, parameters: dict[str, Any], seed: int, report: Report = report_to_nobody
    ) -> Trained:
        """As the base class says. Raises DeclarationError where the loss becomes infinite."""
        # Here, since it takes over a second, and neither a server nor a run that trains nothing needs it.
        from ml.estimators.torch_training import fit

        used = complete(PARAMETERS, parameters)
        if data.task != "regression":
            del used["loss"]
        encoding = Encoding.fit(data.features, data.train[0])
        sizes = embedding_sizes(encoding, used["max_embedding"])
        arrays, curve = fit(data, encoding, sizes, used, seed, report)
        description = {"link": LINKS[data.task], "hidden": used["hidden"], "embeddings": sizes}
        return Trained(write(description, encoding.arrays() | arrays), used, curve)

    def __init__(self, artifact: bytes, features: list[Feature], outputs: int) -> None:
        description, arrays = read(artifact)
        self._encoding = encoding = Encoding.from_arrays(features, arrays)
        self._link = checked_link(description, outputs)
        hidden, sizes = description.get("hidden"), description.get("embeddings")
        if not _are_sizes(hidden) or not _are_sizes(sizes) or len(sizes) != len(encoding.levels):
            raise refuse("its 'hidden' or 'embeddings' are no sizes of layers")
        expect(arrays, Encoding.shapes(features) | _shapes(encoding, hidden, sizes, outputs))
        wide = {name: array.astype(np.float64) for name, array in arrays.items()}
        self._tables = [wide[f"embedding.{place}"] for place in range(len(sizes))]
        layers = [(wide[f"weight.{layer}"].T, wide[f"bias.{layer}"]) for layer in range(len(hidden) + 1)]
        self._network = Network(layers)
        self._baseline, self._target = wide["baseline"], wide["target"]
        self._owner = np.concatenate([encoding.dense_owner, np.repeat(encoding.categories, sizes)]).astype(np.int64)
        self._features = len(features)
        middle, scale = self._target
        baseline = np.tile(self._baseline, (BLOCK, 1))
        self._base = self._network.forward(baseline)[0] * scale + middle

    def predict(self, matrix: np.ndarray) -> np.ndarray:
        """As the base class says."""
        return self._in_blocks(matrix, self._link)

    def raw_score(self, matrix: np.ndarray) -> np.ndarray:
        """As the base class says."""
        return self._in_blocks(matrix, "identity")

    def contributions(self, matrix: np.ndarray) -> np.ndarray:
        """As the base class says, by integrated gradients."""
        inputs = self._inputs(matrix)
        found = np.zeros((len(matrix), self._network.outputs, self._features + 1))
        for row, values in enumerate(inputs):
            for output, parts in enumerate(integrated_gradients(self._network, values, self._baseline)):
                found[row, output, :-1] = np.bincount(self._owner, parts * self._target[1], self._features)
        found[:, :, -1] = self._base
        return found if self._link == "softmax" else found[:, 0]

    def _inputs(self, matrix: np.ndarray) -> np.ndarray:
        codes = self._encoding.codes(matrix)
        embedded = [table[codes[:, place]] for place, table in enumerate(self._tables)]
        return np.concatenate([self._encoding.dense(matrix), *embedded], axis=1)

    def _in_blocks(self, matrix: np.ndarray, link: str) -> np.ndarray:
        middle, scale = self._target
        scores = np.empty((len(matrix), self._network.outputs))
        for start in range(0, len(matrix), _ROWS_AT_ONCE):
            inputs = self._inputs(matrix[start : start + _ROWS_AT_ONCE])
            rows = len(inputs)
            filled = np.zeros((-(-rows // BLOCK) * BLOCK, inputs.shape[1]))
            filled[:rows] = inputs
            raw = np.concatenate([self._network.forward(block) for block in filled.reshape(-1, BLOCK, inputs.shape[1])])
            scores[start : start + rows] = apply_link(link, raw * scale + middle)[:rows]
        return scores if self._link == "softmax" else scores[:, 0]


def embedding_sizes(encoding: Encoding, most: int) -> list[int]:
    """The length of each category's embedding: 1.6 x levels^0.56, the rule of fastai (Howard and Gugger 2020), up to `most`."""
    return [min(most, round(1.6 * int(levels) ** 0.56)) for levels in encoding.levels]


def _are_sizes(value: Any) -> TypeGuard[list[int]]:
    return isinstance(value, list) and all(type(size) is int and size > 0 for size in value)


def _shapes(encoding: Encoding, hidden: list[int], sizes: list[int], outputs: int) -> Shapes:
    """The arrays of a network, as torch_training writes them: weights as torch has them, (outputs, inputs)."""
    widths = [len(encoding.dense_owner) + sum(sizes), *hidden, outputs]
    shapes: Shapes = {"baseline": (np.float64, (widths[0],)), "target": (np.float64, (2,))}
    for place, (levels, size) in enumerate(zip(encoding.levels.tolist(), sizes, strict=True)):
        shapes[f"embedding.{place}"] = (np.float32, (levels, size))
    for layer, (inputs, units) in enumerate(itertools.pairwise(widths)):
        shapes[f"weight.{layer}"] = (np.float32, (units, inputs))
        shapes[f"bias.{layer}"] = (np.float32, (units,))
    return shapes
