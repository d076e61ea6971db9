"""The test kit of estimators: what holds of every one, whatever it learns and by which library.

To add an estimator, write one file in `ml/estimators` with a subclass of `Estimator` (`base.py` says what each method takes and
gives), name it in `ESTIMATORS`, and test it with three lines of `tests/unit/test_estimators.py`:

    class TestNearestNeighbours(EstimatorChecks):
        estimator = NearestNeighbours
        parameters: ClassVar = {"k": 5}  # those with which it trains in a fraction of a second
"""

import functools
import hashlib
import json
import random
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

from ml.errors import ArtifactError, DeclarationError
from ml.estimators import ESTIMATORS
from ml.estimators.base import Estimator, Trained, TrainingData
from ml.files import read_checked
from ml.scoring.signature import Feature

TASKS = ("binary", "multiclass", "regression")
CLASSES = 3
EDITS = 50
X, Z, CONSTANT, NEVER, COLOR, PLACE = range(6)
FEATURES = [
    Feature("x", "DOUBLE"),
    Feature("z", "DOUBLE"),
    Feature("constant", "DOUBLE"),
    Feature("never", "DOUBLE"),
    Feature("color", "VARCHAR", ["blue", "green", "red", "not in the training split"]),
    Feature("place", "VARCHAR", [f"p{number}" for number in range(40)]),
]

# Loads each artifact that it is given and scores with it: the name and the matrix first, then lines of hex.
CHILD = """
import json, sys
import numpy as np
from ml.errors import ArtifactError
from ml.estimators import ESTIMATORS
from ml.scoring.signature import Feature
asked = json.loads(sys.stdin.readline())
features = [Feature(**feature) for feature in asked["features"]]
matrix = np.frombuffer(bytes.fromhex(asked["matrix"])).reshape(-1, len(features))
np.seterr(all="ignore")
for line in sys.stdin:
    try:
        model = ESTIMATORS[asked["estimator"]](bytes.fromhex(line), features, asked["outputs"])
        scores, parts = model.predict(matrix), model.contributions(matrix)
        assert parts.shape == (*scores.shape, len(features) + 1)
        print(scores.tobytes().hex())
    except ArtifactError as error:
        print(f"refused: {error}".replace(chr(10), " "))
assert "torch" not in sys.modules and "lightgbm" not in sys.modules
print("alive")
"""


def outputs_of(task: str) -> int:
    """The number of classes of a multiclass task, otherwise 1."""
    return CLASSES if task == "multiclass" else 1


def rows(count: int, seed: int) -> np.ndarray:
    """Features with what data in the wild has: values that are missing, a constant, a column without any value."""
    chance = np.random.default_rng(seed)
    matrix = np.column_stack(
        [
            chance.normal(20, 4, count),
            chance.exponential(1e6, count),
            np.full(count, 7.0),
            np.full(count, np.nan),
            chance.integers(0, 3, count),
            chance.integers(0, 40, count),
        ]
    )
    matrix[chance.random(count) < 0.2, Z] = np.nan
    matrix[chance.random(count) < 0.1, COLOR] = np.nan
    return matrix


def data_of(task: str) -> TrainingData:
    """A small data set on which a model learns something."""

    def split(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
        matrix = rows(count, seed)
        noise = np.random.default_rng(seed + 1).logistic(size=count) / 4
        signal = (matrix[:, X] - 20) / 4 + np.nan_to_num(matrix[:, COLOR], nan=3) / 2 - 0.5 + noise
        target = {
            "binary": (signal > 0).astype(float),
            "multiclass": np.digitize(signal, [-0.5, 0.5]).astype(float),
            "regression": 1000 + 50 * signal,
        }
        return matrix, target[task]

    return TrainingData(task, outputs_of(task), FEATURES, split(400, 1), split(150, 3))


@functools.cache
def trained(estimator: type[Estimator], task: str, parameters: str) -> Trained:
    """Trained once for all checks; parameters as JSON."""
    return estimator.train(data_of(task), json.loads(parameters), 5)


def edited(artifact: bytes, count: int) -> list[bytes]:
    """Copies of an artifact, each altered in another way: cut, a bit flipped, a part zeroed, moved, doubled or added."""
    chance = random.Random(7)

    def at() -> int:
        return chance.randrange(len(artifact))

    def edit(kind: int) -> bytes:
        place, other = sorted((at(), at()))
        flipped = bytes([artifact[place] ^ 1 << chance.randrange(8)])
        return [
            lambda: artifact[:place],
            lambda: artifact[:place] + flipped + artifact[place + 1 :],
            # The head is where formats keep their sizes.
            lambda: artifact[: place % 300] + bytes([chance.randrange(256)]) + artifact[place % 300 + 1 :],
            lambda: artifact[:place] + bytes(min(16, len(artifact) - place)) + artifact[place + 16 :],
            lambda: artifact[:place] + artifact[other:] + artifact[place:other],
            lambda: artifact[:other] + artifact[place:],
            lambda: artifact + artifact[place : place + 9],
            lambda: artifact[place:],
        ][kind]()

    found: dict[bytes, None] = {b"": None}
    for number in range(100 * count):
        if len(found) == count:
            break
        found[edit(number % 8)] = None
    found.pop(artifact, None)
    return list(found)


def in_child(estimator: type[Estimator], artifacts: list[bytes], matrix: np.ndarray, outputs: int) -> list[str]:
    """What a child process says of each artifact: its scores in hex, or 'refused: …'. Fails where the child does not live."""
    asked = {
        "estimator": estimator.name,
        "features": [vars(feature) for feature in FEATURES],
        "matrix": matrix.tobytes().hex(),
        "outputs": outputs,
    }
    lines = "\n".join([json.dumps(asked), *(artifact.hex() for artifact in artifacts)])
    command = [sys.executable, "-c", CHILD]
    child = subprocess.run(command, input=lines, capture_output=True, text=True, check=False, timeout=60)
    said = child.stdout.splitlines()
    assert said[-1:] == ["alive"], (child.returncode, child.stderr)
    return said[:-1]


@pytest.mark.parametrize("task", TASKS)
class EstimatorChecks:
    """A subclass is tested: it names its estimator, and parameters with which that trains in a fraction of a second."""

    __test__ = False
    estimator: ClassVar[type[Estimator]]
    parameters: ClassVar[dict[str, Any]] = {}

    def __init_subclass__(cls) -> None:
        cls.__test__ = True

    def trained(self, task: str) -> Trained:
        return trained(self.estimator, task, json.dumps(self.parameters))

    def load(self, task: str, artifact: bytes | None = None) -> Estimator:
        content = self.trained(task).artifact if artifact is None else artifact
        return self.estimator(content, FEATURES, outputs_of(task))

    def train(self, task: str) -> bytes:
        return self.estimator.train(data_of(task), dict(self.parameters), 5).artifact

    def test_it_is_declared(self, task: str) -> None:
        assert ESTIMATORS[self.estimator.name] is self.estimator
        assert task in self.estimator.tasks
        formats = [estimator.artifact_format for estimator in ESTIMATORS.values()]
        assert formats.count(self.estimator.artifact_format) == 1
        assert 0 <= self.estimator.tolerance < 1e-6

    def test_scores_have_their_shape_and_range(self, task: str) -> None:
        model, matrix = self.load(task), rows(50, 9)
        score, raw = model.predict(matrix), model.raw_score(matrix)
        assert score.shape == raw.shape == ((50, CLASSES) if task == "multiclass" else (50,))
        assert score.dtype == raw.dtype == np.float64
        if task == "binary":
            np.testing.assert_allclose(score, 1 / (1 + np.exp(-raw)), rtol=1e-12)
        elif task == "multiclass":
            np.testing.assert_allclose(score, np.exp(raw) / np.exp(raw).sum(axis=1, keepdims=True), rtol=1e-9)
        else:
            assert score.tolist() == raw.tolist()

    def test_it_learns(self, task: str) -> None:
        matrix, target = data_of(task).validation
        score = self.load(task).predict(matrix)
        if task == "regression":
            assert ((score - target) ** 2).mean() < 0.8 * target.var()
        else:
            guess = score.argmax(axis=1) if task == "multiclass" else score > 0.5
            assert (guess == target).mean() > np.bincount(target.astype(int)).max() / len(target) + 0.1

    def test_training_again_gives_the_same_bytes(self, task: str) -> None:
        """Whatever was done in this process before, also in another thread and beside another training."""
        np.random.seed(11)
        if torch := sys.modules.get("torch"):
            torch.manual_seed(11)
            torch.rand(10)
        first = self.trained(task).artifact
        with ThreadPoolExecutor(2) as threads:
            both = [threads.submit(self.train, task) for _ in range(2)]
        assert [future.result() == first for future in both] == [True, True]

    def test_a_child_process_gives_the_same_scores(self, task: str) -> None:
        """And needs nothing of what training imports."""
        matrix = rows(30, 12)
        (said,) = in_child(self.estimator, [self.trained(task).artifact], matrix, outputs_of(task))
        assert said == self.load(task).predict(matrix).tobytes().hex()

    def test_one_row_scores_as_in_any_batch(self, task: str) -> None:
        model, matrix = self.load(task), rows(101, 13)
        matrix[::9] = np.nan
        for function in (model.predict, model.raw_score, model.contributions):
            whole = function(matrix)
            for row in range(len(matrix)):
                assert function(matrix[row : row + 1])[0].tobytes() == whole[row].tobytes()
            for size in (2, 7, 8, 9, 33):
                parts = [function(matrix[start : start + size]) for start in range(0, len(matrix), size)]
                assert np.concatenate(parts).tobytes() == whole.tobytes()
            for other in (np.asfortranarray(matrix), np.repeat(matrix, 2, axis=0)[::2], matrix[::-1]):
                assert (
                    function(other).tobytes() == (whole[::-1] if np.shares_memory(other, matrix) else whole).tobytes()
                )

    def test_threads_may_share_a_model(self, task: str) -> None:
        model, matrix = self.load(task), rows(40, 14)
        expected = model.predict(matrix).tobytes()
        with ThreadPoolExecutor(4) as threads:
            found = list(threads.map(lambda _: model.predict(matrix).tobytes(), range(40)))
        assert set(found) == {expected}

    def test_what_is_missing_unseen_or_infinite_is_scored(self, task: str) -> None:
        model, matrix = self.load(task), rows(20, 15)
        for column in range(len(FEATURES)):
            strange = matrix.copy()
            strange[:10, column] = np.nan
            if FEATURES[column].categories is None:
                strange[10:, column] = np.resize([np.inf, -np.inf, 1e300, -1e300, 5e-324], 10)
            else:
                strange[10:, column] = len(FEATURES[column].categories or []) - 1
            assert np.isfinite(model.predict(strange)).all()
            assert np.isfinite(model.contributions(strange)).all()
        assert np.isfinite(model.predict(np.full((1, len(FEATURES)), np.nan))).all()

    def test_a_column_that_says_nothing_counts_for_nothing(self, task: str) -> None:
        model, matrix = self.load(task), rows(20, 16)
        other = matrix.copy()
        other[:, CONSTANT] = np.arange(20) - 10
        other[:, NEVER] = np.arange(20)
        assert model.predict(other).tobytes() == model.predict(matrix).tobytes()
        assert not model.contributions(other)[..., [CONSTANT, NEVER]].any()

    def test_contributions_add_up(self, task: str) -> None:
        model, matrix = self.load(task), rows(30, 17)
        raw, parts = model.raw_score(matrix), model.contributions(matrix)
        assert parts.shape == (*raw.shape, len(FEATURES) + 1)
        np.testing.assert_allclose(parts.sum(axis=-1), raw, rtol=1e-9, atol=1e-9)
        np.testing.assert_allclose(parts[..., -1] - parts[0, ..., -1], 0, atol=1e-9)
        assert np.abs(parts[..., X]).max() > np.abs(parts[..., PLACE]).mean()

    def test_each_iteration_is_measured_and_reported(self, task: str) -> None:
        reports: list[tuple[int, float]] = []
        again = self.estimator.train(data_of(task), dict(self.parameters), 5, lambda *report: reports.append(report))
        assert [iteration for iteration, _ in reports] == list(range(len(reports)))
        curve = self.trained(task).learning_curve
        assert again.learning_curve == curve
        assert any(name.startswith("validation ") for name in curve)
        assert all(len(values) == len(reports) and np.isfinite(values).all() for values in curve.values())
        assert json.loads(json.dumps(again.parameters)) == again.parameters

    def test_a_report_can_end_the_training(self, task: str) -> None:
        class EnoughError(Exception):
            pass

        def stop(iteration: int, loss: float) -> None:
            raise EnoughError(iteration)

        with pytest.raises(EnoughError, match="0"):
            self.estimator.train(data_of(task), dict(self.parameters), 5, stop)
        assert self.train(task) == self.trained(task).artifact

    def test_parameters_are_checked(self, task: str) -> None:
        self.estimator.check_parameters(task, dict(self.parameters))
        for name, space in self.estimator.search_space.items():
            for value in space.get("choices", [space.get("low"), space.get("high")]):
                self.estimator.check_parameters(task, {name: value})
            with pytest.raises(DeclarationError, match=f"parameters.{name}x: .*Did you mean '{name}'"):
                self.estimator.check_parameters(task, {f"{name}x": 1})

    def test_another_shape_is_refused(self, task: str) -> None:
        artifact = self.trained(task).artifact
        for features in (FEATURES[:-1], [*FEATURES, Feature("more", "DOUBLE")]):
            with pytest.raises(ArtifactError):
                self.estimator(artifact, features, outputs_of(task))
        for outputs in {1, 2, CLASSES + 1} - {outputs_of(task)}:
            with pytest.raises(ArtifactError):
                self.estimator(artifact, FEATURES, outputs)

    def test_edited_artifacts_are_refused(self, task: str, tmp_path: Path) -> None:
        """Each by its SHA-256; and one whose record was altered too is refused or scores, and no process dies of it."""
        artifact = self.trained(task).artifact
        edits, path = edited(artifact, EDITS), tmp_path / "artifact"
        assert len(edits) >= EDITS - 1
        for edit in edits:
            path.write_bytes(edit)
            with pytest.raises(ArtifactError, match="SHA-256"):
                read_checked(path, hashlib.sha256(artifact).hexdigest())
        matrix = rows(10, 18)
        said = in_child(self.estimator, edits, matrix, outputs_of(task))
        assert len(said) == len(edits)
        refused = [line for line in said if line.startswith("refused: ")]
        assert len(refused) > EDITS / 3
        assert all("train" in line or "restore" in line for line in refused), refused
        sizes = {len(line) for line in said if not line.startswith("refused: ")}
        assert sizes <= {2 * matrix.shape[0] * 8 * outputs_of(task)}
