"""What `tune` and `automl` in a model's declaration say, checked."""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ml.declared import refuse_no_number, refuse_other, refuse_unknown
from ml.errors import DeclarationError
from ml.estimators import ESTIMATORS

SAMPLERS = ("tpe", "random", "grid")
AUTOML_MINUTES = 10.0
MOST_POINTS = 100_000
_TUNE = ("trials", "minutes", "sampler", "metric", "pruning", "space")
_AUTOML = ("trials", "minutes", "estimators", "metric", "pruning")


@dataclass(frozen=True)
class Tuning:
    """A search: until `trials` are finished or `minutes` are spent, whichever comes first; one of them may be None.

    metric: of the validation split; spaces: the estimators that are tried, cheap ones first, each with its parameters to
    {low, high, log, step} or {choices}.
    """

    metric: str
    spaces: dict[str, dict[str, dict[str, Any]]]
    trials: int | None = None
    minutes: float | None = None
    sampler: str = "tpe"
    pruning: bool = True


def parse_tuning(where: str, declared: dict[str, Any], metrics: Sequence[str]) -> Tuning | None:
    """The search that a model declares, None where it declares none.

    where: the place of the declaration, for errors; metrics: those of its task, the first is taken where none is named.
    Raises DeclarationError with the field, what is wrong and the remedy.
    """
    is_automl = declared.get("automl", False) is not False
    if "tune" in declared and is_automl:
        raise DeclarationError(f"{where} has both 'tune' and 'automl'; automl tunes what it tries, so remove 'tune'.")
    if "tune" in declared:
        return _parse_tune(f"{where}.tune", declared, metrics)
    if is_automl:
        return _parse_automl(f"{where}.automl", declared, metrics)
    return None


def grid_points(space: dict[str, dict[str, Any]]) -> list[dict[str, Any]]:
    """All points of a space of choices and steps, in order."""
    return [dict(zip(space, values, strict=True)) for values in itertools.product(*map(_values, space.values()))]


def _parse_tune(where: str, declared: dict[str, Any], metrics: Sequence[str]) -> Tuning:
    tune = declared["tune"]
    refuse_unknown(where, tune, _TUNE)
    if "trials" not in tune and "minutes" not in tune:
        raise DeclarationError(f"{where} has no budget; add trials: 30, minutes: 10 or both.")
    sampler = tune.get("sampler", "tpe")
    refuse_other(f"{where}.sampler", sampler, SAMPLERS)
    estimator = declared["estimator"]
    space = tune.get("space", ESTIMATORS[estimator].search_space)
    if not isinstance(space, dict) or not space:
        raise DeclarationError(
            f"{where}.space must be a mapping of the parameters of {estimator}, such as {{l2: {{low: 0.1, high: 10}}}}."
        )
    for name, values in space.items():
        _check_values(f"{where}.space.{name}", values, sampler)
    if sampler == "grid" and math.prod(len(_values(values)) for values in space.values()) > MOST_POINTS:
        raise DeclarationError(
            f"{where}.space has more than {MOST_POINTS:,} points; use sampler: tpe, or fewer choices."
        )
    task, fixed = declared["task"], declared.get("parameters", {})
    for name, values in space.items():
        for value in values["choices"] if "choices" in values else (values["low"], values["high"]):
            try:
                ESTIMATORS[estimator].check_parameters(task, fixed | {name: value})
            except DeclarationError as error:
                raise DeclarationError(f"{where}.space: {error}") from error
    return Tuning(**_common(where, tune, metrics), sampler=sampler, spaces={estimator: space})


def _parse_automl(where: str, declared: dict[str, Any], metrics: Sequence[str]) -> Tuning:
    automl = {} if declared["automl"] is True else declared["automl"]
    if not isinstance(automl, dict):
        raise DeclarationError(f"{where} is '{automl}'; it must be true, or a mapping with {', '.join(_AUTOML)}.")
    refuse_unknown(where, automl, _AUTOML)
    task = declared["task"]
    able = [name for name, estimator in ESTIMATORS.items() if task in estimator.tasks]
    names = automl.get("estimators", able)
    if not isinstance(names, list) or not names:
        raise DeclarationError(f"{where}.estimators must be a list of estimators, such as [{', '.join(able)}].")
    for name in names:
        refuse_other(f"{where}.estimators", name, able)
    if declared.get("estimator", names[0]) not in names:
        raise DeclarationError(
            f"{where}.estimators lacks the declared estimator {declared['estimator']}; add it, or remove one."
        )
    if "estimator" not in declared and declared.get("parameters"):
        raise DeclarationError(
            f"{where} chooses the estimator, so name the one that 'parameters' are of as 'estimator'."
        )
    cheap_first = sorted(dict.fromkeys(names), key=lambda name: (ESTIMATORS[name].cost, name))
    budget = {} if "trials" in automl else {"minutes": AUTOML_MINUTES}
    return Tuning(
        **_common(where, budget | automl, metrics), spaces={name: ESTIMATORS[name].search_space for name in cheap_first}
    )


def _common(where: str, declared: dict[str, Any], metrics: Sequence[str]) -> dict[str, Any]:
    trials, minutes = declared.get("trials"), declared.get("minutes")
    if "trials" in declared and (not isinstance(trials, int) or isinstance(trials, bool) or trials < 1):
        raise DeclarationError(f"{where}.trials is '{trials}'; it must be a whole number of at least 1.")
    if "minutes" in declared:
        refuse_no_number(f"{where}.minutes", minutes, "how long to search", 0)
    metric = declared.get("metric", metrics[0])
    refuse_other(f"{where}.metric", metric, metrics)
    pruning = declared.get("pruning", True)
    if not isinstance(pruning, bool):
        raise DeclarationError(f"{where}.pruning is '{pruning}'; it must be true or false.")
    return {"trials": trials, "minutes": minutes, "metric": metric, "pruning": pruning}


def _check_values(where: str, values: Any, sampler: str) -> None:
    refuse_unknown(where, values, ("low", "high", "log", "step", "choices"))
    if "choices" in values:
        if len(values) > 1 or not isinstance(values["choices"], list) or not values["choices"]:
            raise DeclarationError(f"{where}.choices must be a list of values, with no other field beside it.")
        return
    for bound in ("low", "high"):
        refuse_no_number(f"{where}.{bound}", values.get(bound), "a bound of the values that are tried")
    log, step = values.get("log", False), values.get("step")
    if values["low"] >= values["high"]:
        raise DeclarationError(f"{where}: low must be less than high.")
    if not isinstance(log, bool):
        raise DeclarationError(f"{where}.log is '{log}'; it must be true or false.")
    if log and (step is not None or values["low"] <= 0):
        raise DeclarationError(f"{where}: with log: true, low must be above 0 and step is left out.")
    if step is not None:
        refuse_no_number(f"{where}.step", step, "the distance of the values that are tried")
        if step <= 0:
            raise DeclarationError(f"{where}.step must be above 0.")
        if is_whole(values) and not isinstance(step, int):
            raise DeclarationError(f"{where}.step must be a whole number, as low and high are.")
    elif sampler == "grid":
        raise DeclarationError(f"{where}: a grid takes choices, or low, high and step; add step or choices.")


def is_whole(values: dict[str, Any]) -> bool:
    """Whether a range is one of whole numbers: both of its bounds are."""
    return isinstance(values["low"], int) and isinstance(values["high"], int)


def _values(values: dict[str, Any]) -> list[Any]:
    if "choices" in values:
        return list(values["choices"])
    low, high, step = values["low"], values["high"], values["step"]
    # Of 0.1 steps the last may fall short of `high` by a rounding.
    return [low + place * step for place in range(int((high - low) / step + 1e-9) + 1)]
