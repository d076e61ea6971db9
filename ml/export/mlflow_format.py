"""A version of a model in MLflow's format, written without MLflow: https://mlflow.org/docs/latest/ml/model/#storage-format.

The folder's python_function takes a frame with a column for each feature, texts for categories, and gives the scores; its
loader is a module in the folder, since MLflow's own know nothing of categories in text. Nothing in it is pickled.
"""

import dataclasses
import importlib.metadata
import json
import platform
import shutil
from pathlib import Path
from typing import Any

import yaml

from ml import files
from ml.errors import DeclarationError
from ml.export.onnx_model import to_onnx
from ml.field_types import canonical
from ml.registry.models import ModelVersion
from ml.scoring.signature import Feature

_LOADERS = Path(__file__).parent / "loaders"


def write_mlflow(version: ModelVersion, path: Path) -> None:
    """Write a version as a folder that MLflow loads, whole or not at all.

    A LightGBM model has the flavors `lightgbm` and `python_function`, any other `onnx` and `python_function`.
    Raises DeclarationError where the path is there already or a package is missing, ArtifactError where the artifact is.
    """
    if path.exists():
        raise DeclarationError(f"{path}: is there already; choose another name, or remove it.")
    path.parent.mkdir(parents=True, exist_ok=True)
    written = files.aside(path)
    try:
        _write(version, written)
        for part in [*written.rglob("*"), written]:
            files.sync(part)
        files.adopt(written, path)
    finally:
        shutil.rmtree(written, ignore_errors=True)


def _write(version: ModelVersion, folder: Path) -> None:
    (folder / "code").mkdir(parents=True)
    features = version.signature.features
    artifact = files.read_checked(files.home() / version.artifact, version.artifact_sha256)
    if version.artifact_format == "lightgbm-text":
        loader, packages = "eiderdown_lightgbm", ["lightgbm", "numpy", "pandas"]
        (folder / "model.lgb").write_bytes(_with_categories(artifact, features))
        flavor: dict[str, Any] = {
            "lightgbm": {
                "data": "model.lgb",
                "lgb_version": importlib.metadata.version("lightgbm"),
                "model_class": "lightgbm.basic.Booster",
            }
        }
    else:
        loader, packages = "eiderdown_onnx", ["onnxruntime", "numpy", "pandas"]
        (folder / "model.onnx").write_bytes(to_onnx(version))
        flavor = {"onnx": {"data": "model.onnx", "onnx_version": importlib.metadata.version("onnx")}}
    shutil.copy(_LOADERS / f"{loader}.py", folder / "code")
    described = [dataclasses.asdict(feature) for feature in features]
    (folder / "features.json").write_text(json.dumps(described, indent=1))
    requirements = ["mlflow>=2.20", *(f"{package}=={importlib.metadata.version(package)}" for package in packages)]
    (folder / "requirements.txt").write_text("\n".join([*requirements, ""]))
    python = platform.python_version()
    environment = {"python": python, "build_dependencies": ["pip"], "dependencies": ["-r requirements.txt"]}
    (folder / "python_env.yaml").write_text(yaml.safe_dump(environment, sort_keys=False))
    function = {
        "loader_module": loader,
        "data": ".",
        "code": "code",
        "env": {"virtualenv": "python_env.yaml"},
        "python_version": python,
    }
    facts = {"model": version.model, "version": version.version, "artifact_sha256": version.artifact_sha256}
    described_model = {
        "flavors": flavor | {"python_function": function},
        "metadata": {"eiderdown": facts | {"classes": version.signature.classes}},
        "model_uuid": version.artifact_sha256[:32],
        "signature": {
            "inputs": json.dumps(_inputs(features)),
            "outputs": json.dumps(_outputs(version)),
            "params": None,
        },
        "utc_time_created": f"{version.created_at:%Y-%m-%d %H:%M:%S.%f}",
    }
    (folder / "MLmodel").write_text(yaml.safe_dump(described_model, sort_keys=True))


def _with_categories(artifact: bytes, features: list[Feature]) -> bytes:
    """The text with its categories where LightGBM's Python package looks for those of a frame."""
    categories = [feature.categories for feature in features if feature.categories is not None]
    text, _, _ = artifact.decode("ascii").rpartition("\npandas_categorical:")
    return f"{text}\npandas_categorical:{json.dumps(categories) if categories else 'null'}\n".encode()


def _inputs(features: list[Feature]) -> list[dict[str, Any]]:
    return [{"type": _type(feature), "name": feature.name, "required": True} for feature in features]


def _type(feature: Feature) -> str:
    if feature.categories is not None:
        return "string"
    name = canonical(feature.type)
    # A `long` of MLflow cannot be missing, and a `double` of it takes no 64-bit integers.
    return "boolean" if name == "BOOLEAN" else "any" if name in ("BIGINT", "UBIGINT", "UINTEGER") else "double"


def _outputs(version: ModelVersion) -> list[dict[str, Any]]:
    classes = version.signature.classes
    shape = [-1, len(classes)] if classes else [-1]
    return [{"type": "tensor", "tensor-spec": {"dtype": "float64", "shape": shape}}]
