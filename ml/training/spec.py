"""What a model declares in YAML under `config.meta.model`, checked."""

import datetime as dt
from dataclasses import dataclass, field, fields
from typing import Any

from ml.declared import hint, refuse_no_number, refuse_other, refuse_unknown
from ml.errors import DeclarationError
from ml.estimators import ESTIMATORS
from ml.experiments.declaration import ExperimentSpec
from ml.training.learn_from import LearnFrom
from ml.training.retrain import Retrain
from ml.tuning.declaration import Tuning, parse_tuning

TASKS = ("binary", "multiclass", "regression")
THRESHOLDS = ("max_f1",)
SPLITS_BY = ("time", "group", "random")
METRICS = {
    "binary": ("auc", "average_precision", "log_loss", "brier", "calibration_error", "precision", "recall", "f1"),
    "multiclass": ("accuracy", "log_loss", "auc_macro", "f1_macro", "f1_micro"),
    "regression": ("rmse", "mae", "r2", "pinball", "mape"),
}
"""What a promotion rule or a search may go by. The first is taken where none is named."""
LOWER_IS_BETTER = ("log_loss", "brier", "calibration_error", "rmse", "mae", "pinball", "mape")


@dataclass(frozen=True)
class Split:
    """How rows are parted into train, validation and test.

    By `time`: rows before `validation_from` train, those from `test_from` on test; without instants, the shares of the
    rows in the order of time. By `group`: all rows with one value of `column` together. By `random`: each row on its own.
    The last two by a hash, so that a row stays in its split when others come.
    """

    by: str = "time"
    column: str | None = None
    shares: tuple[float, float, float] = (0.70, 0.15, 0.15)
    validation_from: dt.datetime | None = None
    test_from: dt.datetime | None = None


@dataclass(frozen=True)
class Promote:
    """When the newest version takes the champion's place: better by `metric` on `split` by more than `min_gain`.

    confidence: the interval of the difference at this level has to lie above min_gain; max_slice_loss: how much worse it
    may be on any slice; max_calibration_error: of a binary task, on the split.
    """

    metric: str
    split: str = "test"
    min_gain: float = 0.0
    confidence: float | None = None
    max_slice_loss: float | None = None
    max_calibration_error: float | None = None


@dataclass(frozen=True)
class Serving:
    """How the server is to answer with the model. slo_ms: within how many milliseconds; None is the server's own setting.
    experiment: by whom requests are answered that name no version; None is the champion.

    A release carries it; a change of it trains nothing.
    """

    slo_ms: float | None = None
    experiment: ExperimentSpec | None = None


@dataclass(frozen=True)
class ModelSpec:
    """A model's declaration. `features` is 'all', a list, or {exclude: list}; `threshold` a number or 'max_f1'.

    baseline: train a linear model beside it, whose metrics stand in registry.model_metrics.baseline. optional: where the
    estimator's packages are not installed, train nothing and say so. tune, automl: a search for parameters, or also for the
    estimator, which is then the one that trains until a trial is finished. retrain: when it is trained anew. learn_from:
    probabilities in the place of the target, by which the model is then only measured.
    """

    name: str
    task: str
    dataset: str
    target: str
    estimator: str
    promote: Promote
    features: Any = "all"
    parameters: dict[str, Any] = field(default_factory=dict)
    split: Split = field(default_factory=Split)
    seed: int = 1
    threshold: float | str = "max_f1"
    slices: list[str] = field(default_factory=list)
    baseline: bool = True
    optional: bool = False
    tune: Tuning | None = None
    automl: Tuning | None = None
    serving: Serving = field(default_factory=Serving)
    retrain: Retrain = field(default_factory=Retrain)
    learn_from: LearnFrom | None = None

    @property
    def search(self) -> Tuning | None:
        """The search that is declared, None of a model whose parameters are given."""
        return self.tune or self.automl

    @classmethod
    def parse(cls, name: str, declared: dict[str, Any]) -> "ModelSpec":
        """Check and complete a declaration. Raises DeclarationError with the field, what is wrong and the remedy."""
        where = f"model {name}: config.meta.model"
        refuse_unknown(where, declared, [entry.name for entry in fields(cls) if entry.name != "name"])
        is_automl = declared.get("automl", False) is not False
        for required in ("task", "dataset", "target", *(() if is_automl else ("estimator",))):
            if required not in declared:
                raise DeclarationError(f"{where} lacks '{required}'; add it.")
        task = declared["task"]
        refuse_other(f"{where}.task", task, TASKS)
        if "estimator" in declared:
            refuse_other(f"{where}.estimator", declared["estimator"], ESTIMATORS)
        for text in ("dataset", "target"):
            _refuse_no(str, where, declared, text, "a name")
        for flag in ("baseline", "optional"):
            _refuse_no(bool, where, declared, flag, "true or false")
        seed = declared.get("seed", cls.seed)
        if not isinstance(seed, int) or isinstance(seed, bool) or not 0 <= seed < 2**31:
            raise DeclarationError(f"{where}.seed is '{seed}'; it must be a whole number from 0 to {2**31 - 1}.")
        _check_features(where, declared.get("features", "all"))
        check_names(f"{where}.slices", declared.get("slices", []))
        threshold = declared.get("threshold", "max_f1")
        if "threshold" in declared and task != "binary":
            raise DeclarationError(f"{where}.threshold is for a binary task; remove it.")
        if isinstance(threshold, int | float) and not isinstance(threshold, bool):
            refuse_no_number(f"{where}.threshold", threshold, "a probability", 0, 1)
        else:
            refuse_other(f"{where}.threshold", threshold, THRESHOLDS)
        parameters = declared.get("parameters", {})
        if not isinstance(parameters, dict):
            raise DeclarationError(f"{where}.parameters must be a mapping of the estimator's parameters.")
        given = declared.get("learn_from")
        learn_from = None if given is None else LearnFrom.parse(f"{where}.learn_from", task, given)
        search = parse_tuning(where, declared, METRICS[task])
        estimator = declared["estimator"] if "estimator" in declared or search is None else next(iter(search.spaces))
        try:
            if learn_from is not None and learn_from.way == "soft_targets":
                for name, values in (search.spaces[estimator] if search else {}).items():
                    for value in values.get("choices") or [values["low"]]:
                        ESTIMATORS[estimator].check_soft_targets(task, {name: value})
                ESTIMATORS[estimator].check_soft_targets(task, parameters)
            else:
                ESTIMATORS[estimator].check_parameters(task, parameters)
        except DeclarationError as error:
            raise DeclarationError(f"{where}.{error}") from error
        checked = {
            "estimator": estimator,
            "tune": search if "tune" in declared else None,
            "automl": search if is_automl else None,
            "split": parse_split(f"{where}.split", declared.get("split", {})),
            "promote": _parse_promote(f"{where}.promote", task, declared.get("promote", {})),
            "serving": _parse_serving(f"{where}.serving", task, declared.get("serving", {})),
            "retrain": Retrain.parse(f"{where}.retrain", declared.get("retrain", "on_change")),
            "learn_from": learn_from,
        }
        return cls(name=name, **{**declared, **checked})

    def select_features(self, columns: dict[str, str], not_features: set[str]) -> list[str]:
        """The features, in the dataset's order. columns: the dataset's; not_features: its row id, time and labels.

        Raises DeclarationError where a named feature is no column of the dataset, or one that can be none.
        """
        where = f"model {self.name}: config.meta.model.features"
        candidates = [column for column in columns if column not in not_features | {self.target}]
        exclude = self.features.get("exclude", []) if isinstance(self.features, dict) else []
        named = self.features if isinstance(self.features, list) else exclude
        for feature in named:
            if feature not in columns:
                raise DeclarationError(
                    f"{where}: '{feature}' is no column of the dataset {self.dataset}.{hint(feature, candidates)}"
                )
        if isinstance(self.features, list):
            for feature in self.features:
                if feature not in candidates:
                    raise DeclarationError(
                        f"{where}: '{feature}' is the row id, the time, the target or a label of the dataset "
                        f"{self.dataset}, which is no feature; leave it out."
                    )
            return [column for column in candidates if column in self.features]
        return [column for column in candidates if column not in exclude]


def _check_features(where: str, declared: Any) -> None:
    if isinstance(declared, dict):
        refuse_unknown(f"{where}.features", declared, ["exclude"])
        check_names(f"{where}.features.exclude", declared.get("exclude", []))
    elif declared != "all":
        check_names(f"{where}.features", declared)


def check_names(where: str, declared: Any) -> None:
    """Raise DeclarationError where what is declared is no list of names."""
    if not isinstance(declared, list) or not all(isinstance(name, str) for name in declared):
        raise DeclarationError(f"{where} must be a list of columns of the dataset.")


def _refuse_no(kind: type, where: str, declared: dict[str, Any], name: str, meaning: str) -> None:
    value = declared.get(name)
    if name in declared and not isinstance(value, kind):
        raise DeclarationError(f"{where}.{name} is '{value}'; it must be {meaning}.")


def _parse_promote(where: str, task: str, declared: dict[str, Any]) -> Promote:
    refuse_unknown(where, declared, [entry.name for entry in fields(Promote)])
    promote = Promote(**{"metric": METRICS[task][0], **declared})
    refuse_other(f"{where}.metric", promote.metric, METRICS[task])
    refuse_other(f"{where}.split", promote.split, ("validation", "test"))
    refuse_no_number(f"{where}.min_gain", promote.min_gain, "the least by which a new version is better")
    if promote.confidence is not None:
        # The interval that is computed is this one.
        refuse_other(f"{where}.confidence", promote.confidence, (0.95,))
    if promote.max_slice_loss is not None:
        refuse_no_number(f"{where}.max_slice_loss", promote.max_slice_loss, "how much worse a slice may become", 0)
    if promote.max_calibration_error is not None:
        if task != "binary":
            raise DeclarationError(f"{where}.max_calibration_error is for a binary task; remove it.")
        refuse_no_number(f"{where}.max_calibration_error", promote.max_calibration_error, "a mean error", 0, 1)
    return promote


def _parse_serving(where: str, task: str, declared: dict[str, Any]) -> Serving:
    refuse_unknown(where, declared, [entry.name for entry in fields(Serving)])
    if "slo_ms" in declared:
        refuse_no_number(f"{where}.slo_ms", declared["slo_ms"], "milliseconds", 1, 60_000)
    given = declared.get("experiment")
    experiment = None if given is None else ExperimentSpec.parse(f"{where}.experiment", task, given)
    return Serving(declared.get("slo_ms"), experiment)


def parse_split(where: str, declared: dict[str, Any]) -> Split:
    """Check and complete a declaration of a split. where: what to call it in a DeclarationError."""
    refuse_unknown(where, declared, [entry.name for entry in fields(Split)])
    by = declared.get("by", "time")
    refuse_other(f"{where}.by", by, SPLITS_BY)
    if (by == "group") != isinstance(declared.get("column"), str):
        raise DeclarationError(f"{where}: 'column' names the column of a split by group, and of no other.")
    bounds: dict[str, dt.datetime] = {}
    for bound in ("validation_from", "test_from"):
        if bound in declared:
            try:
                moment = dt.datetime.fromisoformat(str(declared[bound]))
            except ValueError:
                raise DeclarationError(f"{where}.{bound} must be a time such as 2013-10-01T00:00:00Z.") from None
            bounds[bound] = moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)
    if bounds and (by != "time" or "shares" in declared):
        raise DeclarationError(
            f"{where}: validation_from and test_from are of a split by time, in the place of shares."
        )
    if len(bounds) == 1:
        raise DeclarationError(f"{where} needs both validation_from and test_from, or neither.")
    if bounds and bounds["validation_from"] >= bounds["test_from"]:
        raise DeclarationError(f"{where}: validation_from must lie before test_from.")
    shares = declared.get("shares", Split.shares)
    are_numbers = isinstance(shares, list | tuple) and all(isinstance(share, int | float) for share in shares)
    if not are_numbers or len(shares) != 3 or not all(share > 0 for share in shares) or abs(sum(shares) - 1) > 1e-9:
        raise DeclarationError(
            f"{where}.shares must be three positive numbers that add up to 1, such as [0.7, 0.15, 0.15]."
        )
    return Split(by=by, column=declared.get("column"), shares=tuple(shares), **bounds)
