"""The network of `torch_mlp` while it is trained; `mlp_network` is the same in numpy, for scores."""

import itertools
import math

import numpy as np
import torch
from torch.nn import functional

from ml.estimators.encoding import Encoding


class TorchNetwork:
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

    def fill_unseen(self) -> None:
        """Give categories that the training split lacks the mean of the others."""
        with torch.no_grad():
            for table, frequency in zip(self.embeddings, self._frequencies, strict=True):
                table[frequency == 0] = frequency @ table

    def state(self) -> list[torch.Tensor]:
        """All that is learned."""
        return [*self.embeddings, *self.weights, *self.biases]

    def restore(self, state: list[torch.Tensor]) -> None:
        """Go back to a copy of `state`."""
        with torch.no_grad():
            for current, kept in zip(self.state(), state, strict=True):
                current.copy_(kept)

    def mean_inputs(self, dense: torch.Tensor) -> np.ndarray:
        """The mean of what the first layer takes, over the training split: float64."""
        with torch.no_grad():
            pairs = zip(self._frequencies, self.embeddings, strict=True)
            means = [(frequency.double() @ table.double()).numpy() for frequency, table in pairs]
            return np.concatenate([dense.mean(dim=0, dtype=torch.float64).numpy(), *means])

    def arrays(self) -> dict[str, np.ndarray]:
        """What is learned, by the names of the artifact: float32."""
        named = {"embedding": self.embeddings, "weight": self.weights, "bias": self.biases}
        return {
            f"{name}.{place}": tensor.detach().numpy()
            for name, tensors in named.items()
            for place, tensor in enumerate(tensors)
        }
