"""The learners that a model can name as its `estimator`: one file each, behind the same base class."""

from ml.estimators.base import Estimator
from ml.estimators.lightgbm import LightGBM

ESTIMATORS: dict[str, type[Estimator]] = {LightGBM.name: LightGBM}
