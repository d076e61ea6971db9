"""A dbt project with a monitored relation for each planted fault, and a served model for each that is in what is served."""

from pathlib import Path
from typing import Any

import yaml

from tests.conftest import REPOSITORY, Project
from tests.functional.faults import served
from tests.functional.faults.planted import (
    COLUMNS,
    DAYS,
    DECLARED,
    FAULTS,
    FIRST_DAY,
    REFERENCE_DAYS,
    ROWS,
    PlantedFault,
)

CONFIG = {
    "name": "shop",
    "version": "1.0",
    "profile": "shop",
    "flags": {
        "send_anonymous_usage_stats": False,
        "warn_error_options": {"silence": ["UnsupportedConstraintMaterialization"]},
    },
    "models": {
        "eiderdown": {"+enabled": False},
        "shop": {
            "+materialized": "table",
            "orders": {"+schema": "orders"},
            "features": {"+schema": "features"},
            "registry": {"+schema": "registry"},
            "monitoring": {"+schema": "monitoring", "+materialized": "registered"},
        },
    },
    "data_tests": {"eiderdown": {"+enabled": False}},
}
REFERENCE = {"reference": {"to": f"{FIRST_DAY[:-1]}{1 + REFERENCE_DAYS}"}}
ONE_LINE = (
    *("prediction_log", "feedback", "pushed_rows", "event_files", "value_checks", "drift", "compared_predictions"),
    "serving_consistency",
)
LAST_DAY = f"timestamptz '{FIRST_DAY}T00:00:00Z' + to_days({DAYS})"


def relation_of(fault: PlantedFault) -> str:
    """The name of the dbt model of a fault in orders."""
    return f"orders_{FAULTS.index(fault):02}"


def make_project(folder: Path) -> Project:
    """Write the project and its events. Nothing is built."""
    models = {**_orders(), **_registry(), **_monitoring()}
    for path, query in models.items():
        file = folder / "models" / f"{path}.sql"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(query + "\n")
    profile = {
        "type": "duckdb",
        "path": "{{ env_var('EIDERDOWN_HOME') }}/shop.duckdb",
        "plugins": [{"module": "ml.plugin"}],
        "settings": {"TimeZone": "UTC"},
    }
    for name, content in {
        "dbt_project.yml": CONFIG,
        "packages.yml": {"packages": [{"local": str(REPOSITORY)}]},
        "profiles.yml": {"shop": {"target": "here", "outputs": {"here": profile}}},
        "models/models.yml": {"version": 2, "models": [*_declared_orders(), *_declared_models()]},
    }.items():
        (folder / name).write_text(yaml.safe_dump(content))
    (folder / "macros").mkdir()
    (folder / "macros" / "schema.sql").write_text(
        "{% macro generate_schema_name(name, node) %}{{ name or target.schema }}{% endmacro %}"
    )
    project = Project(folder, database="shop.duckdb")
    project.home.mkdir()
    served.write_events(project.home)
    return project


def _orders() -> dict[str, str]:
    return {f"orders/{relation_of(fault)}": fault.query() for fault in FAULTS}


def _declared_orders() -> list[dict[str, Any]]:
    declared = []
    for fault in FAULTS:
        monitor = {
            "at": "sold_at",
            "every": "day",
            "slices": list(fault.slices),
            "except": ["order_id"],
            "compare": REFERENCE,
        }
        columns = [
            {"name": name, "data_type": kind, "config": {"meta": DECLARED.get(name, {})}}
            for name, kind in ((name, COLUMNS[name]) for name in fault.columns)
        ]
        declared.append(
            {
                "name": relation_of(fault),
                "config": {"meta": {"monitor": monitor, "schema": {"min_rows": ROWS * 3 // 4}}},
                "constraints": [{"type": "primary_key", "columns": ["order_id"]}],
                "columns": columns,
            }
        )
    return declared


def _registry() -> dict[str, str]:
    """What training would have left: versions, scores of a hold-out, a release; and the view and the dataset of the models."""
    versions = [
        f"select '{model}' as model, 1 as version, 'purchases' as dataset, 1 as dataset_version, "
        f"cast('{served.signature()}' as json) as signature"
        for model in served.SERVED
    ]
    models = {
        "features/customer_v1": f"select cast(i as bigint) as customer_id, timestamptz '2024-01-01T00:00:00Z' as event_at, "
        f"event_at as known_at, i * cast(0.2 as double) as spent from range({served.CUSTOMERS}) as t (i)",
        "features/purchases": "select '' as request, cast(0 as bigint) as customer_id, timestamptz 'epoch' as predicted_at, "
        "cast(0 as double) as spent, true as has_bought where false",
        "registry/model_versions": " union all ".join(versions),
        "registry/releases": "select 'first' as release, timestamptz '2024-02-01T00:00:00Z' as as_of, as_of as created_at",
        "registry/datasets": "select 'purchases' as dataset, 1 as version where false",
        "registry/clock": f"select {LAST_DAY} as as_of",
        "registry/model_metrics": "{{ config(materialized='registered') }}{{ eiderdown.model_metrics(["
        + _refs("{}_scores")
        + "]) }}",
    }
    for model in served.SERVED:
        models[f"registry/{model}"] = "select 1 as nothing"
        models[f"registry/{model}_scores"] = (
            f"select '{model}' as model, 1 as version, 1 as dataset_version, cast(i as varchar) as row_id, 'test' as split, "
            "map {} :: map(varchar, varchar) as slices, i % 500 / 500 as score, "
            "cast(md5_number_lower('outcome ' || i) / 18446744073709551616.0 < score as double) as target, "
            "cast(null as double) as baseline, cast(0.5 as double) as threshold from range(4000) as t (i)"
        )
    return models


def _monitoring() -> dict[str, str]:
    models = {f"monitoring/{name}": f"{{{{ eiderdown.{name}() }}}}" for name in ONE_LINE}
    for model in served.SERVED:
        models[f"monitoring/{model}_served"] = f"{{{{ eiderdown.served('{model}') }}}}"
    orders = ", ".join(f"ref('{relation_of(fault)}')" for fault in FAULTS)
    tables = ("anomalies", "drift", "model_performance", "serving_consistency", "event_files", "feature_statistics")
    models["monitoring/feature_statistics"] = (
        f"{{{{ eiderdown.feature_statistics([{orders}, {_refs('{}_served')}]) }}}}"
    )
    models["monitoring/anomalies"] = "{{ eiderdown.anomalies(ref('drift')) }}"
    models["monitoring/model_performance"] = f"{{{{ eiderdown.model_performance([{_refs('{}_served')}]) }}}}"
    models["monitoring/alerts"] = "{{ eiderdown.alerts([" + ", ".join(f"ref('{name}')" for name in tables) + "]) }}"
    return models


def _refs(name: str) -> str:
    return ", ".join(f"ref('{name.format(model)}')" for model in served.SERVED)


def _declared_models() -> list[dict[str, Any]]:
    types = {"customer_id": "bigint", "event_at": "timestamptz", "known_at": "timestamptz", "spent": "double"}
    purchases = {
        "request": "varchar",
        "customer_id": "bigint",
        "predicted_at": "timestamptz",
        "spent": "double",
        "has_bought": "boolean",
    }
    dataset = {"row_id": "request", "at": "predicted_at", "request": ["customer_id"], "labels": ["has_bought"]}
    view = {"entity": ["customer_id"], "event_at": "event_at", "known_at": "known_at"}
    declared: list[dict[str, Any]] = [
        {
            "name": "customer",
            "config": {"meta": {"feature_view": view}},
            "constraints": [{"type": "primary_key", "columns": ["customer_id", "event_at", "known_at"]}],
            "columns": [{"name": name, "data_type": kind} for name, kind in types.items()],
            "versions": [{"v": 1}],
        },
        {
            "name": "purchases",
            "config": {"meta": {"dataset": dataset}},
            "columns": [{"name": name, "data_type": kind} for name, kind in purchases.items()],
        },
    ]
    for model in served.SERVED:
        learned = {"task": "binary", "dataset": "purchases", "target": "has_bought"}
        monitor = {
            "model": model,
            "at": "predicted_at",
            "every": "day",
            "except": ["customer_id"],
            "compare": REFERENCE,
        }
        declared += [
            {"name": model, "config": {"meta": {"model": learned}}},
            {"name": f"{model}_scores", "config": {"meta": {"scores": {"model": model}}}},
            {"name": f"{model}_served", "config": {"meta": {"monitor": monitor}}},
        ]
    return declared
