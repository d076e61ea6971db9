"""Integrated gradients (Sundararajan, Taly and Yan 2017): what each input adds to a raw score, compared with a baseline."""

import numpy as np

from ml.estimators.mlp_network import BLOCK, Network

_RELATIVE_ERROR = 1e-6
_FEWEST_PANELS, _MOST_PANELS = 2, 64
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(BLOCK)


def integrated_gradients(network: Network, inputs: np.ndarray, baseline: np.ndarray) -> np.ndarray:
    """What each input adds to each raw score: inputs and baseline of shape (inputs,), found of shape (outputs, inputs).

    The path is cut into panels with BLOCK Gauss-Legendre points each, twice as many until all adds up to the difference of the
    raw scores within a millionth of it (or of 1), at most 64. What is left then is spread in proportion to the absolute
    contributions, so that the sum holds.
    """
    ends = np.zeros((BLOCK, len(inputs)))
    ends[0], ends[1] = baseline, inputs
    raw = network.forward(ends)
    difference = raw[1] - raw[0]
    panels = _FEWEST_PANELS
    while True:
        found = (inputs - baseline) * _mean_gradients(network, inputs, baseline, panels)
        left = difference - found.sum(axis=1)
        if (np.abs(left) <= _RELATIVE_ERROR * np.maximum(1, np.abs(difference))).all() or panels == _MOST_PANELS:
            break
        panels *= 2
    size = np.abs(found)
    total = size.sum(axis=1, keepdims=True)
    return np.asarray(found + left[:, None] * size / np.where(total > 0, total, 1))


def _mean_gradients(network: Network, inputs: np.ndarray, baseline: np.ndarray, panels: int) -> np.ndarray:
    """The gradients' mean over the straight path from baseline to inputs: shape (outputs, inputs)."""
    mean = np.zeros((network.outputs, len(inputs)))
    for panel in range(panels):
        places = (panel + (1 + _NODES) / 2) / panels
        gradients = network.gradients(baseline + places[:, None] * (inputs - baseline))
        mean += np.einsum("n,oni->oi", _WEIGHTS / (2 * panels), gradients)
    return mean
