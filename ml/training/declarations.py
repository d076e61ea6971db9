"""The declarations of all models of a project, checked before anything runs."""

import json
from typing import Any

from ml.declared import hint
from ml.errors import DeclarationError
from ml.field_types import canonical, is_numeric
from ml.training.spec import ModelSpec


def problems(request: str) -> str:
    """What is wrong with a project's models, a line each, empty where nothing is.

    request: JSON {models: {name: config.meta.model}, datasets: {name: {columns: {name: type}, not_features: [name], request:
    [name]}}}.
    """
    asked = json.loads(request)
    found, specs = [], {}
    for name, declared in asked["models"].items():
        try:
            specs[name] = ModelSpec.parse(name, declared)
            _check(specs[name], asked["datasets"])
        except DeclarationError as error:
            found.append(str(error))
    if not found:
        # Experiments name other models, which have to be right first.
        found = _experiment_problems(specs, asked["datasets"])
    return "\n".join(found)


def find_spec(models: dict[str, Any], model: str) -> ModelSpec:
    """A model's declaration, checked. models: name to config.meta.model. Raises DeclarationError where it is not there."""
    if model not in models:
        raise DeclarationError(
            f"there is no model '{model}' in the project; its models are {', '.join(models) or 'none'}.{hint(model, models)}"
        )
    return ModelSpec.parse(model, models[model])


def _check(spec: ModelSpec, datasets: dict[str, dict[str, Any]]) -> None:
    where = f"model {spec.name}: config.meta.model"
    if spec.dataset not in datasets:
        raise DeclarationError(
            f"{where}.dataset: there is no dataset '{spec.dataset}' in the project; its datasets are "
            f"{', '.join(datasets) or 'none'}.{hint(spec.dataset, datasets)}"
        )
    columns = datasets[spec.dataset]["columns"]
    check_columns(spec, columns, set(datasets[spec.dataset]["not_features"]))


def _experiment_problems(specs: dict[str, ModelSpec], datasets: dict[str, dict[str, Any]]) -> list[str]:
    found = []
    names: dict[str, str] = {}
    for spec in specs.values():
        experiment = spec.serving.experiment
        if experiment is None:
            continue
        where = f"model {spec.name}: config.meta.model.serving.experiment"
        if experiment.name in names:
            found.append(f"{where}.name: '{experiment.name}' is that of {names[experiment.name]}; take another.")
        names[experiment.name] = spec.name
        for name, arm in experiment.arms.items():
            if arm.model not in specs:
                found.append(
                    f"{where}.arms.{name}: there is no model '{arm.model}' in the project; its models are "
                    f"{', '.join(specs)}.{hint(arm.model, specs)}"
                )
            elif specs[arm.model].task != spec.task:
                found.append(
                    f"{where}.arms.{name}: {arm.model} is a {specs[arm.model].task}, and {spec.name} a {spec.task}; "
                    "take models of one task."
                )
        fields = datasets[spec.dataset]["request"]
        for column in experiment.unit:
            if column not in fields:
                found.append(
                    f"{where}.unit: '{column}' is no request field of the dataset {spec.dataset}; these are "
                    f"{', '.join(fields)}.{hint(column, fields)}"
                )
    return found


def check_columns(spec: ModelSpec, columns: dict[str, str], not_features: set[str]) -> list[str]:
    """The features of a model, in the dataset's order. columns: the dataset's, with their types.

    Raises DeclarationError where a column that the declaration names is none, or a feature has a type that no model takes.
    """
    where = f"model {spec.name}: config.meta.model"
    named = [("target", spec.target), ("split.column", spec.split.column), *(("slices", name) for name in spec.slices)]
    if spec.learn_from:
        named.append(("learn_from.probabilities", spec.learn_from.probabilities))
    for field, column in named:
        if column is not None and column not in columns:
            raise DeclarationError(
                f"{where}.{field}: '{column}' is no column of the dataset {spec.dataset}.{hint(column, columns)}"
            )
    if spec.task != "multiclass" and not is_numeric(columns[spec.target]):
        raise DeclarationError(
            f"{where}.target: '{spec.target}' is {columns[spec.target]}; a {spec.task} task takes a number or a boolean."
        )
    if spec.learn_from:
        spec.learn_from.check_column(f"{where}.learn_from", spec.task, columns, not_features, spec.dataset)
    used = spec.select_features(columns, not_features)
    if not used:
        raise DeclarationError(f"{where}.features leaves no feature of the dataset {spec.dataset}.")
    for column in used:
        if not is_numeric(columns[column]) and canonical(columns[column]) != "VARCHAR":
            raise DeclarationError(
                f"{where}.features: '{column}' is {columns[column]}; a model takes numbers, booleans and text. Leave it out "
                "with features: {exclude: [...]}, or make a number of it."
            )
    return used
