"""Which parameters the next trial has. A place's are the same whatever was killed before it came to it."""

import json
import random
from collections.abc import Collection
from typing import TYPE_CHECKING, Any

from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.samplers import BaseSampler, RandomSampler, TPESampler

from ml.digest import digest
from ml.tuning.declaration import grid_points, is_whole

if TYPE_CHECKING:
    from optuna.study import Study
    from optuna.trial import FrozenTrial


def distributions(space: dict[str, dict[str, Any]]) -> dict[str, BaseDistribution]:
    """A declared space as Optuna has it. Choices are JSON texts, so that any value can be one; `read_parameters` reads them."""
    return {name: _distribution(values) for name, values in space.items()}


def choices(space: dict[str, dict[str, Any]]) -> list[str]:
    """The parameters of which values are choices, and not numbers of a range."""
    return [name for name, values in space.items() if "choices" in values]


def read_parameters(choices: Collection[str], sampled: dict[str, Any]) -> dict[str, Any]:
    """A trial's parameters as the estimator takes them."""
    return {name: json.loads(value) if name in choices else value for name, value in sampled.items()}


def sampler(kind: str, space: dict[str, dict[str, Any]], seed: int, place: int) -> BaseSampler:
    """The sampler ('tpe', 'random' or 'grid') of the trial at a place, which counts finished trials from 0.

    TPE (Bergstra et al. 2011) goes by the finished trials before it. A grid is shuffled, so that a part of it is spread.
    """
    if kind == "grid":
        points = grid_points(space)
        random.Random(seed).shuffle(points)
        return _Point(points[place])
    of_place = int(digest([seed, place])[:8], 16)
    return RandomSampler(seed=of_place) if kind == "random" else TPESampler(seed=of_place)


def _distribution(values: dict[str, Any]) -> BaseDistribution:
    if "choices" in values:
        return CategoricalDistribution([_to_choice(value) for value in values["choices"]])
    log, step = values.get("log", False), values.get("step")
    if is_whole(values):
        return IntDistribution(values["low"], values["high"], log=log, step=step or 1)
    return FloatDistribution(values["low"], values["high"], log=log, step=step)


def _to_choice(value: Any) -> str:
    return json.dumps(value, sort_keys=True)


class _Point(BaseSampler):
    """Gives the values of one point."""

    def __init__(self, point: dict[str, Any]) -> None:
        self._point = point

    def infer_relative_search_space(self, study: "Study", trial: "FrozenTrial") -> dict[str, BaseDistribution]:
        return {}

    def sample_relative(
        self, study: "Study", trial: "FrozenTrial", search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        return {}

    def sample_independent(
        self, study: "Study", trial: "FrozenTrial", param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        value = self._point[param_name]
        return _to_choice(value) if isinstance(param_distribution, CategoricalDistribution) else value
