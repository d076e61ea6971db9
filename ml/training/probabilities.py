"""The targets of a model that learns from probabilities: a column of class to probability, or of the probability of true."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ml.errors import DeclarationError
from ml.training.spec import ModelSpec

_CLASSES_OF_BINARY = (["false", "true"], ["0", "1"])
_TOLERANCE = 1e-6


@dataclass(frozen=True)
class Labels:
    """What rows are to be learned as. target, weights: as TrainingData has them; is_known, shape (rows,): which rows are to be
    learned from at all, where targets of others mean nothing; classes: of a multiclass task.
    """

    target: np.ndarray
    weights: np.ndarray | None
    is_known: np.ndarray
    classes: list[str]


def probable_labels(spec: ModelSpec, table: pa.Table) -> Labels:
    """The labels by the column of `learn_from`. Rows where it is null are not known.

    Raises DeclarationError, with the remedy, where values are no probabilities, or their classes and those of the target differ.
    """
    assert spec.learn_from is not None, "the caller has checked"
    column = table.column(spec.learn_from.probabilities)
    where = f"model {spec.name}: '{spec.learn_from.probabilities}' of learn_from"
    is_known = np.asarray(column.is_valid().to_numpy())
    given = column.drop_null().combine_chunks()
    if not len(given):
        raise DeclarationError(f"{where} is null in all rows of the dataset {spec.dataset}; build its labels first.")
    if pa.types.is_map(given.type):
        shares, classes = _shares(spec, where, given)
    else:
        true = given.to_numpy()
        shares, classes = np.column_stack([1 - true, true]), _CLASSES_OF_BINARY[0]
    sums = shares.sum(axis=1)
    # A comparison with NaN is false.
    wrong = ~((shares >= 0).all(axis=1) & (np.abs(sums - 1) <= _TOLERANCE))
    if wrong.any():
        raise DeclarationError(
            f"{where} holds no probabilities in {wrong.sum()} rows: each must lie in 0 to 1, and those of a row add up to 1. "
            "Mend the model that makes them, or make them null there."
        )
    _check_target(spec, table, where, classes)
    shares /= sums[:, None]
    if spec.learn_from.way == "sample_weights":
        likeliest = shares.argmax(axis=1)
        target, weights = likeliest.astype(np.float64), shares[np.arange(len(shares)), likeliest]
    else:
        target, weights = shares[:, 1] if spec.task == "binary" else shares, None
    return Labels(
        _spread(target, is_known),
        None if weights is None else _spread(weights, is_known),
        is_known,
        classes if spec.task == "multiclass" else [],
    )


def _shares(spec: ModelSpec, where: str, given: pa.MapArray) -> tuple[np.ndarray, list[str]]:
    """The probabilities of maps, shape (rows, classes), and the classes; a class that a map lacks has none."""
    offsets = given.offsets.to_numpy()
    names = given.keys.slice(offsets[0], offsets[-1] - offsets[0])
    values = given.items.slice(offsets[0], offsets[-1] - offsets[0])
    found = sorted(pc.unique(names).to_pylist())
    classes = found
    if spec.task == "binary":
        classes = next((pair for pair in _CLASSES_OF_BINARY if set(found) <= set(pair)), [])
        if not classes:
            raise DeclarationError(
                f"{where} has the classes {', '.join(found)}; those of a binary task are false and true, or 0 and 1."
            )
    elif len(found) < 3:
        raise DeclarationError(f"{where} has the classes {', '.join(found)}; for fewer than three use task: binary.")
    shares = np.zeros((len(given), len(classes)))
    rows = np.repeat(np.arange(len(given)), np.diff(offsets))
    shares[rows, pc.index_in(names, pa.array(classes)).to_numpy()] = values.to_numpy(zero_copy_only=False)
    return shares, classes


def _check_target(spec: ModelSpec, table: pa.Table, where: str, classes: list[str]) -> None:
    """The target is what the model is measured by; where it is known, it is one of the classes."""
    known = table.column(spec.target).drop_null()
    if spec.task == "binary":
        plain = pc.cast(known, pa.uint8()) if pa.types.is_boolean(known.type) else known
        others = set(pc.unique(pc.cast(plain, pa.float64(), safe=False)).to_pylist()) - {0.0, 1.0}
        if others:
            raise DeclarationError(
                f"model {spec.name}: the target '{spec.target}' of a binary task must hold 0, 1 or null, and nothing else."
            )
        return
    others = set(pc.unique(pc.cast(known, pa.string())).to_pylist()) - set(classes)
    if others:
        raise DeclarationError(
            f"{where} has the classes {', '.join(classes)}, and the target '{spec.target}' also "
            f"{', '.join(sorted(others))}; give both the same classes."
        )


def _spread(known: np.ndarray, is_known: np.ndarray) -> np.ndarray:
    """Values of the known rows in the place of each, NaN elsewhere."""
    values = np.full((len(is_known), *known.shape[1:]), np.nan)
    values[is_known] = known
    return values
