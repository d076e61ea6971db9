"""Finished trials, as a journal has them."""

import datetime as dt
from dataclasses import dataclass
from typing import Any

import optuna
from optuna.storages import JournalStorage
from optuna.study import Study, StudyDirection
from optuna.trial import FrozenTrial, TrialState

from ml.tuning.samplers import read_parameters

KILLED, INTERRUPTED = "killed", "interrupted"
"""Reasons of trials whose place is tried again."""
_STATES = {TrialState.COMPLETE: "complete", TrialState.PRUNED: "pruned", TrialState.FAIL: "failed"}


@dataclass(frozen=True)
class Trial:
    """A row of `<model>_trials`, but for what depends on others.

    search: what the study is a part of; place: counts the trials that were not killed; params: what the trial set, beside
    the declared parameters; value: of a complete one; losses: by iteration, lower is better; seconds: 0 where it was killed.
    """

    search: str
    study: str
    trial: int
    place: int
    dataset_version: int
    estimator: str
    state: str
    params: dict[str, Any]
    metric: str
    value: float | None
    losses: dict[int, float]
    reason: str | None
    started_at: dt.datetime
    finished_at: dt.datetime
    seconds: float


def all_trials(storage: JournalStorage) -> list[Trial]:
    """The finished trials of every study of a journal, in order."""
    names = optuna.get_all_study_names(storage)
    return [trial for name in names for trial in finished_trials(optuna.load_study(study_name=name, storage=storage))]


def finished_trials(study: Study) -> list[Trial]:
    """The finished trials of a study, in order."""
    about = study.user_attrs.get("about")
    if about is None:
        # It was killed before its first trial.
        return []
    sign = 1 if study.direction == StudyDirection.MINIMIZE else -1
    return [
        _read(study.study_name, about, sign, trial) for trial in study.get_trials(deepcopy=False, states=tuple(_STATES))
    ]


def _read(study: str, about: dict[str, Any], sign: int, trial: FrozenTrial) -> Trial:
    assert trial.datetime_start is not None and trial.datetime_complete is not None, "it is finished"
    # Both are missing where the process ended before it could say how the trial did.
    reason, seconds = trial.user_attrs.get("outcome", (None, 0.0))
    if trial.state == TrialState.FAIL and reason is None:
        reason = KILLED
    return Trial(
        search=about["search"],
        study=study,
        trial=trial.number,
        place=trial.user_attrs.get("place", 0),
        dataset_version=about["dataset_version"],
        estimator=about["estimator"],
        state=_STATES[trial.state],
        params=read_parameters(about["choices"], trial.params),
        metric=about["metric"],
        value=trial.value if trial.state == TrialState.COMPLETE else None,
        losses={step: sign * value for step, value in trial.intermediate_values.items()},
        reason=reason,
        started_at=trial.datetime_start.astimezone(dt.UTC),
        finished_at=trial.datetime_complete.astimezone(dt.UTC),
        seconds=seconds,
    )
