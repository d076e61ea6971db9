"""Gradient-boosted trees by LightGBM (Ke et al. 2017), kept in its text format."""

import os
from typing import Any

import numpy as np

from ml.errors import DeclarationError
from ml.estimators.base import Estimator, TrainingData
from ml.estimators.lightgbm_library import Booster
from ml.estimators.lightgbm_text import check_text
from ml.signature import Feature

DEFAULTS: dict[str, Any] = {
    "num_boost_round": 500,
    "early_stopping_rounds": 30,
    "learning_rate": 0.05,
    "num_leaves": 31,
    "min_data_in_leaf": 20,
    "metric": "auc",
}


class LightGBM(Estimator):
    """LightGBM with early stopping on the validation split, in its deterministic mode."""

    name = "lightgbm"
    artifact_format = "lightgbm-text"
    suffix = ".txt"

    @classmethod
    def train(cls, data: TrainingData, parameters: dict[str, Any], seed: int) -> tuple[bytes, dict[str, Any]]:
        """As the base class says; `num_boost_round` and `early_stopping_rounds` stand beside LightGBM's own parameters."""
        # Here, since it takes up to a second, for which a run that trains nothing need not wait.
        import lightgbm

        used = {**DEFAULTS, **parameters}
        fixed = {
            "objective": "binary",
            "seed": seed,
            "deterministic": True,
            "force_row_wise": True,
            "verbosity": -1,
            "num_threads": os.cpu_count(),
        }
        for name in fixed:
            if name in parameters:
                raise DeclarationError(f"parameters.{name} of lightgbm is set by the platform; remove it.")
        rounds, patience = used["num_boost_round"], used["early_stopping_rounds"]
        names = [feature.name for feature in data.features]
        categorical = [feature.name for feature in data.features if feature.categories is not None]
        options: dict[str, Any] = {
            "feature_name": names,
            "categorical_feature": categorical,
            "params": {"verbosity": -1},
        }
        train = lightgbm.Dataset(*data.train, **options)
        validation = lightgbm.Dataset(*data.validation, reference=train, **options)
        booster = lightgbm.train(
            {**fixed, **{name: value for name, value in used.items() if name not in DEFAULTS or name not in _OWN}},
            train,
            num_boost_round=rounds,
            valid_sets=[validation],
            callbacks=[lightgbm.early_stopping(patience, verbose=False)],
        )
        used["best_iteration"] = booster.best_iteration
        return booster.model_to_string(num_iteration=booster.best_iteration).encode(), used

    def __init__(self, artifact: bytes, features: list[Feature]) -> None:
        check_text(artifact, len(features))
        self._booster = Booster(artifact)

    def predict(self, matrix: np.ndarray) -> np.ndarray:
        """As the base class says."""
        return self._booster.predict(matrix)


_OWN = ("num_boost_round", "early_stopping_rounds")
