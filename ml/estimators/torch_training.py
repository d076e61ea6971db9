"""The training of `torch_mlp`. Nothing that torch keeps for the process is used or left changed.

Initial weights, shuffling and dropout draw from one generator made from the seed. One thread, since sums that are shared
among threads round by how many there are.
"""

import contextlib
import math
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
import torch
from torch.nn import functional

from ml.errors import DeclarationError
from ml.estimators.base import Report, TrainingData
from ml.estimators.encoding import Encoding
from ml.estimators.torch_network import TorchNetwork

_FEWEST_STEPS = 20
_DECAYS = (0.9, 0.99)
_ROWS_AT_ONCE = 8192
_LOSSES: dict[str, Callable[..., torch.Tensor]] = {
    "mse": functional.mse_loss,
    "l1": functional.l1_loss,
    "huber": functional.huber_loss,
}


class Rows(NamedTuple):
    """Dense inputs float32, codes int64, targets, and weights with a mean of 1 or none."""

    dense: torch.Tensor
    codes: torch.Tensor
    target: torch.Tensor
    weights: torch.Tensor | None

    def at(self, places: torch.Tensor | slice) -> "Rows":
        """Some of the rows."""
        weights = None if self.weights is None else self.weights[places]
        return Rows(self.dense[places], self.codes[places], self.target[places], weights)


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
        train = _to_rows(data, encoding, data.train, data.train_weights, middle, scale)
        validation = _to_rows(data, encoding, data.validation, data.validation_weights, middle, scale)
        network = TorchNetwork(encoding, sizes, used["hidden"], data.outputs, train.codes, generator)
        curve = _train(network, data.task, train, validation, used, generator, report)
        baseline = network.mean_inputs(train.dense)
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


def _train(
    network: TorchNetwork,
    task: str,
    train: Rows,
    validation: Rows,
    used: dict[str, Any],
    generator: torch.Generator,
    report: Report,
) -> dict[str, list[float]]:
    rows = len(train.dense)
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
                done = (epoch * steps + step) / (used["epochs"] * steps)
                group["lr"] = used["learning_rate"] * _schedule(done, used["warmup"])
            batch = train.at(places)
            loss = _loss(task, network.forward(batch.dense, batch.codes, used["dropout"], generator), batch, used)
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


def _schedule(done: float, warmup: float) -> float:
    """The share of the highest learning rate, where a share `done` of all steps has been made."""
    if done < warmup:
        # Not from 0, which would make the first step none.
        return max(done / warmup, 0.01)
    return (1 + math.cos(math.pi * (done - warmup) / (1 - warmup))) / 2


def _loss(task: str, raw: torch.Tensor, rows: Rows, used: dict[str, Any]) -> torch.Tensor:
    """The mean loss of rows, by their weights where they have some."""
    reduction = "mean" if rows.weights is None else "none"
    if task == "multiclass":
        loss = functional.cross_entropy(raw, rows.target, reduction=reduction)
    elif task == "binary":
        loss = functional.binary_cross_entropy_with_logits(raw[:, 0], rows.target, reduction=reduction)
    else:
        loss = _LOSSES[used["loss"]](raw[:, 0], rows.target, reduction=reduction)
    return loss if rows.weights is None else (loss * rows.weights).mean()


def _measure(network: TorchNetwork, task: str, split: Rows, used: dict[str, Any], generator: torch.Generator) -> float:
    """The mean loss over a split, without dropout."""
    total = 0.0
    with torch.no_grad():
        for start in range(0, len(split.dense), _ROWS_AT_ONCE):
            rows = split.at(slice(start, start + _ROWS_AT_ONCE))
            raw = network.forward(rows.dense, rows.codes, 0.0, generator)
            total += float(_loss(task, raw, rows, used)) * len(rows.target)
    return total / len(split.dense)


def _to_rows(
    data: TrainingData,
    encoding: Encoding,
    split: tuple[np.ndarray, np.ndarray],
    weights: np.ndarray | None,
    middle: float,
    scale: float,
) -> Rows:
    matrix, target = split
    kind = torch.int64 if data.task == "multiclass" and target.ndim == 1 else torch.float32
    return Rows(
        torch.from_numpy(encoding.dense(matrix).astype(np.float32)),
        torch.from_numpy(encoding.codes(matrix)),
        torch.from_numpy((target - middle) / scale).to(kind),
        None if weights is None else torch.from_numpy(weights / weights.mean()).to(torch.float32),
    )
