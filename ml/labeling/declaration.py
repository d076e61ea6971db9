"""What votes, label models and their scores declare in YAML, checked before anything runs."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from typing import Any

from ml.declared import hint, refuse_no_number, refuse_other, refuse_unknown
from ml.errors import DeclarationError
from ml.labeling.label_model import METHODS
from ml.training.spec import METRICS, ModelSpec, Promote, check_names, parse_split

MOST_CLASSES = 126
"""A vote is one byte in SQL: TINYINT, -1 where a function abstains."""


@dataclass(frozen=True)
class VotesSpec:
    """A votes model's `config.meta.votes`.

    Every column but `row_id` and those of `keep` is a labelling function, which votes one of `classes`, compared as text, or
    null.
    """

    row_id: str
    classes: list[str]
    keep: list[str] = field(default_factory=list)

    @classmethod
    def parse(cls, name: str, declared: Any) -> "VotesSpec":
        """Check and complete a declaration. Raises DeclarationError with the field, what is wrong and the remedy."""
        where = f"model {name}: config.meta.votes"
        refuse_unknown(where, declared, [entry.name for entry in fields(cls)])
        for required in ("row_id", "classes"):
            if required not in declared:
                raise DeclarationError(f"{where} lacks '{required}'; add it.")
        if not isinstance(declared["row_id"], str):
            raise DeclarationError(f"{where}.row_id is '{declared['row_id']}'; it must be the name of a column.")
        classes = declared["classes"]
        if not isinstance(classes, list) or not all(isinstance(one, str | int | float) for one in classes):
            raise DeclarationError(f"{where}.classes must be a list of what functions vote, such as [false, true].")
        texts = [as_text(one) for one in classes]
        if not 2 <= len(set(texts)) == len(texts) <= MOST_CLASSES:
            raise DeclarationError(f"{where}.classes must be 2 to {MOST_CLASSES} classes, each of them once.")
        keep = declared.get("keep", [])
        if not isinstance(keep, list) or not all(isinstance(one, str) for one in keep):
            raise DeclarationError(f"{where}.keep must be a list of columns that are no labelling functions.")
        return cls(declared["row_id"], texts, keep)

    def functions(self, columns: Sequence[str]) -> list[str]:
        """The labelling functions among the columns of the votes, in their order."""
        others = {name.lower() for name in (self.row_id, *self.keep)}
        return [column for column in columns if column.lower() not in others]


@dataclass(frozen=True)
class LabelModelSpec:
    """A label model's `config.meta.label_model`.

    votes: the model `<task>_votes`. class_balance: class -> share, None where it is learned. accuracies: function -> how often
    it is right, as far as that is known beforehand. dependencies: 'detect', 'none', or groups of functions that are no
    independent witnesses.
    """

    name: str
    votes: str
    method: str = "em"
    class_balance: dict[str, float] | None = None
    accuracies: dict[str, float] = field(default_factory=dict)
    dependencies: Any = "detect"

    @property
    def task(self) -> str:
        """What is labelled: late of late_votes."""
        return self.votes.removesuffix("_votes")

    @classmethod
    def parse(cls, name: str, declared: Any) -> "LabelModelSpec":
        """Check and complete a declaration. Raises DeclarationError with the field, what is wrong and the remedy."""
        where = f"model {name}: config.meta.label_model"
        refuse_unknown(where, declared, [entry.name for entry in fields(cls) if entry.name != "name"])
        votes = declared.get("votes")
        if not isinstance(votes, str) or not votes.endswith("_votes"):
            raise DeclarationError(f"{where}.votes is '{votes}'; it must be the name of a votes model, <task>_votes.")
        refuse_other(f"{where}.method", declared.get("method", cls.method), METHODS)
        balance = _shares(f"{where}.class_balance", declared["class_balance"]) if "class_balance" in declared else None
        if balance is not None and abs(sum(balance.values()) - 1) > 1e-6:
            raise DeclarationError(f"{where}.class_balance adds up to {sum(balance.values())}; it must add up to 1.")
        accuracies = _shares(f"{where}.accuracies", declared.get("accuracies", {}))
        _check_dependencies(f"{where}.dependencies", declared.get("dependencies", cls.dependencies))
        if declared.get("method", cls.method) != "em":
            for name in ("accuracies", "dependencies"):
                if isinstance(declared.get(name), dict | list):
                    raise DeclarationError(
                        f"{where}.{name} plays no part with method {declared['method']}; remove it, or write method: em."
                    )
        return cls(name=name, **{**declared, "class_balance": balance, "accuracies": accuracies})

    def check(self, functions: Sequence[str], classes: Sequence[str]) -> None:
        """Raise DeclarationError where the declaration names a function or class that the votes do not have."""
        where = f"model {self.name}: config.meta.label_model"
        groups = self.dependencies if isinstance(self.dependencies, list) else []
        named = [
            ("accuracies", self.accuracies),
            *((f"dependencies[{number}]", names) for number, names in enumerate(groups)),
        ]
        for place, names in named:
            for function in names:
                if function not in functions:
                    raise DeclarationError(
                        f"{where}.{place}: '{function}' is no labelling function of {self.votes}; they are "
                        f"{', '.join(functions)}.{hint(function, functions)}"
                    )
        self.check_classes(classes)

    def check_classes(self, classes: Sequence[str]) -> None:
        """Raise DeclarationError where a class balance is declared that is not one of the votes' classes."""
        if self.class_balance is not None and sorted(self.class_balance) != sorted(classes):
            raise DeclarationError(
                f"model {self.name}: config.meta.label_model.class_balance has the classes {', '.join(self.class_balance)}; "
                f"it must give a share to each of {', '.join(classes)}, and to no other."
            )


def scores_spec(name: str, declared: Any, classes: Sequence[str]) -> ModelSpec:
    """What `config.meta.scores` with `labels` declares, as the declaration of a model that is measured.

    declared: {labels: the task, dataset, target, split, slices, seed}. Raises DeclarationError with the field, what is wrong
    and the remedy.
    """
    where = f"model {name}: config.meta.scores"
    refuse_unknown(where, declared, ["labels", "dataset", "target", "split", "slices", "seed"])
    for required in ("labels", "dataset", "target"):
        if not isinstance(declared.get(required), str):
            raise DeclarationError(f"{where}.{required} is '{declared.get(required)}'; it must be a name.")
    slices = declared.get("slices", [])
    check_names(f"{where}.slices", slices)
    seed = declared.get("seed", 1)
    if not isinstance(seed, int) or isinstance(seed, bool):
        raise DeclarationError(f"{where}.seed is '{seed}'; it must be a whole number.")
    task = "binary" if positive_class(classes) is not None else "multiclass"
    return ModelSpec(
        name=name,
        task=task,
        dataset=declared["dataset"],
        target=declared["target"],
        estimator="",
        promote=Promote(METRICS[task][0]),
        split=parse_split(f"{where}.split", declared.get("split", {})),
        seed=seed,
        slices=slices,
    )


def positive_class(classes: Sequence[str]) -> int | None:
    """The place of the class that is true, where the classes are false and true or 0 and 1; None of other classes."""
    if sorted(classes) not in (["false", "true"], ["0", "1"]):
        return None
    return list(classes).index("true" if "true" in classes else "1")


def problems(request: str) -> str:
    """What is wrong with a project's declarations of labels, a line each, empty where nothing is.

    request: JSON {votes: {name: {declared, schema, hooks}}, label_models: {name: {declared, schema}}, scores: {name: declared},
    datasets: {name: {column: type}}}.
    """
    asked = json.loads(request)
    found = []
    votes: dict[str, VotesSpec] = {}
    for name, model in asked["votes"].items():
        try:
            votes[name] = VotesSpec.parse(name, model["declared"])
            _check_hooks(name, model["hooks"])
        except DeclarationError as error:
            found.append(str(error))
    for name, model in asked["label_models"].items():
        try:
            _check_label_model(name, model, asked["votes"], votes)
        except DeclarationError as error:
            found.append(str(error))
    for name, declared in asked["scores"].items():
        try:
            _check_scores(name, declared, asked, votes)
        except DeclarationError as error:
            found.append(str(error))
    return "\n".join(found)


def recorded_declaration(comment: str | None) -> tuple[dict[str, Any], str] | None:
    """config.meta.votes and the fingerprint of the functions, from a table's comment (macros/features/fingerprint.sql).

    None where the comment is no such record, or that of another table.
    """
    try:
        recorded = json.loads(comment or "")
        declared = recorded["definition"]["declaration"].get("votes")
        return (declared, recorded["fingerprint"]) if declared else None
    except (ValueError, TypeError, KeyError, AttributeError):
        return None


def as_text(value: Any) -> str:
    """A class of YAML as DuckDB writes it: false, where Python has False."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _check_hooks(name: str, hooks: str) -> None:
    """hooks: the post-hooks of a votes model, as a text that holds theirs."""
    for hook in ("check_votes", "record_fingerprint"):
        if hook not in hooks:
            raise DeclarationError(
                f"model {name}: it declares config.meta.votes and has no post-hook {hook}. Give its folder, in dbt_project.yml, "
                '+post-hook: ["{{ eiderdown.check_votes() }}", "{{ eiderdown.record_fingerprint() }}"].'
            )


def _check_label_model(name: str, model: dict[str, Any], asked: dict[str, Any], votes: dict[str, VotesSpec]) -> None:
    spec = LabelModelSpec.parse(name, model["declared"])
    where = f"model {name}: config.meta.label_model.votes"
    if spec.votes not in asked:
        raise DeclarationError(
            f"{where}: there is no model '{spec.votes}' with config.meta.votes; there are "
            f"{', '.join(asked) or 'none'}.{hint(spec.votes, asked)}"
        )
    if asked[spec.votes]["schema"] != model["schema"]:
        raise DeclarationError(
            f"{where}: {spec.votes} is in another schema than {name}; put both in one, such as labels."
        )
    if name != f"{spec.task}_model":
        raise DeclarationError(f"model {name}: it learns from {spec.votes}, so it must be named {spec.task}_model.")
    if spec.votes in votes:
        spec.check_classes(votes[spec.votes].classes)


def _check_scores(name: str, declared: dict[str, Any], asked: dict[str, Any], votes: dict[str, VotesSpec]) -> None:
    where = f"model {name}: config.meta.scores"
    tasks = [model.removesuffix("_model") for model in asked["label_models"]]
    refuse_other(f"{where}.labels", declared["labels"], tasks)
    labels = f"{declared['labels']}_votes"
    spec = scores_spec(name, declared, votes[labels].classes if labels in votes else [])
    refuse_other(f"{where}.dataset", spec.dataset, asked["datasets"])
    columns = asked["datasets"][spec.dataset]
    named = [("target", spec.target), ("split.column", spec.split.column), *(("slices", one) for one in spec.slices)]
    for place, column in named:
        if column is not None and column not in columns:
            raise DeclarationError(
                f"{where}.{place}: '{column}' is no column of the dataset {spec.dataset}.{hint(column, columns)}"
            )


def _shares(where: str, declared: Any) -> dict[str, float]:
    """Names to numbers between 0 and 1, neither included."""
    if not isinstance(declared, dict):
        raise DeclarationError(f"{where} must be a mapping from names to numbers between 0 and 1.")
    for name, share in declared.items():
        refuse_no_number(f"{where}.{as_text(name)}", share, "a share", 0, 1)
        if share in (0, 1):
            raise DeclarationError(
                f"{where}.{as_text(name)} is {share}; it must lie between 0 and 1: nothing is certain."
            )
    return {as_text(name): float(share) for name, share in declared.items()}


def _check_dependencies(where: str, declared: Any) -> None:
    if not isinstance(declared, list):
        refuse_other(where, declared, ("detect", "none"))
        return
    for group in declared:
        if not isinstance(group, list) or len(group) < 2 or not all(isinstance(name, str) for name in group):
            raise DeclarationError(
                f"{where} must be 'detect', 'none', or a list of groups of two or more functions, such as [[f, g]]."
            )
    names = [name for group in declared for name in group]
    if len(set(names)) < len(names):
        raise DeclarationError(f"{where} has a function in two groups, or twice in one; put it in one group, once.")
