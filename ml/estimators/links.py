"""From raw scores to scores: the inverse link functions of the tasks."""

from typing import Any

import numpy as np

from ml.estimators.tensors import refuse

LINKS = {"binary": "sigmoid", "multiclass": "softmax", "regression": "identity"}


def checked_link(description: dict[str, Any], outputs: int) -> str:
    """The link that an artifact's description names. Raises ArtifactError where it cannot be that of so many outputs."""
    link = description.get("link")
    if link not in ("sigmoid", "softmax", "identity") or (link == "softmax") != (outputs > 1):
        raise refuse("its link is not that of the task")
    return str(link)


def apply_link(link: str, raw: np.ndarray) -> np.ndarray:
    """Scores of raw scores of shape (rows, outputs), in their shape: probabilities, or a regression's values."""
    if link == "identity":
        return raw
    if link == "sigmoid":
        with np.errstate(over="ignore"):
            return np.asarray(1 / (1 + np.exp(-raw)))
    shifted = np.exp(raw - raw.max(axis=1, keepdims=True))
    return np.asarray(shifted / shifted.sum(axis=1, keepdims=True))
