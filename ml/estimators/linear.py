"""Linear models: logistic, multinomial logistic and ridge regression. The baseline of every other model.

Fitted by L-BFGS (Liu and Nocedal 1989) of scipy, which LightGBM needs anyway: scikit-learn fits the same model, but takes
three times as long to import, and its products go through a threaded BLAS, whose last bits depend on the machine's load.
"""

import itertools
from typing import Any, ClassVar

import numpy as np

from ml.estimators.base import Estimator, Report, Trained, TrainingData, report_to_nobody
from ml.estimators.encoding import Encoding
from ml.estimators.linear_loss import Design, loss_of_scores
from ml.estimators.links import LINKS, apply_link, checked_link
from ml.estimators.parameters import Number, Parameter, check, complete
from ml.estimators.tensors import expect, read, write
from ml.scoring.signature import Feature

PARAMETERS: dict[str, Parameter] = {
    # Half of the squared weights times this is added to the sum of the rows' losses; scikit-learn's 1 / C, or alpha.
    "l2": Number(default=1.0, low=0, high=1e9),
    # The fit ends where no slope of the mean loss, by a weight in its unit, is above this.
    "tolerance": Number(default=1e-4, low=1e-12, high=1),
    "max_iterations": Number(default=500, low=1, high=100_000, whole=True),
    # More rows than this are sampled; null takes all.
    "max_rows": Number(default=None, low=1, high=1e12, whole=True, optional=True),
}
_ROWS_AT_ONCE = 4096


class Linear(Estimator):
    """A weight for each standardised number, each missing number and each category, and an intercept."""

    name = "linear"
    artifact_format = "linear-safetensors"
    suffix = ".safetensors"
    search_space: ClassVar[dict[str, dict[str, Any]]] = {"l2": {"low": 0.001, "high": 1000.0, "log": True}}
    code = ("ml.estimators.encoding", "ml.estimators.linear_loss")
    cost = 0.3
    tolerance = 1e-9

    @classmethod
    def check_parameters(cls, task: str, parameters: dict[str, Any]) -> None:
        """As the base class says."""
        check(cls.name, PARAMETERS, parameters)

    @classmethod
    def train(
        cls, data: TrainingData, parameters: dict[str, Any], seed: int, report: Report = report_to_nobody
    ) -> Trained:
        """As the base class says; the validation split is only measured. `max_rows` rows of each split are drawn by the seed."""
        # Here, since a run that trains nothing need not wait for it.
        from scipy.optimize import minimize

        used = complete(PARAMETERS, parameters)
        matrix, target, weights = _sample(*data.train, data.train_weights, used["max_rows"], seed)
        validation, validation_target, validation_weights = _sample(
            *data.validation, data.validation_weights, used["max_rows"], seed
        )
        encoding = Encoding.fit(data.features, matrix)
        middle, scale = _scale(target) if data.task == "regression" else (0.0, 1.0)
        train = Design.of(encoding, matrix)
        held_out = Design.of(encoding, validation)
        curve: dict[str, list[float]] = {"train loss": [], "validation loss": []}
        shape = (data.outputs, train.columns + 1)
        penalty = used["l2"] / (len(matrix) if weights is None else float(weights.sum()))

        # Each weight in the unit in which the loss bends alike: rare categories would take the most steps otherwise.
        unit = np.append(1 / np.sqrt(train.mean_square() + penalty + 1e-9), 1.0)

        def objective(flat: np.ndarray) -> tuple[float, np.ndarray]:
            coefficients = flat.reshape(shape) * unit
            loss, slopes = loss_of_scores(data.task, train.scores(coefficients), (target - middle) / scale, weights)
            gradient = train.gradient(slopes)
            gradient[:, :-1] += penalty * coefficients[:, :-1]
            return loss + penalty / 2 * float((coefficients[:, :-1] ** 2).sum()), (gradient * unit).ravel()

        def watch(intermediate_result: Any) -> None:
            scores = held_out.scores(intermediate_result.x.reshape(shape) * unit)
            loss, _ = loss_of_scores(data.task, scores, (validation_target - middle) / scale, validation_weights)
            curve["train loss"].append(float(intermediate_result.fun))
            curve["validation loss"].append(loss)
            report(len(curve["validation loss"]) - 1, loss)

        options = {"maxiter": used["max_iterations"], "maxfun": 10 * used["max_iterations"], "maxcor": 20}
        stop = {"gtol": used["tolerance"], "ftol": 0.0}
        found = minimize(
            objective, np.zeros(shape).ravel(), jac=True, method="L-BFGS-B", callback=watch, options=options | stop
        )
        used["iterations"] = int(found.nit)
        coefficients = found.x.reshape(shape) * unit * scale
        coefficients[:, -1] += middle
        arrays = {"weights": coefficients, "training_mean": train.mean()}
        return Trained(write({"link": LINKS[data.task]}, encoding.arrays() | arrays), used, curve)

    def __init__(self, artifact: bytes, features: list[Feature], outputs: int) -> None:
        description, arrays = read(artifact)
        self._encoding = encoding = Encoding.from_arrays(features, arrays)
        dense = len(encoding.dense_owner)
        columns = dense + int(encoding.levels.sum())
        own = {"weights": (np.float64, (outputs, columns + 1)), "training_mean": (np.float64, (columns,))}
        expect(arrays, Encoding.shapes(features) | own)
        self._link = checked_link(description, outputs)
        self._features, self._outputs = len(features), outputs
        weights, mean = arrays["weights"][:, :-1], arrays["training_mean"]
        self._base = arrays["weights"][:, -1] + (weights * mean).sum(axis=1)
        self._dense_weights, self._dense_mean = weights[:, :dense], mean[:dense]
        # A category's weights less their mean in the training split: what it adds to the base value.
        bounds = dense + np.concatenate([[0], np.cumsum(encoding.levels)])
        self._tables = [
            weights[:, low:high] - (weights[:, low:high] * mean[low:high]).sum(axis=1, keepdims=True)
            for low, high in itertools.pairwise(bounds)
        ]

    def predict(self, matrix: np.ndarray) -> np.ndarray:
        """As the base class says."""
        scores = apply_link(self._link, self._raw(matrix))
        return scores if self._link == "softmax" else scores[:, 0]

    def raw_score(self, matrix: np.ndarray) -> np.ndarray:
        """As the base class says."""
        raw = self._raw(matrix)
        return raw if self._link == "softmax" else raw[:, 0]

    def contributions(self, matrix: np.ndarray) -> np.ndarray:
        """As the base class says: weight x (value - mean of the training split), the Shapley values of a linear model."""
        terms = self._terms(matrix).transpose(2, 1, 0)
        return np.ascontiguousarray(terms if self._link == "softmax" else terms[:, 0])

    def _raw(self, matrix: np.ndarray) -> np.ndarray:
        raw = np.empty((len(matrix), self._outputs))
        for start in range(0, len(matrix), _ROWS_AT_ONCE):
            terms = self._terms(matrix[start : start + _ROWS_AT_ONCE])
            # One after the other, so that no row's sum depends on how many rows there are.
            total = terms[-1]
            for term in terms[:-1]:
                total = total + term
            raw[start : start + _ROWS_AT_ONCE] = total.T
        return raw

    def _terms(self, matrix: np.ndarray) -> np.ndarray:
        """What each feature adds, and last the base value: shape (features + 1, outputs, rows)."""
        dense, codes = self._encoding.dense(matrix) - self._dense_mean, self._encoding.codes(matrix)
        terms = np.empty((self._features + 1, self._outputs, len(matrix)))
        numbers = len(self._encoding.numbers)
        products = self._dense_weights.T[:, :, None] * dense.T[:, None, :]
        terms[self._encoding.numbers] = products[:numbers]
        terms[self._encoding.dense_owner[numbers:]] += products[numbers:]
        for place, table, code in zip(self._encoding.categories, self._tables, codes.T, strict=True):
            terms[place] = table[:, code]
        terms[-1] = self._base[:, None]
        return terms


def _sample(
    matrix: np.ndarray, target: np.ndarray, weights: np.ndarray | None, most: int | None, seed: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    if most is None or len(matrix) <= most:
        return matrix, target, weights
    rows = np.sort(np.random.default_rng(seed).choice(len(matrix), most, replace=False))
    return matrix[rows], target[rows], None if weights is None else weights[rows]


def _scale(target: np.ndarray) -> tuple[float, float]:
    """Mean and standard deviation, 1 for a constant: the fit is the same, and takes fewer steps."""
    return float(target.mean()), float(target.std()) or 1.0
