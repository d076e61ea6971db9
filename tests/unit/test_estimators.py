"""Every registered estimator passes the test kit."""

from typing import ClassVar

from ml.estimators import ESTIMATORS
from ml.estimators.lightgbm import LightGBM
from ml.estimators.linear import Linear
from ml.estimators.torch_mlp import TorchMLP
from tests.estimators import EstimatorChecks


class TestLightGBM(EstimatorChecks):
    estimator = LightGBM
    parameters: ClassVar = {"num_boost_round": 15, "min_data_in_leaf": 5, "learning_rate": 0.2, "num_leaves": 7}


class TestLinear(EstimatorChecks):
    estimator = Linear


class TestTorchMLP(EstimatorChecks):
    estimator = TorchMLP
    parameters: ClassVar = {"hidden": [16, 8], "epochs": 4, "learning_rate": 0.02}


def test_every_estimator_is_checked() -> None:
    assert {checks.estimator for checks in EstimatorChecks.__subclasses__()} == set(ESTIMATORS.values())
