"""The commands about models: what is recorded is shown, compared, drawn, written for other tools and trained again."""

import dataclasses
import importlib.util
import shutil
import sys
from pathlib import Path
from typing import Any

import duckdb
import lightgbm
import numpy as np
import onnxruntime
import pytest

import eiderdown
from eiderdown.commands.model_pages import print_diff
from ml.datasets.versions import kept_versions
from ml.export.onnx_model import onnx_inputs
from ml.registry.model_diff import diff_models
from ml.registry.models import kept_models
from ml.training.again import reproduce
from ml.training.reproduction import reproductions_of
from tests.conftest import Project


@pytest.fixture
def artifacts(built: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home of its own with the artifacts of the shared one."""
    shutil.copytree(built.home / "artifacts", tmp_path / "artifacts")
    monkeypatch.setenv("EIDERDOWN_HOME", str(tmp_path))
    return tmp_path


def test_versions_are_listed_and_shown(run: Any, built: Project) -> None:
    listed = run("models", "list", "--json")
    [(auc,)] = built.query(
        "select value from registry.model_metrics where model = 'flight_delay' and split = 'test' and slice = 'all' "
        "and metric = 'auc'"
    )
    versions = built.query("select model, version from registry.model_versions order by all")
    assert [(row["model"], row["version"]) for row in listed] == versions
    [row] = [row for row in listed if row["model"] == "flight_delay"]
    assert (row["aliases"], row["metric"], row["value"]) == (["champion"], "auc", auc)
    assert f"flight_delay@1 (champion): auc on test {auc:.4f}" in run("models")
    shown = run("models", "show", "flight_delay", "--json")
    assert shown["aliases"][0]["alias"] == "champion"
    assert shown["aliases"][0]["until"] is None
    assert len(shown["features"]) == 32
    assert shown["libraries"]["lightgbm"] == lightgbm.__version__
    rows = [row for row in shown["metrics"] if (row["split"], row["slice"], row["metric"]) == ("test", "all", "auc")]
    assert rows[0]["low"] < rows[0]["value"] < rows[0]["high"]
    assert rows[0]["baseline"] is not None
    assert {row["method"] for row in shown["importance"]} == {"contribution", "permutation"}
    page = run("models", "show", "flight_delay@1")
    assert "plane_activity_v2" in page
    assert "Metrics of all rows" in page
    assert "Did you mean 'flight_delay'" in run("models", "show", "flight_delai", code=1)


def test_versions_are_compared(built: Project, run: Any, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    monkeypatch.setenv("EIDERDOWN_HOME", str(built.home))
    old = kept_models().find("flight_delay@1")
    features = [feature for feature in old.signature.features if feature.name != "wind_gust"]
    new = dataclasses.replace(
        old,
        version=2,
        reason="made up",
        params=old.params | {"num_leaves": 31},
        declaration=old.declaration | {"split": old.declaration["split"] | {"test_from": "2013-12-01T00:00:00Z"}},
        signature=dataclasses.replace(old.signature, features=features),
    )
    with duckdb.connect() as connection:
        connection.execute("create schema registry")
        key = "'flight_delay' as model, {} as version, 1 as dataset_version, 'test' as split, 'all' as slice, '{}' as metric"
        values = [(1, "auc", 0.70), (1, "log_loss", 0.50), (2, "auc", 0.72), (2, "log_loss", 0.51), (2, "brier", 0.2)]
        rows = " union all ".join(
            f"select {key.format(n, metric)}, {value}::double as value" for n, metric, value in values
        )
        connection.execute(f"create table registry.model_metrics as {rows}")
        compared = f"{key.format(2, 'auc')}, 1 as champion"
        connection.execute(
            f"create table registry.model_comparisons as select {compared}, 0.01::double as low, 0.03::double as high"
        )
        forth, back = diff_models(connection, old, new), diff_models(connection, new, old)
    assert forth.parameters == {"num_leaves": (63, 31)}
    assert forth.declaration == {"split.test_from": ("2013-11-01T00:00:00Z", "2013-12-01T00:00:00Z")}
    assert (forth.features_added, forth.features_left_out) == ([], ["wind_gust"])
    assert (back.features_added, back.features_left_out) == (["wind_gust"], [])
    assert {one.metric: round(one.difference or 0, 6) for one in forth.metrics} == {"auc": 0.02, "log_loss": 0.01}
    assert {one.metric: (one.low, one.high) for one in forth.metrics} == {"auc": (0.01, 0.03), "log_loss": (None, None)}
    assert [(one.low, one.high) for one in back.metrics if one.metric == "auc"] == [(-0.03, -0.01)]
    assert (forth.data, forth.dataset_versions) == ({}, (1, 1))
    print_diff(forth)
    said = capsys.readouterr().out
    assert "features left out: wind_gust" in said
    assert "+0.0200" in said
    assert run("models", "compare", "flight_delay", "1", "champion", "--json")["parameters"] == {}
    assert "names a version" in run("models", "compare", "flight_delay@1", "1", "2", code=1)


@pytest.mark.parametrize("picture", ["svg", "png"])
def test_plots_are_drawn_once_and_the_same(run: Any, tmp_path: Path, picture: str) -> None:
    pages = []
    for folder in ("one", "two"):
        said = run("models", "plot", "flight_delay", "--to", str(tmp_path / folder), "--format", picture)
        pages.append({path.name: path.read_bytes() for path in (tmp_path / folder).iterdir()})
    names = ("roc", "calibration", "importance", "learning_curve")
    assert set(pages[0]) == {f"flight_delay_v1_{name}.{picture}" for name in names}
    assert pages[0] == pages[1]
    assert "no plot of trials" in said
    if picture == "svg":
        roc = pages[0]["flight_delay_v1_roc.svg"].decode()
        assert ">linear baseline 0." in roc
        assert ">false positive rate (share of negatives)<" in roc


def test_an_mlflow_folder_scores_with_its_own_loader(run: Any, built: Project, tmp_path: Path) -> None:
    """What MLflow does: put the folder's code on the path, import the loader, give it the folder and frames."""
    run("models", "export", "flight_delay@1", "--format", "mlflow", "--to", str(tmp_path / "model"))
    model = eiderdown.model("flight_delay@1")
    rows = eiderdown.dataset("flight_delay").to_arrow(model.features).slice(0, 500)
    spec = importlib.util.spec_from_file_location("loader", tmp_path / "model" / "code" / "eiderdown_lightgbm.py")
    assert spec is not None and spec.loader is not None
    loader = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loader)
    frame = rows.to_pandas()
    np.testing.assert_array_equal(loader._load_pyfunc(str(tmp_path / "model")).predict(frame), model.predict(rows))
    described = (tmp_path / "model" / "MLmodel").read_text()
    assert "loader_module: eiderdown_lightgbm" in described
    assert not any(path.suffix in (".pkl", ".pickle") for path in (tmp_path / "model").rglob("*"))
    again = run("models", "export", "flight_delay@1", "--format", "mlflow", "--to", str(tmp_path / "model"), code=1)
    assert "is there already" in again


def test_an_onnx_file_scores_real_rows(run: Any, tmp_path: Path) -> None:
    file = tmp_path / "model.onnx"
    assert "differ from ours by at most" in run(
        "models", "export", "flight_delay_schedule", "--format", "onnx", "--to", str(file)
    )
    model = eiderdown.model("flight_delay_schedule")
    rows = eiderdown.dataset("flight_delay").to_arrow(model.features).slice(0, 500)
    found = onnxruntime.InferenceSession(file).run(None, onnx_inputs(rows, model.signature.features))[0]
    np.testing.assert_allclose(found, model.predict(rows), rtol=0, atol=1e-14)


@pytest.mark.parametrize("package", ["onnx", "onnxruntime", "matplotlib"])
def test_a_package_that_is_not_installed_is_named(
    run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, package: str
) -> None:
    for name in list(sys.modules):
        if name.startswith(("ml.export", "ml.plots")):
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, package, None)
    command = ["plot", "flight_delay"] if package == "matplotlib" else ["export", "flight_delay", "--format", "onnx"]
    said = run("models", *command, "--to", str(tmp_path / "to"), code=1)
    assert f"the package {package} is not installed: pip install 'eiderdown[" in said
    assert not (tmp_path / "to").exists()


def test_a_version_is_trained_again_to_the_bit(run: Any, artifacts: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EIDERDOWN_HOME", str(artifacts))
    assert "the same artifact, bit for bit" in run("reproduce", "flight_delay_schedule", "1")
    recorded = kept_models().find("flight_delay_schedule@1")
    [kept] = reproductions_of("flight_delay_schedule", 1)
    assert (kept.outcome, kept.found_sha256, kept.differences) == ("equal", recorded.artifact_sha256, [])


def test_what_was_different_is_said(run: Any, artifacts: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EIDERDOWN_HOME", str(artifacts))
    recorded = kept_models().find("flight_delay_schedule@1")
    other = dataclasses.replace(
        recorded,
        seed=2,
        inputs=recorded.inputs | {"parameters": {"num_leaves": 5, "feature_fraction": 0.5, "metric": "auc"}},
        libraries=recorded.libraries | {"lightgbm": "4.0.0"},
        code_fingerprint="another",
        artifact_sha256="0" * 64,
    )
    done = reproduce(other, kept_versions())
    assert done.outcome == "different"
    said = "; ".join(done.differences)
    assert f"lightgbm: 4.0.0 recorded, {lightgbm.__version__} here" in said
    assert "the code that trains is another one" in said
    assert "parameter num_leaves: 31 recorded, 5 here" in said
    assert "validation auc: differs from iteration 1 on" in said
    dataset = eiderdown.dataset("flight_delay").path
    dataset.write_bytes(dataset.read_bytes()[:-1])
    altered = run("reproduce", "flight_delay_schedule", "1", "--json", code=1)
    assert altered["outcome"] == "impossible"
    assert "missing or altered" in altered["differences"][-1]
    assert [one.outcome for one in reproductions_of("flight_delay_schedule", 1)] == ["different", "impossible"]


def test_reproductions_are_a_table(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EIDERDOWN_HOME", str(project.home))
    versions = kept_models()
    missing = reproduce(versions.find("flight_delay_schedule@1"), [])
    project.dbt("run", "--select", "model_reproductions")
    rows = project.query(
        "select model, version, outcome, found_sha256, len(differences) from registry.model_reproductions"
    )
    assert rows == [("flight_delay_schedule", 1, missing.outcome, None, 1)]
