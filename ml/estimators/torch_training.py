"""The training of `torch_mlp`: the one file that imports torch. Nothing that torch keeps for the process is used or left changed.

Initial weights, shuffling and dropout draw from one generator made from the seed. One thread, since sums that are shared
among threads round by how many there are.
"""

import contextlib
import itertools
import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from ml.errors import DeclarationError
from ml.estimators.base import Report, TrainingData
from ml.estimators.encoding import Encoding

_FEWEST_STEPS = 20
_DECAYS = (0.9, 0.99)
_ROWS_AT_ONCE = 8192
_LOSSES = {"mse": functional.mse_loss, "l1": functional.l1_loss, "huber": functional.huber_loss}

Split = tuple[torch.Tensor, torch.Tensor, torch.Tensor]
"""Dense inputs float32, codes int64, targets."""


def fit(
    data: TrainingData, encoding: Encoding, sizes: list[int], used: dict[str, Any], seed: int, report: Report
) -> tuple[dict[str, np.ndarray], dict[str, list[float]]]:
    """Train a network and give its arrays, as the artifact names them, and its learning curve.

    sizes: the length of each category's embedding; used: all parameters, to which what was found is added (`batch_size`,
    `best_epoch`). Raises DeclarationError where the loss becomes infinite, and what `report` raises.
    """
    middle, scale = 0.0, 1.0
    if data.task == "regression":
        middle, scale = float(data.train[1].mean()), float(data.train[1].std()) or 1.0
    with _one_thread(), torch.enable_grad():
        generator = torch.Generator().manual_seed(seed)
        train = _to_split(data, encoding, data.train, middle, scale)
        validation = _to_split(data, encoding, data.validation, middle, scale)
        network = _Network(encoding, sizes, used["hidden"], data.outputs, train[1], generator)
        curve = _train(network, data.task, train, validation, used, generator, report)
        baseline = network.mean_inputs(train[0])
    arrays = network.arrays()
    return arrays | {"baseline": baseline, "target": np.array([middle, scale])}, curve


@contextlib.contextmanager
def _one_thread() -> Iterator[None]:
    # torch keeps the number for each thread that calls it: another model that trains beside this one does not change it.
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


class _Network:
    """The weights that are learned. A category that the training split lacks has the mean of the others' embeddings."""

    def __init__(
        self,
        encoding: Encoding,
        sizes: list[int],
        hidden: list[int],
        outputs: int,
        codes: torch.Tensor,
        generator: torch.Generator,
    ) -> None:
        def normal(rows: int, columns: int, deviation: float) -> torch.Tensor:
            drawn = torch.empty(rows, columns, dtype=torch.float32).normal_(0.0, deviation, generator=generator)
            return drawn.requires_grad_()

        levels = encoding.levels.tolist()
        counts = [torch.bincount(code, minlength=level) for code, level in zip(codes.T, levels, strict=True)]
        self._frequencies = [count.to(torch.float32) / len(codes) for count in counts]
        self.embeddings = [normal(level, size, 0.1) for level, size in zip(levels, sizes, strict=True)]
        widths = [len(encoding.dense_owner) + sum(sizes), *hidden, outputs]
        # He et al. 2015, for the layers that SiLU follows.
        gains = [*[2.0] * len(hidden), 1.0]
        self.weights = [
            normal(units, inputs, math.sqrt(gain / max(inputs, 1)))
            for (inputs, units), gain in zip(itertools.pairwise(widths), gains, strict=True)
        ]
        self.biases = [torch.zeros(units, dtype=torch.float32, requires_grad=True) for units in widths[1:]]

    def forward(
        self, dense: torch.Tensor, codes: torch.Tensor, dropout: float, generator: torch.Generator
    ) -> torch.Tensor:
        """Raw scores, shape (rows, outputs)."""
        embedded = [functional.embedding(code, table) for code, table in zip(codes.T, self.embeddings, strict=True)]
        values = torch.cat([dense, *embedded], dim=1)
        for weight, bias in zip(self.weights[:-1], self.biases[:-1], strict=True):
            values = functional.silu(functional.linear(values, weight, bias))
            if dropout:
                values = values * torch.empty_like(values).bernoulli_(1 - dropout, generator=generator) / (1 - dropout)
        return functional.linear(values, self.weights[-1], self.biases[-1])

    @torch.no_grad()
    def fill_unseen(self) -> None:
        for table, frequency in zip(self.embeddings, self._frequencies, strict=True):
            table[frequency == 0] = frequency @ table

    def state(self) -> list[torch.Tensor]:
        return [*self.embeddings, *self.weights, *self.biases]

    @torch.no_grad()
    def restore(self, state: list[torch.Tensor]) -> None:
        for current, kept in zip(self.state(), state, strict=True):
            current.copy_(kept)

    @torch.no_grad()
    def mean_inputs(self, dense: torch.Tensor) -> np.ndarray:
        """The mean of what the first layer takes, over the training split: float64."""
        pairs = zip(self._frequencies, self.embeddings, strict=True)
        means = [(frequency.double() @ table.double()).numpy() for frequency, table in pairs]
        return np.concatenate([dense.mean(dim=0, dtype=torch.float64).numpy(), *means])

    def arrays(self) -> dict[str, np.ndarray]:
        named = {"embedding": self.embeddings, "weight": self.weights, "bias": self.biases}
        return {
            f"{name}.{place}": tensor.detach().numpy()
            for name, tensors in named.items()
            for place, tensor in enumerate(tensors)
        }


def _train(
    network: _Network,
    task: str,
    train: Split,
    validation: Split,
    used: dict[str, Any],
    generator: torch.Generator,
    report: Report,
) -> dict[str, list[float]]:
    rows = len(train[0])
    used["batch_size"] = min(used["batch_size"], math.ceil(rows / _FEWEST_STEPS))
    steps = math.ceil(rows / used["batch_size"])
    groups = [
        {"params": network.weights, "weight_decay": used["weight_decay"]},
        {"params": [*network.embeddings, *network.biases], "weight_decay": 0.0},
    ]
    optimizer = torch.optim.AdamW(groups, lr=used["learning_rate"], betas=_DECAYS, fused=True)
    curve: dict[str, list[float]] = {"train loss": [], "validation loss": []}
    best, best_state = math.inf, network.state()
    for epoch in range(used["epochs"]):
        order = torch.randperm(rows, generator=generator)
        total = 0.0
        for step, places in enumerate(order.split(used["batch_size"])):
            for group in optimizer.param_groups:
                group["lr"] = used["learning_rate"] * _schedule((epoch * steps + step) / (used["epochs"] * steps), used)
            dense, codes, target = (tensor[places] for tensor in train)
            loss = _loss(task, network.forward(dense, codes, used["dropout"], generator), target, used)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += float(loss.detach()) * len(places)
        network.fill_unseen()
        curve["train loss"].append(total / rows)
        curve["validation loss"].append(measured := _measure(network, task, validation, used, generator))
        if not math.isfinite(measured):
            raise DeclarationError(
                f"torch_mlp: the validation loss is {measured} after epoch {epoch}; lower parameters.learning_rate."
            )
        report(epoch, measured)
        if measured < best:
            best, used["best_epoch"] = measured, epoch
            best_state = [tensor.detach().clone() for tensor in network.state()]
        elif epoch - used["best_epoch"] >= used["patience"]:
            break
    network.restore(best_state)
    return curve


def _schedule(done: float, used: dict[str, Any]) -> float:
    """The share of the highest learning rate, where a share `done` of all steps has been made."""
    if done < used["warmup"]:
        # Not from 0, which would make the first step none.
        return max(done / used["warmup"], 0.01)
    return (1 + math.cos(math.pi * (done - used["warmup"]) / (1 - used["warmup"]))) / 2


def _loss(task: str, raw: torch.Tensor, target: torch.Tensor, used: dict[str, Any]) -> torch.Tensor:
    if task == "multiclass":
        return functional.cross_entropy(raw, target)
    if task == "binary":
        return functional.binary_cross_entropy_with_logits(raw[:, 0], target)
    return _LOSSES[used["loss"]](raw[:, 0], target)


@torch.no_grad()
def _measure(network: _Network, task: str, split: Split, used: dict[str, Any], generator: torch.Generator) -> float:
    """The mean loss over a split, without dropout."""
    total = 0.0
    for dense, codes, target in zip(*(tensor.split(_ROWS_AT_ONCE) for tensor in split), strict=True):
        total += float(_loss(task, network.forward(dense, codes, 0.0, generator), target, used)) * len(target)
    return total / len(split[0])


def _to_split(
    data: TrainingData, encoding: Encoding, split: tuple[np.ndarray, np.ndarray], middle: float, scale: float
) -> Split:
    matrix, target = split
    kind = torch.int64 if data.task == "multiclass" else torch.float32
    return (
        torch.from_numpy(encoding.dense(matrix).astype(np.float32)),
        torch.from_numpy(encoding.codes(matrix)),
        torch.from_numpy((target - middle) / scale).to(kind),
    )
