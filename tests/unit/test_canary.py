"""A model that does not load, or scores otherwise, is refused; and the process that asks goes on."""

import hashlib
import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from ml.errors import ArtifactError
from ml.estimators.base import TrainingData
from ml.estimators.lightgbm import LightGBM
from ml.scoring.canary import check_in_child, make_canary
from ml.scoring.scorer import Scorer
from ml.scoring.signature import Feature, Signature

FEATURES = [Feature("x", "DOUBLE"), Feature("color", "VARCHAR", ["blue", "red"])]
SIGNATURE = Signature(
    at="at", request=[], views=[], expressions=[], features=FEATURES, task="binary", classes=[], threshold=0.5
)


class Trained:
    def __init__(self, folder: Path) -> None:
        random = np.random.default_rng(1)
        matrix = np.column_stack([random.normal(size=400), random.integers(0, 2, 400)])
        target = (matrix[:, 0] + matrix[:, 1] > 0.5).astype(float)
        data = TrainingData("binary", 1, FEATURES, (matrix, target), (matrix, target))
        self.content = LightGBM.train(data, {"num_boost_round": 5, "min_data_in_leaf": 5}, 1).artifact
        self.path = folder / "model.txt"
        self.write(self.content)
        table = pa.table({"x": [0.1, None, -3.0], "color": ["red", "green", None]})
        self.canary = make_canary(self.scorer(), table)

    def write(self, content: bytes) -> None:
        self.path.write_bytes(content)
        self.sha256 = hashlib.sha256(content).hexdigest()

    def scorer(self) -> Scorer:
        return Scorer(self.path, LightGBM.artifact_format, self.sha256, SIGNATURE)

    def check(self, canary: str | None = None, sha256: str | None = None) -> None:
        check_in_child(
            "m_v1",
            self.path,
            LightGBM.artifact_format,
            sha256 or self.sha256,
            SIGNATURE.to_json(),
            canary or self.canary,
        )


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    return Trained(tmp_path_factory.mktemp("model"))


def test_the_trained_model_passes(trained: Trained) -> None:
    trained.check()


def test_a_truncated_file_ends_the_child_only(trained: Trained) -> None:
    trained.write(trained.content[: len(trained.content) // 2])
    with pytest.raises(ArtifactError, match=r"m_v1: refused, .*not a LightGBM model"):
        trained.check()
    trained.write(trained.content)


def test_a_canary_that_is_none_is_refused(trained: Trained) -> None:
    for canary in (
        "{}",
        "[]",
        '{"rows": [{}], "scores": ["x"]}',
        '{"rows": [{"x": 0.1, "color": 1}], "scores": ["0x1p0"]}',
    ):
        with pytest.raises(ArtifactError, match="m_v1: refused, the canary is not one"):
            trained.check(canary=canary)


def test_infinity_and_nan_are_kept(trained: Trained) -> None:
    table = pa.table({"x": [float("inf"), float("-inf"), float("nan"), None], "color": ["red"] * 4})
    trained.check(canary=make_canary(trained.scorer(), table))


def test_an_altered_file_is_not_parsed(trained: Trained) -> None:
    with pytest.raises(ArtifactError, match="its SHA-256 is"):
        trained.check(sha256="0" * 64)


def test_another_score_is_refused(trained: Trained) -> None:
    canary = json.loads(trained.canary)
    canary["scores"][0] = [(float.fromhex(canary["scores"][0][0]) + 1e-12).hex()]
    with pytest.raises(ArtifactError, match="row 0 scores"):
        trained.check(canary=json.dumps(canary))


def test_a_lone_row_scores_as_in_a_batch(trained: Trained) -> None:
    random = np.random.default_rng(2)
    table = pa.table({"x": random.normal(size=300), "color": random.choice(["blue", "red", "green"], 300)})
    scorer = trained.scorer()
    alone = [scorer.score(table.slice(row, 1))[0] for row in range(300)]
    assert scorer.score(table).tolist() == alone


def test_training_twice_gives_the_same_bytes(tmp_path: Path, trained: Trained) -> None:
    assert Trained(tmp_path).content == trained.content
