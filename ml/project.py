"""The dbt project as it stands in the working tree: compiled, and asked by macros. Nothing is built."""

import json
from pathlib import Path
from typing import Any

from dbt.adapters.duckdb.connections import DuckDBConnectionManager
from dbt.adapters.factory import reset_adapters
from dbt.cli.main import dbtRunner

from ml.errors import EiderdownError


class ProjectError(EiderdownError):
    """The project in this folder cannot be compiled."""


def ask(macro: str) -> Any:
    """What a macro without arguments answers, over a graph whose nodes carry their compiled SQL.

    It runs dbt in this process, in the current folder; dbt opens the warehouse for it. Raises ProjectError with what dbt
    says where there is no project, it does not compile, or another process holds the warehouse.
    """
    try:
        manifest = _parse()
        _dbt(manifest, "compile")
        # The graph that macros see is a copy, made when the project was parsed.
        manifest.build_flat_graph()
        inline = "{{ tojson(" + macro + "()) if execute }}"
        answered: Any = _dbt(manifest, "compile", "--inline", inline).result
        return json.loads(answered.results[0].node.compiled_code)
    finally:
        DuckDBConnectionManager.close_all_connections()  # type: ignore[no-untyped-call]
        reset_adapters()  # type: ignore[no-untyped-call]


def call(macro: str, *arguments: str) -> Any:
    """What a macro answers to texts, over a graph whose nodes are parsed only. Otherwise as `ask`."""
    try:
        given = ", ".join(map(json.dumps, arguments))
        answered: Any = _dbt(
            _parse(), "compile", "--inline", "{{ tojson(" + f"{macro}({given})" + ") if execute }}"
        ).result
        return json.loads(answered.results[0].node.compiled_code)
    finally:
        DuckDBConnectionManager.close_all_connections()  # type: ignore[no-untyped-call]
        reset_adapters()  # type: ignore[no-untyped-call]


def yaml_files() -> dict[str, Path]:
    """The YAML file that declares each model of the project, by the model's name. Raises ProjectError as `declared_models`."""
    try:
        nodes = _parse().nodes.values()
    finally:
        reset_adapters()  # type: ignore[no-untyped-call]
    return {
        node.name: Path(node.patch_path.split("://")[-1])
        for node in nodes
        if node.resource_type == "model" and node.patch_path
    }


def declared_models() -> dict[str, Any]:
    """The declarations of the project's models, by name: config.meta.model. Nothing is compiled, no warehouse opened.

    Raises ProjectError with what dbt says where there is no project, or it cannot be parsed.
    """
    try:
        nodes = _parse().nodes.values()
    finally:
        reset_adapters()  # type: ignore[no-untyped-call]
    models = [node for node in nodes if node.resource_type == "model" and "model" in node.config.meta]
    return {node.alias: node.config.meta["model"] for node in models}


def _parse() -> Any:
    if not Path("dbt_project.yml").is_file():
        raise ProjectError(f"{Path.cwd()} holds no dbt_project.yml; run this in the project's folder.")
    return _dbt(None, "parse").result


def _dbt(manifest: Any, *arguments: str) -> Any:
    result: Any = dbtRunner(manifest=manifest).invoke([*arguments, "--log-level", "none"])
    if result.success:
        return result
    said = (
        str(result.exception)
        if result.exception
        else "; ".join(str(node.message) for node in result.result if node.status == "error")
    )
    if "Could not set lock" in said:
        said = "another process holds the warehouse, such as a dbt run; wait until it ends"
    raise ProjectError(f"dbt {arguments[0]}: {said}")
