"""One estimator's part of a search: an Optuna study that is asked and told."""

import statistics
from collections import Counter
from typing import Any

import optuna
from optuna.pruners import BasePruner, NopPruner, PercentilePruner
from optuna.storages import JournalStorage
from optuna.trial import TrialState

from ml.training.spec import LOWER_IS_BETTER, ModelSpec
from ml.tuning.declaration import grid_points
from ml.tuning.samplers import choices, distributions, read_parameters, sampler
from ml.tuning.trial import INTERRUPTED, KILLED, Trial, finished_trials

MOST_KILLS = 3
"""A trial that was killed so often, such as for want of memory, is passed over."""
_COMPLETE_BEFORE_PRUNING = 5


class Study:
    """The trials of an estimator, one after the other, each at a place.

    The first has the declared parameters, so that the best is no worse than these; a grid's has a point of the grid.
    """

    def __init__(
        self, storage: JournalStorage, search: str, spec: ModelSpec, estimator: str, dataset_version: int
    ) -> None:
        """Open an estimator's study of a search, or begin it. Only for the one who has the hold (ml.tuning.journal).

        fixed: the declared parameters, which a trial's own override; of another estimator than the declared one, none.
        """
        assert spec.search is not None, "the caller has checked"
        tuning = spec.search
        self.estimator = estimator
        self.fixed = spec.parameters if estimator == spec.estimator else {}
        self._tuning, self._space, self._seed = tuning, tuning.spaces[estimator], spec.seed
        self._sign = 1 if tuning.metric in LOWER_IS_BETTER else -1
        self._study = optuna.create_study(
            storage=storage,
            study_name=f"{search}-{estimator}",
            direction="minimize" if self._sign == 1 else "maximize",
            load_if_exists=True,
        )
        about = {
            "search": search,
            "estimator": estimator,
            "metric": tuning.metric,
            "dataset_version": dataset_version,
            "choices": choices(self._space),
        }
        if self._study.user_attrs.get("about") != about:
            self._study.set_user_attr("about", about)
        for left in self._study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
            self._study.tell(left.number, state=TrialState.FAIL)
        self._look()

    def _look(self) -> None:
        self.trials: list[Trial] = finished_trials(self._study)
        self.seconds = sum(trial.seconds for trial in self.trials)
        killed = Counter(trial.place for trial in self.trials if trial.reason == KILLED)
        passed = {trial.place for trial in self.trials if trial.reason not in (KILLED, INTERRUPTED)}
        passed |= {place for place, times in killed.items() if times >= MOST_KILLS}
        self.place = next(place for place in range(len(passed) + 1) if place not in passed)

    @property
    def is_exhausted(self) -> bool:
        """Whether all that could be tried was."""
        if self._tuning.sampler == "grid":
            return self.place >= len(grid_points(self._space))
        return self.place > 0 and not self._space

    def ask(self) -> tuple[optuna.Trial, dict[str, Any]]:
        """Begin the next trial. Returns it with the parameters that it sets."""
        is_declared = self.place == 0 and self._tuning.sampler != "grid"
        if not is_declared:
            self._study.sampler = sampler(self._tuning.sampler, self._space, self._seed, self.place)
        self._study.pruner = self._pruner()
        asked = self._study.ask({} if is_declared else distributions(self._space))
        asked.set_user_attr("place", self.place)
        return asked, read_parameters(choices(self._space), asked.params)

    def is_losing(self, asked: optuna.Trial, iteration: int, loss: float) -> bool:
        """Keep the loss of a running trial at an iteration, and say whether it is to be pruned."""
        asked.report(self._sign * loss, iteration)
        return asked.should_prune()

    def tell(
        self, asked: optuna.Trial, state: TrialState, value: float | None, reason: str | None, seconds: float
    ) -> Trial:
        """End a trial: with a value if it is complete, otherwise with a reason; seconds: what it took."""
        asked.set_user_attr("outcome", [reason, seconds])
        self._study.tell(asked, value, state)
        self._look()
        return self.trials[-1]

    def _pruner(self) -> BasePruner:
        """A trial is pruned where its loss is among the worst quarter, from half of the usual length on.

        Earlier, or at the median, those that learn slowly and well would lose, such as boosting with a low rate.
        """
        lengths = [max(trial.losses) for trial in self.trials if trial.state == "complete" and trial.losses]
        if not self._tuning.pruning or not lengths:
            return NopPruner()
        return PercentilePruner(75.0, _COMPLETE_BEFORE_PRUNING, int(statistics.median(lengths)) // 2)
