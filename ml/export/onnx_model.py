"""A version of a model as an ONNX file, from the features to the score, compared with our own scores over real rows.

Each feature is an input of its own name, shape (rows,): a number or boolean as double, NaN where it is missing; a category as
text, where any that the model does not know, such as an empty one, counts as missing.
"""

from pathlib import Path

import numpy as np
import pyarrow as pa

from ml import files
from ml.datasets.versions import DatasetVersion
from ml.errors import ArtifactError, DeclarationError
from ml.estimators.lightgbm_text import check_text
from ml.registry.models import ModelVersion
from ml.scoring.matrix import to_matrix
from ml.scoring.signature import Feature

GREATEST_DIFFERENCE = 1e-5
"""Between a score of the file and ours; of a regression, relative to values above 1. What differs by more is not written."""
_ROWS = 5_000


def write_onnx(version: ModelVersion, dataset: DatasetVersion, path: Path) -> float:
    """Write a version as an ONNX file, whole or not at all. Returns the greatest difference between its scores and ours.

    dataset: the one that the version was trained on, whose rows (at most 5,000, spread evenly) are scored by both.
    Raises DeclarationError where a package is missing or the file is there, ArtifactError where the difference is too great.
    """
    if path.exists():
        raise DeclarationError(f"{path}: is there already; choose another name, or remove it.")
    content = to_onnx(version)
    found = greatest_difference(version, content, _sample(version, dataset))
    path.parent.mkdir(parents=True, exist_ok=True)
    files.write_whole(path, content)
    return found


def to_onnx(version: ModelVersion) -> bytes:
    """The file. Raises DeclarationError where the package onnx is missing, or the estimator is none that ONNX can hold."""
    try:
        from ml.export.onnx_graph import Graph
        from ml.export.onnx_trees import add_trees
        from ml.export.onnx_weights import add_linear, add_mlp
    except ModuleNotFoundError as error:
        raise _missing(error) from None
    features, outputs = version.signature.features, version.signature.outputs
    if any(feature.name == "score" for feature in features):
        raise DeclarationError(f"{version.name}: a feature has the name of the output, 'score'; rename it in its view.")
    artifact = files.read_checked(files.home() / version.artifact, version.artifact_sha256)
    graph = Graph()
    if version.artifact_format == "lightgbm-text":
        score = add_trees(graph, check_text(artifact, len(features), outputs), features, outputs)
    elif version.artifact_format == "linear-safetensors":
        score = add_linear(graph, artifact, features)
    elif version.artifact_format == "mlp-safetensors":
        score = add_mlp(graph, artifact, features)
    else:
        raise DeclarationError(f"{version.name}: the format '{version.artifact_format}' cannot be written as ONNX.")
    facts = {"model": version.model, "version": str(version.version), "artifact_sha256": version.artifact_sha256}
    if version.signature.classes:
        facts["classes"] = "\n".join(version.signature.classes)
    content: bytes = graph.to_model(version.model, score, outputs, facts).SerializeToString(deterministic=True)
    return content


def greatest_difference(version: ModelVersion, content: bytes, rows: pa.Table) -> float:
    """By how much onnxruntime's scores of rows differ from ours, at most.

    rows: a table with the features. Raises ArtifactError where it is more than GREATEST_DIFFERENCE, DeclarationError where
    onnxruntime is missing.
    """
    try:
        import onnxruntime
    except ModuleNotFoundError as error:
        raise _missing(error) from None
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    found = np.asarray(session.run(["score"], onnx_inputs(rows, version.signature.features))[0])
    ours = version.scorer().score(rows)
    difference = float((np.abs(found - ours) / np.maximum(np.abs(ours), 1)).max(initial=0.0))
    if not difference <= GREATEST_DIFFERENCE:
        raise ArtifactError(
            f"{version.name}: the scores of its ONNX file differ by up to {difference:.3g} from ours, more than "
            f"{GREATEST_DIFFERENCE}; nothing was written. Report it with the version's parameters."
        )
    return difference


def onnx_inputs(rows: pa.Table, features: list[Feature]) -> dict[str, np.ndarray]:
    """Rows of features as the inputs of a file: doubles, and texts that are empty where they are missing."""
    numbers = [feature for feature in features if feature.categories is None]
    matrix = to_matrix(rows, numbers)
    inputs = {feature.name: np.ascontiguousarray(matrix[:, place]) for place, feature in enumerate(numbers)}
    for feature in features:
        if feature.categories is not None:
            texts = rows.column(feature.name).cast(pa.string()).fill_null("")
            inputs[feature.name] = np.array(texts.to_pylist(), dtype=object)
    return inputs


def _sample(version: ModelVersion, dataset: DatasetVersion) -> pa.Table:
    rows = dataset.to_arrow([feature.name for feature in version.signature.features])
    return rows.take(pa.array(np.unique(np.linspace(0, rows.num_rows - 1, _ROWS).astype(int))))


def _missing(error: ModuleNotFoundError) -> DeclarationError:
    return DeclarationError(f"the package {error.name} is not installed: pip install 'eiderdown[export]'.")
