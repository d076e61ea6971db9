"""The learners that a model can name as its `estimator`: one file each, behind the same base class."""

from ml.estimators.base import Estimator
from ml.estimators.lightgbm import LightGBM
from ml.estimators.linear import Linear
from ml.estimators.torch_mlp import TorchMLP

ESTIMATORS: dict[str, type[Estimator]] = {estimator.name: estimator for estimator in (LightGBM, Linear, TorchMLP)}
