"""What a model declares in YAML under `config.meta.model`, checked."""

import datetime as dt
import difflib
from dataclasses import dataclass, field, fields
from typing import Any

from ml.errors import DeclarationError
from ml.estimators import ESTIMATORS

TASKS = ("binary",)
THRESHOLDS = ("max_f1",)
PROMOTE_METRICS = ("auc", "log_loss", "brier", "precision", "recall", "f1")


@dataclass(frozen=True)
class Split:
    """A split by time: rows before `validation_from` train, those from `test_from` on test, between them is validation.

    Without instants, the first 70 % of the distinct prediction times train and the last 15 % test.
    """

    by: str = "time"
    validation_from: dt.datetime | None = None
    test_from: dt.datetime | None = None


@dataclass(frozen=True)
class ModelSpec:
    """A model's declaration. `features` is 'all', a list, or {exclude: list}; `threshold` a number or 'max_f1'."""

    name: str
    task: str
    dataset: str
    target: str
    estimator: str
    features: Any = "all"
    parameters: dict[str, Any] = field(default_factory=dict)
    split: Split = field(default_factory=Split)
    seed: int = 1
    threshold: float | str = "max_f1"
    slices: list[str] = field(default_factory=list)
    promote: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def parse(cls, name: str, declared: dict[str, Any]) -> "ModelSpec":
        """Check and complete a declaration. Raises DeclarationError with the field, what is wrong and the remedy."""
        where = f"model {name}: config.meta.model"
        known = [entry.name for entry in fields(cls) if entry.name != "name"]
        _refuse_unknown(where, declared, known)
        for required in ("task", "dataset", "target", "estimator"):
            if required not in declared:
                raise DeclarationError(f"{where} lacks '{required}'; add it.")
        _refuse_other(where, "task", declared["task"], TASKS)
        _refuse_other(where, "estimator", declared["estimator"], tuple(ESTIMATORS))
        threshold = declared.get("threshold", "max_f1")
        if not isinstance(threshold, int | float):
            _refuse_other(where, "threshold", threshold, THRESHOLDS)
        _check_promote(f"{where}.promote", declared.get("promote", {}))
        return cls(name=name, **{**declared, "split": _parse_split(where, declared.get("split", {}))})

    def select_features(self, columns: dict[str, str], not_features: set[str]) -> list[str]:
        """The features, in the dataset's order. columns: the dataset's; not_features: its row id, time and so on.

        Raises DeclarationError where a named feature is no column of the dataset.
        """
        where = f"model {self.name}: config.meta.model.features"
        candidates = [column for column in columns if column not in not_features | {self.target}]
        exclude = self.features.get("exclude", []) if isinstance(self.features, dict) else []
        named = self.features if isinstance(self.features, list) else exclude
        for feature in named:
            if feature not in columns:
                raise DeclarationError(
                    f"{where}: '{feature}' is no column of the dataset {self.dataset}.{_hint(feature, candidates)}"
                )
        if isinstance(self.features, list):
            return [column for column in candidates if column in self.features]
        return [column for column in candidates if column not in exclude]


def _check_promote(where: str, declared: dict[str, Any]) -> None:
    _refuse_unknown(where, declared, ["metric", "split", "min_gain"])
    _refuse_other(where, "metric", declared.get("metric", "auc"), PROMOTE_METRICS)
    _refuse_other(where, "split", declared.get("split", "test"), ("validation", "test"))
    if isinstance(gain := declared.get("min_gain", 0), bool) or not isinstance(gain, int | float):
        raise DeclarationError(f"{where}.min_gain must be a number, the least by which a new version is better.")


def _parse_split(where: str, declared: dict[str, Any]) -> Split:
    _refuse_unknown(f"{where}.split", declared, [entry.name for entry in fields(Split)])
    _refuse_other(f"{where}.split", "by", declared.get("by", "time"), ("time",))
    bounds: dict[str, dt.datetime] = {}
    for bound in ("validation_from", "test_from"):
        if bound in declared:
            try:
                moment = dt.datetime.fromisoformat(str(declared[bound]))
            except ValueError:
                raise DeclarationError(f"{where}.split.{bound} must be a time such as 2013-10-01T00:00:00Z.") from None
            bounds[bound] = moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)
    if len(bounds) == 1:
        raise DeclarationError(f"{where}.split needs both validation_from and test_from, or neither.")
    if bounds and bounds["validation_from"] >= bounds["test_from"]:
        raise DeclarationError(f"{where}.split: validation_from must lie before test_from.")
    return Split(by=declared.get("by", "time"), **bounds)


def _refuse_unknown(where: str, declared: Any, known: list[str]) -> None:
    if not isinstance(declared, dict):
        raise DeclarationError(f"{where} must be a mapping with the fields {', '.join(known)}.")
    for name in declared:
        if name not in known:
            raise DeclarationError(f"{where} has the unknown field '{name}'.{_hint(name, known)}")


def _refuse_other(where: str, name: str, value: Any, known: tuple[str, ...]) -> None:
    if value not in known:
        raise DeclarationError(
            f"{where}.{name} is '{value}'; it must be one of {', '.join(known)}.{_hint(str(value), known)}"
        )


def _hint(word: str, known: Any) -> str:
    close = difflib.get_close_matches(word, list(known), n=1)
    return f" Did you mean '{close[0]}'?" if close else ""
