"""One trial: a training on the training split, measured on the validation split, and never on the test split."""

import time
from typing import Any

import numpy as np
from optuna.trial import TrialState

from ml.estimators import ESTIMATORS
from ml.training.data import Prepared
from ml.training.spec import ModelSpec
from ml.training.threshold import choose_threshold
from ml.tuning.metrics import measure
from ml.tuning.study import Study
from ml.tuning.trial import INTERRUPTED, Trial

_MOST_TEXT = 500


class _Stopped(Exception):
    """Ends a training from its report; the text says why."""


def run_trial(spec: ModelSpec, study: Study, prepared: Prepared, seconds_left: float) -> Trial:
    """Run the next trial of a study. seconds_left: after these it is stopped, and counts as pruned.

    An error of the training is the trial's reason to fail. An interrupt is noted and goes on.
    """
    started = time.monotonic()
    asked, parameters = study.ask()

    def report(iteration: int, loss: float) -> None:
        if time.monotonic() - started > seconds_left:
            raise _Stopped("out of time")
        # Each loss that is kept is a synced write.
        if _is_rung(iteration + 1) and study.is_losing(asked, iteration, loss):
            raise _Stopped(f"in the worst quarter at iteration {iteration}")

    state, value, reason = TrialState.FAIL, None, None
    try:
        value = _value(spec, study.estimator, study.fixed | parameters, prepared, report)
        state = TrialState.COMPLETE
        if not np.isfinite(value):
            state, value, reason = TrialState.FAIL, None, "the metric is not defined on the validation split"
    except _Stopped as stopped:
        state, reason = TrialState.PRUNED, str(stopped)
    except Exception as error:
        reason = f"{type(error).__name__}: {error}"[:_MOST_TEXT]
    except BaseException:
        study.tell(asked, TrialState.FAIL, None, INTERRUPTED, time.monotonic() - started)
        raise
    return study.tell(asked, state, value, reason, time.monotonic() - started)


def _value(spec: ModelSpec, name: str, parameters: dict[str, Any], prepared: Prepared, report: Any) -> float:
    assert spec.search is not None, "the caller has checked"
    data, estimator = prepared.data, ESTIMATORS[name]
    trained = estimator.train(data, parameters, spec.seed, report)
    matrix, target = data.validation
    scores = estimator(trained.artifact, data.features, data.outputs).predict(matrix)
    weights = data.validation_weights
    threshold = choose_threshold(spec, scores, target, weights)
    return measure(spec.search.metric, spec.task, scores, target, threshold, weights)


def _is_rung(count: int) -> bool:
    """Whether the loss after so many iterations is kept: the first eight, then in steps of about a fourth.

    >>> [count for count in range(1, 40) if _is_rung(count)]
    [1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 14, 16, 20, 24, 28, 32]
    """
    return count % max(1, 1 << max(0, count.bit_length() - 3)) == 0
