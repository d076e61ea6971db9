"""The order of the layers: who may import whom."""

import ast
import subprocess
import sys
from pathlib import Path

from tests.conftest import REPOSITORY

# What reading a release takes: artifacts, signatures, contracts, request-time features, the predict side of estimators.
SERVING_MAY_USE = {
    "ml.expressions.column",
    "ml.expressions.types",
    "ml.scoring.matrix",
    "ml.digest",
    "ml.scoring.canary",
    "ml.errors",
    "ml.experiments.assignment",
    "ml.experiments.declaration",
    "ml.experiments.losses",
    "ml.experiments.policies",
    "ml.experiments.released",
    "ml.experiments.states",
    "ml.files",
    "ml.field_types",
    "ml.json_values",
    "ml.release.feature_file",
    "ml.release.gather",
    "ml.release.manifest",
    "ml.scoring.request_features",
    "ml.scoring.scorer",
    "ml.scoring.signature",
}


def _imports(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = {f"{node.module}.{alias.name}" for alias in node.names}
            is_package = (REPOSITORY / node.module.replace(".", "/")).is_dir()
            found |= names if node.module == "ml" and is_package else {node.module}
    return found


def _layer(name: str) -> list[Path]:
    return sorted((REPOSITORY / name).rglob("*.py"))


def test_ml_knows_nothing_of_serving_or_the_demonstration() -> None:
    for path in _layer("ml"):
        assert not {name for name in _imports(path) if name.split(".")[0] in ("serving", "eiderdown")}, path


def test_serving_takes_of_ml_what_reading_a_release_takes() -> None:
    for path in _layer("serving"):
        used = {name for name in _imports(path) if name.split(".")[0] == "ml"}
        assert used <= SERVING_MAY_USE, path
        assert "eiderdown" not in {name.split(".")[0] for name in _imports(path)}, path


def test_the_platform_names_no_table_of_the_demonstration() -> None:
    names = [path.stem.removesuffix("_v1").removesuffix("_v2") for path in (REPOSITORY / "models").rglob("*.sql")]
    demonstration = {name for name in names if "flight" in name or name.endswith(("_activity", "_weather"))}
    assert len(demonstration) >= 6
    for path in [*_layer("ml"), *_layer("serving"), *(REPOSITORY / "macros").rglob("*.sql")]:
        assert not {name for name in demonstration if name in path.read_text()}, path


def test_no_format_that_runs_code() -> None:
    for layer in ("ml", "serving", "eiderdown"):
        for path in _layer(layer):
            assert not _imports(path) & {"pickle", "joblib", "cloudpickle", "dill", "shelve", "marshal"}, path
            assert "torch.load" not in path.read_text(), path


def test_no_connection_is_shared_by_the_whole_process() -> None:
    """A result that is left open on DuckDB's default connection makes whoever uses it next fail, also a user's notebook."""
    for layer in ("ml", "serving", "eiderdown"):
        for path in _layer(layer):
            used = {
                node.attr
                for node in ast.walk(ast.parse(path.read_text()))
                if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "duckdb"
            }
            assert not used & {
                "execute",
                "sql",
                "query",
                "from_arrow",
                "from_df",
                "read_csv",
                "read_parquet",
                "read_json",
            }, path


def test_the_server_imports_nothing_of_what_is_not_used() -> None:
    """What learns, and what extras need, is imported by who uses it."""
    unused = (
        "{'scipy', 'ray', 'lightgbm', 'serving.experiments.learner', 'serving.ray_serve', 'ml.experiments.policies'}"
    )
    code = f"import sys, serving.app; print(*{unused} & sys.modules.keys())"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=REPOSITORY)
    assert found.stdout.split() == []
