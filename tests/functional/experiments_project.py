"""A dbt project that declares the experiments of tests/made_up_experiments.py, and reads their events."""

from collections.abc import Iterator
from pathlib import Path

import yaml

from tests.conftest import REPOSITORY, Project
from tests.made_up_experiments import EXPERIMENTS, Row


def make_project(folder: Path) -> Project:
    """A project that declares the experiments, with one-line models of what reads them. Nothing is built."""
    models = {
        "model_versions": " union all ".join(
            f"select '{one.model}{suffix}' as model, {version} as version, '{one.task}' as task, "
            'cast(\'{"threshold": 0.4, "classes": ["x", "y", "z"]}\' as json) as signature'
            for one in EXPERIMENTS
            for suffix, version in (("", 1), ("_other", 2), ("_other", 3))
        ),
        "declared/purchases": "select 1 as nothing",
        **{f"declared/{one.model}{suffix}": "select 1 as nothing" for one in EXPERIMENTS for suffix in ("", "_other")},
        **{f"registered/{name}": f"{{{{ eiderdown.{name}() }}}}" for name in ONE_LINE},
        **{f"{name}_served": f"{{{{ eiderdown.served('{name}') }}}}" for name in ("churn", "churn_other", "kind")},
        **{
            f"{name}_outcomes": "{% do ref('prediction_log') %}{% do ref('feedback') %}{% do ref('model_versions') %}"
            f"{{% set served = ref('{name}_served') %}}"
            "{{ eiderdown.served_outcomes(served, 'now()') if execute else 'select 1' }}"
            for name in ("churn", "churn_other", "kind")
        },
    }
    for path, query in models.items():
        file = folder / "models" / f"{path}.sql"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(query + "\n")
    profile = {
        "type": "duckdb",
        "path": str(folder / "warehouse" / "shop.duckdb"),
        "plugins": [{"module": "ml.plugin"}],
        "settings": {"TimeZone": "UTC"},
    }
    for name, content in {
        "dbt_project.yml": {
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
                    "registered": {"+materialized": "registered"},
                    "declared": {"+materialized": "ephemeral"},
                },
            },
            "data_tests": {"eiderdown": {"+enabled": False}},
        },
        "packages.yml": {"packages": [{"local": str(REPOSITORY)}]},
        "profiles.yml": {"shop": {"target": "here", "outputs": {"here": profile}}},
        "models/models.yml": {"version": 2, "models": list(_declared())},
    }.items():
        (folder / name).write_text(yaml.safe_dump(content, sort_keys=False))
    project = Project(folder, database="shop.duckdb")
    project.home.mkdir()
    return project


ONE_LINE = (
    *("event_files", "prediction_log", "feedback", "experiments", "experiment_states", "experiment_predictions"),
    *("experiment_arms", "experiment_effects"),
)


def _declared() -> Iterator[Row]:
    dataset = {"row_id": "request", "at": "predicted_at", "request": ["customer_id"], "labels": []}
    types = {"request": "varchar", "customer_id": "bigint", "predicted_at": "timestamptz", "spent": "double"}
    yield {
        "name": "purchases",
        "config": {"meta": {"dataset": dataset}},
        "columns": [{"name": name, "data_type": kind} for name, kind in types.items()],
    }
    for made_up in EXPERIMENTS:
        learned: Row = {"task": made_up.task, "dataset": "purchases", "target": "has_bought"}
        arms = [f"{made_up.model}@champion", f"{made_up.model}_other@2", f"{made_up.model}_other@3"]
        experiment = {
            "name": f"{made_up.model}_test",
            "policy": made_up.policy,
            # In any order.
            "arms": dict(reversed(list(zip(made_up.noise, arms, strict=False)))),
            **made_up.declared,
        }
        yield {"name": made_up.model, "config": {"meta": {"model": learned | {"serving": {"experiment": experiment}}}}}
        yield {"name": f"{made_up.model}_other", "config": {"meta": {"model": learned}}}
    for name in ("churn", "churn_other", "kind"):
        yield {
            "name": f"{name}_served",
            "config": {"meta": {"monitor": {"model": name, "at": "predicted_at", "compare": {"previous": True}}}},
        }
