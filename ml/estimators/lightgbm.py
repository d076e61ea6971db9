"""Gradient-boosted trees by LightGBM (Ke et al. 2017), kept in its text format."""

import difflib
import functools
import os
import re
from typing import Any, ClassVar

import numpy as np

from ml.errors import DeclarationError
from ml.estimators.base import Estimator, Report, Trained, TrainingData, report_to_nobody
from ml.estimators.lightgbm_library import Booster, parameter_names
from ml.estimators.lightgbm_text import check_text
from ml.estimators.soft_targets import by_class
from ml.estimators.trees import Trees
from ml.scoring.signature import Feature

DEFAULTS: dict[str, Any] = {
    "num_boost_round": 500,
    "early_stopping_rounds": 30,
    "learning_rate": 0.05,
    "num_leaves": 31,
    "min_data_in_leaf": 20,
}
OBJECTIVES = {
    "binary": ("binary",),
    "multiclass": ("multiclass",),
    "regression": ("regression", "regression_l1", "huber", "fair", "quantile", "mape"),
}
METRICS = {"binary": "binary_logloss", "multiclass": "multi_logloss", "regression": "l2"}
# What takes probabilities of a binary task, in the place of its objective, and what measures them.
_SOFT = "cross_entropy"
_SOFT_METRICS = (_SOFT, "xentropy", "kullback_leibler", "kldiv")
_NOT_SOFT = ("is_unbalance", "unbalance", "unbalanced_sets", "scale_pos_weight", "sigmoid")
# Of fewer rows, threads mostly wait for each other, the more so where others use the machine.
_ROWS_FOR_THREADS = 50_000
_OWN = ("num_boost_round", "early_stopping_rounds")
_FIXED = ("seed", "deterministic", "force_row_wise", "verbosity", "num_threads", "num_class", "linear_tree")


class LightGBM(Estimator):
    """LightGBM with early stopping on the validation split, in its deterministic mode."""

    name = "lightgbm"
    artifact_format = "lightgbm-text"
    suffix = ".txt"
    search_space: ClassVar[dict[str, dict[str, Any]]] = {
        "num_leaves": {"low": 7, "high": 255, "log": True},
        "learning_rate": {"low": 0.02, "high": 0.2, "log": True},
        "min_data_in_leaf": {"low": 5, "high": 500, "log": True},
        "feature_fraction": {"low": 0.4, "high": 1.0},
        "lambda_l2": {"low": 0.001, "high": 30.0, "log": True},
    }

    @classmethod
    def check_parameters(cls, task: str, parameters: dict[str, Any]) -> None:
        """As the base class says: LightGBM itself passes over a name that it does not know."""
        known = parameter_names()
        for name in parameters:
            if name in _FIXED:
                raise DeclarationError(f"parameters.{name} of lightgbm is set by the platform; remove it.")
            if name not in known and name not in _OWN:
                close = difflib.get_close_matches(name, [*known, *_OWN], n=1)
                hint = f" Did you mean '{close[0]}'?" if close else ""
                raise DeclarationError(f"parameters.{name}: lightgbm has no such parameter.{hint}")
        objective = parameters.get("objective", OBJECTIVES[task][0])
        if objective not in OBJECTIVES[task]:
            raise DeclarationError(
                f"parameters.objective is '{objective}'; of a {task} task it must be one of {', '.join(OBJECTIVES[task])}."
            )

    @classmethod
    def check_soft_targets(cls, task: str, parameters: dict[str, Any]) -> None:
        """As the base class says: of a binary task, what LightGBM takes for labels of 0 and 1 would go wrong unsaid."""
        super().check_soft_targets(task, parameters)
        if task != "binary":
            return
        for name in _NOT_SOFT:
            if name in parameters:
                raise DeclarationError(
                    f"parameters.{name} of lightgbm is for labels, not for soft targets; remove it, or learn with "
                    "as: sample_weights."
                )
        metrics = parameters.get("metric", _SOFT)
        for metric in metrics if isinstance(metrics, list) else str(metrics).split(","):
            if metric not in _SOFT_METRICS:
                raise DeclarationError(
                    f"parameters.metric of lightgbm is '{metric}', which takes soft targets for labels; write {_SOFT} "
                    "or leave it out, or learn with as: sample_weights."
                )

    @classmethod
    def train(
        cls, data: TrainingData, parameters: dict[str, Any], seed: int, report: Report = report_to_nobody
    ) -> Trained:
        """As the base class says; `num_boost_round` and `early_stopping_rounds` stand beside LightGBM's own parameters.

        Soft targets of a binary task have the objective `cross_entropy`, the same loss; those of a multiclass task become a row
        for each class, which `min_data_in_leaf` counts. LightGBM takes targets and weights as floats of 32 bits.
        """
        # Here, since it takes up to a second, for which a run that trains nothing need not wait.
        import lightgbm

        used = {"objective": OBJECTIVES[data.task][0], "metric": METRICS[data.task], **DEFAULTS, **parameters}
        if data.is_soft and data.task == "binary":
            cls.check_soft_targets(data.task, parameters)
            used |= {"objective": _SOFT, "metric": parameters.get("metric", _SOFT)}
        fixed = {
            "seed": seed,
            "deterministic": True,
            "force_row_wise": True,
            "verbosity": -1,
            "num_threads": os.cpu_count() if len(data.train[1]) > _ROWS_FOR_THREADS else 1,
        }
        if data.task == "multiclass":
            fixed["num_class"] = data.outputs
        options: dict[str, Any] = {
            "feature_name": [feature.name for feature in data.features],
            "categorical_feature": [feature.name for feature in data.features if feature.categories is not None],
            "params": {"verbosity": -1},
        }
        matrix, target, weights = _rows(data, data.train, data.train_weights)
        train = lightgbm.Dataset(matrix, target, weight=weights, **options)
        matrix, target, weights = _rows(data, data.validation, data.validation_weights)
        validation = lightgbm.Dataset(matrix, target, weight=weights, reference=train, **options)
        curve: dict[str, list[float]] = {}

        def watch(state: Any) -> None:
            for _, metric, value, _ in state.evaluation_result_list:
                curve.setdefault(f"validation {metric}", []).append(float(value))
            _, _, value, is_higher_better = state.evaluation_result_list[0]
            report(state.iteration, -value if is_higher_better else value)

        booster = lightgbm.train(
            fixed | {name: value for name, value in used.items() if name not in _OWN},
            train,
            num_boost_round=used["num_boost_round"],
            valid_sets=[validation],
            callbacks=[watch, lightgbm.early_stopping(used["early_stopping_rounds"], verbose=False)],
        )
        used["best_iteration"] = booster.best_iteration
        text = booster.model_to_string(num_iteration=booster.best_iteration)
        # How many threads learned is no part of the model, and the trees are the same: so is the artifact on any machine.
        return Trained(re.sub(r"(?m)^\[num_threads: \d+\]$", "[num_threads: 0]", text).encode(), used, curve)

    def __init__(self, artifact: bytes, features: list[Feature], outputs: int) -> None:
        self._trees = Trees(check_text(artifact, len(features), outputs), len(features), outputs)
        self._text, self._shape = artifact, (len(features), outputs)

    def predict(self, matrix: np.ndarray) -> np.ndarray:
        """As the base class says."""
        return self._trees.predict(matrix)

    def raw_score(self, matrix: np.ndarray) -> np.ndarray:
        """As the base class says."""
        return self._trees.raw_score(matrix)

    def contributions(self, matrix: np.ndarray) -> np.ndarray:
        """As the base class says, by LightGBM's own TreeSHAP (Lundberg et al. 2018)."""
        return self._booster.contributions(matrix)

    @functools.cached_property
    def _booster(self) -> Booster:
        # Only explanations need LightGBM itself, so that no other process loads a text with it.
        return Booster(self._text, *self._shape)


def _rows(
    data: TrainingData, split: tuple[np.ndarray, np.ndarray], weights: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """The matrix, targets and weights of a split as LightGBM takes them."""
    matrix, target = split
    if target.ndim == 1:
        return matrix, target, weights
    rows, classes, shares = by_class(data.task, target, weights)
    return matrix[rows], classes, shares
