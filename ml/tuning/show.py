"""A search in words."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ml.tuning.search import Progress


def describe(progress: "Progress") -> str:
    """Where a search stands: trials and time of the budget, and the best so far."""
    budget = progress.budget
    trials = f"{progress.trials} of {budget.trials} trials" if budget.trials else f"{progress.trials} trials"
    spent = _minutes(progress.seconds)
    minutes = f"{spent} of {_minutes(budget.minutes * 60)}" if budget.minutes is not None else spent
    best = progress.best
    if best is None:
        return f"{trials}, {minutes}, none complete yet"
    return (
        f"{trials}, {minutes}, best {best.metric} {best.value:.6g} with {best.estimator}{show_parameters(best.params)}"
    )


def show_parameters(params: dict[str, Any]) -> str:
    """Parameters in one line; those of the first trial are the declared ones.

    >>> show_parameters({"num_leaves": 31, "learning_rate": 0.0512345})
    ' num_leaves=31 learning_rate=0.05123'
    """
    if not params:
        return " as declared"
    shown = {name: f"{value:.4g}" if isinstance(value, float) else value for name, value in params.items()}
    return "".join(f" {name}={value}" for name, value in shown.items())


def _minutes(seconds: float) -> str:
    return f"{int(seconds // 60)}:{int(seconds % 60):02}"
