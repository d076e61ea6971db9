"""A search: trials until the budget is spent, also where it was begun and killed before."""

from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec

from optuna.storages import JournalStorage

from ml.datasets.versions import DatasetVersion, in_memory
from ml.errors import DeclarationError, EiderdownError
from ml.estimators import ESTIMATORS
from ml.training.data import Prepared, prepare
from ml.training.declarations import check_columns
from ml.training.spec import LOWER_IS_BETTER, ModelSpec
from ml.tuning.declaration import Tuning
from ml.tuning.identity import latest_dataset_version, search_name
from ml.tuning.journal import held, open_to_write
from ml.tuning.objective import run_trial
from ml.tuning.study import Study
from ml.tuning.trial import Trial, all_trials

MOST_FAILURES = 3
"""A search in which so many trials fail, and none is complete, gives up."""

FindDataset = Callable[[int | None], DatasetVersion]
"""Finds a recorded version of the model's dataset, the latest of None."""


@dataclass(frozen=True)
class Budget:
    """When a search ends; what was done before a restart counts. None is no bound."""

    trials: int | None
    minutes: float | None

    @classmethod
    def of(cls, tuning: Tuning) -> "Budget":
        """The declared one."""
        return cls(tuning.trials, tuning.minutes)

    def seconds_left(self, seconds: float) -> float:
        """What is left of the time after so many seconds."""
        return float("inf") if self.minutes is None else self.minutes * 60 - seconds


@dataclass(frozen=True)
class Progress:
    """Where a search stands. latest: the trial that has just ended, None at the beginning and at the end."""

    search: str
    budget: Budget
    trials: int
    seconds: float
    best: Trial | None
    latest: Trial | None


Watch = Callable[[Progress], None]


def search(spec: ModelSpec, find_dataset: FindDataset, budget: Budget, watch: Watch, again: bool = False) -> Progress:
    """Run what is left of a model's search, and return where it stands then.

    It stays on the dataset version that it began on, so that trials can be compared and new rows begin no search; `again`
    begins one on the latest. watch: called at the beginning and after each trial. Raises SearchIsHeld where another process
    searches, DeclarationError where the data cannot be learned from or `again` finds no newer version, EiderdownError
    where the first trials all fail.
    """
    with held(spec.name):
        storage = open_to_write(spec.name)
        dataset = _dataset(spec, storage, find_dataset, again)
        run = _Search(spec, storage, dataset, budget)
        watch(run.progress(None))
        while (study := run.next_study()) is not None:
            latest = run_trial(spec, study, run.prepared(), run.seconds_left())
            watch(run.progress(latest))
            run.refuse_failures()
        return run.progress(None)


def best_trial(trials: list[Trial]) -> Trial | None:
    """The complete trial with the best value, of equals the first; None where there is none."""
    complete = [(trial.value, trial) for trial in trials if trial.value is not None]
    sign = 1 if complete and complete[0][1].metric in LOWER_IS_BETTER else -1
    return min(complete, key=lambda pair: sign * pair[0], default=(None, None))[1]


class _Search:
    """The studies of one search, an estimator each."""

    def __init__(self, spec: ModelSpec, storage: JournalStorage, dataset: DatasetVersion, budget: Budget) -> None:
        self._spec, self._dataset, self._budget = spec, dataset, budget
        self._name = search_name(spec, dataset.version)
        self._prepared: Prepared | None = None
        self._studies = [Study(storage, self._name, spec, estimator, dataset.version) for estimator in _installed(spec)]

    @property
    def _trials(self) -> list[Trial]:
        return [trial for study in self._studies for trial in study.trials]

    def progress(self, latest: Trial | None) -> Progress:
        """Where the search stands."""
        finished = sum(study.place for study in self._studies)
        return Progress(self._name, self._budget, finished, self._seconds(), best_trial(self._trials), latest)

    def next_study(self) -> Study | None:
        """The study whose turn it is: with a bound of time the one that took the least, otherwise the one with the fewest
        trials, of equals the cheapest estimator. None where the budget is spent or nothing is left to try.
        """
        budget, open_studies = self._budget, [study for study in self._studies if not study.is_exhausted]
        are_enough = budget.trials is not None and sum(study.place for study in self._studies) >= budget.trials
        if are_enough or budget.seconds_left(self._seconds()) <= 0 or not open_studies:
            return None
        return min(open_studies, key=lambda study: study.place if budget.minutes is None else study.seconds)

    def prepared(self) -> Prepared:
        """The rows, read when the first trial needs them."""
        if self._prepared is None:
            used = check_columns(self._spec, self._dataset.columns, self._dataset.not_features)
            with in_memory() as session:
                self._prepared = prepare(session, self._spec, self._dataset, used)
        return self._prepared

    def seconds_left(self) -> float:
        """When the next trial is to be stopped: never, before there is one that could be trained with."""
        return self._budget.seconds_left(self._seconds()) if best_trial(self._trials) else float("inf")

    def refuse_failures(self) -> None:
        """Raise EiderdownError where trials fail and none is complete."""
        failed = [trial for trial in self._trials if trial.state == "failed"]
        if len(failed) >= MOST_FAILURES and not best_trial(self._trials):
            raise EiderdownError(
                f"model {self._spec.name}: the first {len(failed)} trials failed, the last one with: {failed[-1].reason}. "
                "Mend what it says, or the space in config.meta.model."
            )

    def _seconds(self) -> float:
        return sum(study.seconds for study in self._studies)


def _installed(spec: ModelSpec) -> list[str]:
    assert spec.search is not None, "the caller has checked"
    missing = {
        name: [package for package in ESTIMATORS[name].requires if not find_spec(package)]
        for name in spec.search.spaces
    }
    if all(missing.values()):
        said = "; ".join(
            f"{name} needs {', '.join(packages)}: pip install 'eiderdown[{ESTIMATORS[name].extra}]'"
            for name, packages in missing.items()
        )
        raise DeclarationError(f"model {spec.name}: no estimator of the search can train here. {said}.")
    return [name for name, packages in missing.items() if not packages]


def _dataset(spec: ModelSpec, storage: JournalStorage, find_dataset: FindDataset, again: bool) -> DatasetVersion:
    """The dataset version that the search is on, or is to begin on."""
    searches = {trial.search for trial in all_trials(storage)}
    before = latest_dataset_version(spec, searches)
    latest = find_dataset(None)
    if again and latest.version == before:
        raise DeclarationError(
            f"model {spec.name}: it was searched on version {before} of the dataset {spec.dataset}, the latest, and would come "
            "out the same; for more trials raise the budget (--trials, --minutes), for others change config.meta.model.seed."
        )
    return latest if again or before is None else find_dataset(before)
