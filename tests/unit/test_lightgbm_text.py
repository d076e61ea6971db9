"""What passes the check of LightGBM's text can be loaded and scored: edited models, in a child that must not die."""

import random
import re
import subprocess
import sys
from collections.abc import Callable

import lightgbm
import numpy as np
import pytest

from ml.errors import ArtifactError
from ml.estimators.lightgbm_library import Booster
from ml.estimators.lightgbm_text import check_text

FEATURES = 4
EDITS = 2000

CHILD = """
import sys
import numpy as np
from ml.errors import ArtifactError
from ml.estimators.lightgbm_library import Booster
matrix = np.frombuffer(bytes.fromhex(sys.stdin.readline())).reshape(-1, 4)
for line in sys.stdin:
    try:
        Booster(bytes.fromhex(line)).predict(matrix)
    except ArtifactError:
        pass
print("alive")
"""


def _matrix(rows: int) -> np.ndarray:
    chance = np.random.default_rng(3)
    matrix = chance.normal(size=(rows, FEATURES))
    matrix[:, 3] = chance.integers(-1, 70, rows)
    matrix[chance.random(matrix.shape) < 0.1] = np.nan
    return matrix


@pytest.fixture(scope="module")
def model() -> bytes:
    matrix = _matrix(3000)
    target = (np.nan_to_num(matrix[:, 0]) + np.nan_to_num(matrix[:, 3]) % 3 > 1).astype(float)
    parameters = {"objective": "binary", "num_leaves": 8, "verbosity": -1, "seed": 1}
    data = lightgbm.Dataset(matrix, target, categorical_feature=[3], params={"verbosity": -1})
    return lightgbm.train(parameters, data, 6).model_to_string().encode()


def test_the_library_gives_the_scores_of_the_package(model: bytes) -> None:
    matrix = _matrix(500)
    check_text(model, FEATURES)
    expected = lightgbm.Booster(model_str=model.decode()).predict(matrix, num_threads=1)
    assert Booster(model).predict(matrix).tolist() == expected.tolist()


def test_a_tree_of_one_leaf_passes() -> None:
    data = lightgbm.Dataset(np.zeros((50, 2)), np.arange(50) % 2, params={"verbosity": -1})
    constant = lightgbm.train({"objective": "binary", "verbosity": -1}, data, 2).model_to_string().encode()
    check_text(constant, 2)


@pytest.mark.parametrize(
    ("pattern", "replacement", "said"),
    [
        (rb"(?m)^left_child=\S+", b"left_child=77", "tree 0: tree_sizes"),
        (rb"(?m)^split_feature=\d", b"split_feature=9", "tree 0: split_feature: out of range"),
        (rb"(?m)^left_child=\d", b"left_child=0", "tree 0: left_child, right_child: not a tree"),
        (rb"(?m)^(leaf_value=-?\d\.\d)\d", rb"\1 ", "tree 0: leaf_value: 9 values in the place of 8"),
        (rb"num_leaves=8", b"num_leaves=9", "tree 0: leaf_value: 8 values in the place of 9"),
        (rb"max_feature_idx=3", b"max_feature_idx=2", "max_feature_idx|feature_names"),
        (rb"end of trees", b"end of threes", "tree_sizes: do not add up"),
        (rb"version=v4", b"version=v9", "version v4"),
    ],
)
def test_what_is_wrong_is_named(model: bytes, pattern: bytes, replacement: bytes, said: str) -> None:
    edited = re.sub(pattern, replacement, model, count=1)
    assert edited != model
    with pytest.raises(ArtifactError, match=said):
        check_text(edited, FEATURES)


def _flip(model: bytes, chance: random.Random) -> bytes:
    content = bytearray(model)
    content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
    return bytes(content)


def _other_number(model: bytes, chance: random.Random) -> bytes:
    """A number in the place of another of as many digits, so that all sizes stay."""
    found = chance.choice(list(re.finditer(rb"-?\d+", model)))
    width = found.end() - found.start()
    number = str(chance.choice([0, -1, 10**12, chance.randrange(200), -chance.randrange(200)])).encode()
    return model[: found.start()] + number[:width].rjust(width, b"0") + model[found.end() :]


def _truncated(model: bytes, chance: random.Random) -> bytes:
    return model[: chance.randrange(len(model))]


def _swapped_lines(model: bytes, chance: random.Random) -> bytes:
    lines = model.split(b"\n")
    one, two = chance.sample(range(len(lines)), 2)
    lines[one], lines[two] = lines[two], lines[one]
    return b"\n".join(lines)


def test_nothing_that_passes_ends_the_process(model: bytes) -> None:
    chance = random.Random(5)
    edits: list[Callable[[bytes, random.Random], bytes]] = [_flip, _other_number, _truncated, _swapped_lines]
    passed = []
    for number in range(EDITS):
        edited = edits[number % len(edits)](model, chance)
        try:
            check_text(edited, FEATURES)
        except ArtifactError:
            continue
        passed.append(edited)
    assert 100 < len(passed) < EDITS
    lines = "\n".join([_matrix(50).tobytes().hex(), *(edited.hex() for edited in passed)])
    child = subprocess.run([sys.executable, "-c", CHILD], input=lines, capture_output=True, text=True, check=False)
    assert child.stdout == "alive\n", (child.returncode, child.stderr)
