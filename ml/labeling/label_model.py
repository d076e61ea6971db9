"""The label model: the accuracy of each function and the balance of the classes, learned from votes without any label."""

import json
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from scipy.optimize import linear_sum_assignment

from ml.declared import refuse_no_number, refuse_other
from ml.errors import DeclarationError
from ml.labeling.dependencies import FEWEST_GROUPS, alone, detect, fit
from ml.labeling.latent_class import FLOOR, PRIOR_GROUP_ROWS, PRIOR_VOTES, Design, Groups, Tables, Task, independent
from ml.labeling.majority_vote import majority
from ml.labeling.patterns import ABSTAIN, Patterns, distinct
from ml.labeling.triplet import triplet
from ml.labeling.voter import Voter, check_votes

_DESCENT = ("n_epochs", "lr", "l2", "optimizer", "optimizer_config", "lr_scheduler", "lr_scheduler_config")
SNORKEL_SETTINGS = (*_DESCENT, "prec_init", "seed", "log_freq", "mu_eps", "progress_bar", "verbose", "device")
"""What snorkel's label model takes for its gradient descent, which is not needed here."""
METHODS = ("em", "majority_vote", "triplet")
FEWEST_FUNCTIONS = 3
# Less is what rounding leaves of a function that never votes.
_NEVER = 1e-12


class LabelModel(Voter):
    """Learns from votes how far each function is to be believed, and gives each row a probability per class.

    method: 'em', a latent class model by expectation-maximisation over the distinct rows of votes (Dawid and Skene 1979), which
    also learns the balance, what abstaining tells, and which functions depend on each other; 'triplet', accuracies in closed
    form (Fu et al. 2020); 'majority_vote', which learns nothing. Nothing is random: the same votes give the same model.

    After `fit`: `class_balance`, shape (cardinality,); `groups`, the functions, by place, that depend on each other.
    """

    def __init__(self, cardinality: int = 2, method: str = "em", **settings: Any) -> None:
        """settings: of SNORKEL_SETTINGS, passed over with a warning, so that code that was written for snorkel runs."""
        super().__init__(cardinality)
        _pass_over(settings)
        refuse_other("method", method, METHODS)
        self.method = method
        self.groups: list[tuple[int, ...]] = []
        self._tables: Tables | None = None
        self._combinations: list[np.ndarray] = []

    def fit(
        self,
        L_train: np.ndarray,  # noqa: N803
        Y_dev: np.ndarray | None = None,  # noqa: N803
        class_balance: Sequence[float] | None = None,
        *,
        gold: np.ndarray | None = None,
        counts: np.ndarray | None = None,
        accuracies: Mapping[int, float | tuple[float, float]] | None = None,
        dependencies: str | Sequence[Sequence[int]] | None = "detect",
        **settings: Any,
    ) -> "LabelModel":
        """Learn from votes, shape (rows, functions): a class from 0, or -1 where a function abstains.

        Y_dev: classes of other rows, whose balance is taken, as snorkel does; class_balance: shape (cardinality,); without
        either it is learned. gold: shape (rows,), the classes that are known, -1 elsewhere: each counts as the row that it
        is. counts: shape (rows,), how often each row of votes occurs. accuracies: by the function's place, how often its
        votes are right, as far as one knows, or (that, of how many votes that knowledge is worth; 40 if not said).
        dependencies: 'detect', None (functions are independent given the class), or groups of functions that are not.
        settings: as in the constructor. Raises DeclarationError, with the place, where one of them cannot be.
        """
        _pass_over(settings)
        votes = check_votes(L_train, self.cardinality)
        functions = votes.shape[1]
        if functions < FEWEST_FUNCTIONS:
            raise DeclarationError(
                f"there are {functions} functions; with fewer than {FEWEST_FUNCTIONS} nobody can tell who is right. Add some."
            )
        if not (votes != ABSTAIN).any():
            raise DeclarationError("no function votes in any row; a label model needs votes.")
        for name, values in (("gold", gold), ("counts", counts)):
            if values is not None and np.shape(values) != (len(votes),):
                raise DeclarationError(
                    f"{name} has the shape {np.shape(values)}; it must be ({len(votes)},), a value for each row of votes."
                )
        if counts is not None and not ((np.asarray(counts) >= 0).all() and np.any(counts)):
            raise DeclarationError("counts must be 0 or more, and not all 0: how often each row of votes occurs.")
        known = None if gold is None else check_votes(np.asarray(gold)[:, None], self.cardinality)[:, 0]
        patterns = Patterns.of(votes, known, counts)
        balance = _balance(class_balance, Y_dev, self.cardinality)
        task = Task(patterns, self.cardinality, balance, _accuracies(accuracies or {}, functions))
        groups = _declared_groups(dependencies, functions)
        self._combinations, self.groups = [], []
        if self.method == "em":
            found = detect(task) if groups is None else fit(task, groups)
            self._tables, self._combinations = _named(task, found.tables), found.combinations
            self.groups = [group for group in found.groups if len(group) > 1]
        elif self.method == "triplet":
            self._tables = triplet(task)
        else:
            self._tables = Design(task, alone(functions)).tables(majority(patterns.votes, self.cardinality))
        return self

    @property
    def class_balance(self) -> np.ndarray:
        """The share of each class, shape (cardinality,)."""
        return self._fitted.balance

    def predict_proba(self, L: np.ndarray) -> np.ndarray:  # noqa: N803
        """The probability of each class, shape (rows, cardinality). What was never seen in fitting says nothing."""
        votes = check_votes(L, self.cardinality, len(self._fitted.marginals))
        first, inverse = distinct(list(votes.T))
        return np.asarray(self._posterior(votes[first])[inverse])

    def get_weights(self) -> np.ndarray:
        """How often each function is right where it votes, shape (functions,); NaN of one that never votes."""
        tables = self._fitted
        right = np.einsum("jyy,y->j", tables.marginals[:, 1:], tables.balance)
        votes = np.einsum("jvy,y->j", tables.marginals[:, 1:], tables.balance)
        return np.asarray(np.divide(right, votes, out=np.full(len(votes), np.nan), where=votes > _NEVER))

    def get_conditional_probs(self) -> np.ndarray:
        """P(vote | class), shape (functions, cardinality + 1, cardinality); the first of the votes is to abstain."""
        return self._fitted.marginals.copy()

    def to_json(self) -> str:
        """All that was learned, as JSON."""
        tables = self._fitted
        groups = [
            {"functions": list(group), "combinations": combinations.tolist(), "table": table.tolist()}
            for group, combinations, table in zip(self.groups, self._combinations, tables.joint, strict=True)
        ]
        learned = {
            "cardinality": self.cardinality,
            "method": self.method,
            "balance": tables.balance.tolist(),
            "class_rows": tables.class_rows.tolist(),
            "marginals": tables.marginals.tolist(),
            "groups": groups,
        }
        return json.dumps(learned)

    @classmethod
    def from_json(cls, text: str) -> "LabelModel":
        """The model that `to_json` wrote; it predicts the same."""
        learned = json.loads(text)
        model = cls(learned["cardinality"], learned["method"])
        model.groups = [tuple(group["functions"]) for group in learned["groups"]]
        model._combinations = [np.array(group["combinations"]) for group in learned["groups"]]
        model._tables = Tables(
            np.array(learned["balance"]),
            np.array(learned["marginals"]),
            [np.array(group["table"]) for group in learned["groups"]],
            np.array(learned["class_rows"]),
        )
        return model

    @property
    def _fitted(self) -> Tables:
        if self._tables is None:
            raise DeclarationError("the label model has learned nothing yet; call fit first.")
        return self._tables

    def _posterior(self, votes: np.ndarray) -> np.ndarray:
        if self.method == "majority_vote":
            return majority(votes, self.cardinality)
        tables = self._fitted
        joint = np.tile(np.log(np.maximum(tables.balance, FLOOR)), (len(votes), 1))
        dependent = {place for group in self.groups for place in group}
        for place in set(range(len(tables.marginals))) - dependent:
            joint += np.log(tables.marginals[place])[votes[:, place] + 1]
        for group, combinations, table in zip(self.groups, self._combinations, tables.joint, strict=True):
            own = votes[:, list(group)]
            # The prior, where a combination was never seen.
            unseen = (
                PRIOR_GROUP_ROWS * independent(tables.marginals, group, own) / (tables.class_rows + PRIOR_GROUP_ROWS)
            )
            known = {tuple(combination): number for number, combination in enumerate(combinations.tolist())}
            places = np.array([known.get(tuple(one), -1) for one in own.tolist()])
            joint += np.log(np.where((places >= 0)[:, None], table[places], np.maximum(unseen, FLOOR)))
        joint -= joint.max(axis=1, keepdims=True)
        posterior = np.exp(joint)
        return np.asarray(posterior / posterior.sum(axis=1, keepdims=True))


def _pass_over(settings: dict[str, Any]) -> None:
    for name in settings:
        refuse_other("a setting of LabelModel", name, SNORKEL_SETTINGS)
    if settings:
        warnings.warn(f"{', '.join(settings)}: of snorkel's gradient descent, and without effect here.", stacklevel=3)


def _named(task: Task, tables: Tables) -> Tables:
    """The same tables, with the latent classes named so that functions are right more often than not, taken together.

    The likelihood knows no names. Known classes, or a given balance, leave no choice.
    """
    if task.balance is not None or (task.patterns.gold >= 0).any():
        return tables
    agreement = tables.marginals[:, 1:].sum(axis=0) + 1e-9 * np.eye(task.classes)
    latent = linear_sum_assignment(agreement, maximize=True)[1]
    return Tables(
        tables.balance[latent],
        tables.marginals[:, :, latent],
        [table[:, latent] for table in tables.joint],
        tables.class_rows[latent],
    )


def _balance(given: Sequence[float] | None, gold: np.ndarray | None, classes: int) -> np.ndarray | None:
    if given is None and gold is None:
        return None
    if given is None:
        known = check_votes(np.asarray(gold)[:, None], classes)[:, 0]
        known = known[known != ABSTAIN]
        if not len(known):
            raise DeclarationError(
                "Y_dev holds no class, only -1; give classes whose balance can be taken, or leave it out."
            )
        return np.asarray(np.bincount(known, minlength=classes) / len(known))
    balance = np.asarray(given, dtype=np.float64)
    if balance.shape != (classes,) or (balance <= 0).any() or abs(balance.sum() - 1) > 1e-6:
        raise DeclarationError(
            f"class_balance is {given}; it must be {classes} shares above 0 that add up to 1, in the order of the classes."
        )
    return balance


def _accuracies(given: Mapping[int, float | tuple[float, float]], functions: int) -> dict[int, tuple[float, float]]:
    found = {}
    for place, value in given.items():
        accuracy, worth = value if isinstance(value, tuple) else (value, PRIOR_VOTES)
        if not 0 <= place < functions:
            raise DeclarationError(f"accuracies names the function {place}; there are {functions}, from 0 on.")
        refuse_no_number(f"accuracies of function {place}", accuracy, "the share of right votes", 0.001, 0.999)
        refuse_no_number(f"accuracies of function {place}", worth, "of how many votes that knowledge is worth", 0)
        found[place] = (float(accuracy), float(worth))
    return found


def _declared_groups(declared: str | Sequence[Sequence[int]] | None, functions: int) -> Groups | None:
    """A partition of the functions in which declared groups that share one are joined; None where it is to be detected."""
    if declared == "detect":
        return None
    if isinstance(declared, str):
        raise DeclarationError(f"dependencies is '{declared}'; it must be 'detect', None or groups of functions.")
    groups = [{place} for place in range(functions)]
    for group in declared or []:
        if unknown := [place for place in group if not 0 <= place < functions]:
            raise DeclarationError(f"dependencies names the function {unknown[0]}; there are {functions}, from 0 on.")
        shared = [one for one in groups if one & set(group)]
        groups = [one for one in groups if one not in shared] + [set().union(*shared)] if shared else groups
    if len(groups) < FEWEST_GROUPS:
        raise DeclarationError(
            f"dependencies leaves {len(groups)} groups that are independent of each other; with fewer than {FEWEST_GROUPS} "
            "nobody can tell who is right. Add functions, or declare fewer dependencies."
        )
    return tuple(sorted(tuple(sorted(group)) for group in groups))
