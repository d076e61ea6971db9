"""A feed-forward network in numpy: raw scores and their gradients, in blocks of one shape.

What a product of matrices rounds to depends on their shape, through the kernels that BLAS picks. So each product has BLOCK
rows, filled up with zeros, and a row gets the same bits wherever it stands. A block is also so small that BLAS does not wake
its threads.
"""

import numpy as np

BLOCK = 8


class Network:
    """Dense layers with SiLU (Elfwing et al. 2018) between them."""

    def __init__(self, layers: list[tuple[np.ndarray, np.ndarray]]) -> None:
        """Take a weight, shape (inputs, outputs), and a bias, shape (outputs,), for each layer: float64."""
        self._layers = [(np.ascontiguousarray(weight), bias) for weight, bias in layers]
        self._turned = [np.ascontiguousarray(weight.T) for weight, _ in layers]
        self.outputs = len(layers[-1][1])

    def forward(self, block: np.ndarray) -> np.ndarray:
        """Raw scores, shape (BLOCK, outputs), of inputs of shape (BLOCK, inputs)."""
        with np.errstate(over="ignore"):
            for weight, bias in self._layers[:-1]:
                block = block @ weight
                block += bias
                block /= 1 + np.exp(-block)
        weight, bias = self._layers[-1]
        return np.asarray(block @ weight + bias)

    def gradients(self, block: np.ndarray) -> np.ndarray:
        """The gradient of each raw score by the inputs: shape (outputs, BLOCK, inputs)."""
        slopes = []
        with np.errstate(over="ignore"):
            for weight, bias in self._layers[:-1]:
                linear = block @ weight + bias
                gate = 1 / (1 + np.exp(-linear))
                slopes.append(gate * (1 + linear * (1 - gate)))
                block = linear * gate
        found = np.empty((self.outputs, len(block), self._layers[0][0].shape[0]))
        for output in range(self.outputs):
            gradient = np.broadcast_to(self._turned[-1][output], (len(block), self._turned[-1].shape[1]))
            for slope, turned in zip(slopes[::-1], self._turned[-2::-1], strict=True):
                gradient = (gradient * slope) @ turned
            found[output] = gradient
        return found
