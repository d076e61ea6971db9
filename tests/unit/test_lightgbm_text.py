"""What passes the check of LightGBM's text can be scored and explained: edited models, in a child that must not die."""

import hashlib
import random
import re
import subprocess
import sys

import lightgbm
import numpy as np
import pytest

from ml.errors import ArtifactError
from ml.estimators.lightgbm import LightGBM
from ml.estimators.lightgbm_text import check_text
from ml.scoring.signature import Feature

FEATURES = 4

# Reads rows, then models: the SHA-256 that was recorded, or none, and the text. Says of each what became of it.
CHILD = """
import sys
import tempfile
from pathlib import Path
import numpy as np
from ml.errors import ArtifactError
from ml.estimators.lightgbm import LightGBM
from ml.files import read_checked
from ml.scoring.signature import Feature
matrix = np.frombuffer(bytes.fromhex(sys.stdin.readline())).reshape(-1, 4)
features = [Feature(name, "DOUBLE") for name in "abcd"]
file = Path(tempfile.mkdtemp()) / "model.txt"
for line in sys.stdin:
    sha256, text = line.rstrip("\\n").split(" ")
    file.write_bytes(bytes.fromhex(text))
    try:
        model = LightGBM(read_checked(file, sha256) if sha256 else bytes.fromhex(text), features, 1)
        model.contributions(matrix)
        print("scores", model.predict(matrix).tobytes().hex())
    except ArtifactError as error:
        print("refused", str(error).replace(chr(10), " "))
print("alive")
"""


def _in_child(models: list[bytes], sha256: str = "") -> list[str]:
    """What became of each model: `scores …` or `refused …`."""
    lines = "\n".join([_matrix(50).tobytes().hex(), *(f"{sha256} {model.hex()}" for model in models)])
    child = subprocess.run([sys.executable, "-c", CHILD], input=lines, capture_output=True, text=True, check=False)
    *found, last = child.stdout.splitlines() or [""]
    assert last == "alive", (child.returncode, child.stderr)
    assert len(found) == len(models)
    return found


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


def test_contributions_add_up_to_the_raw_score(model: bytes) -> None:
    matrix, features = _matrix(500), [Feature(name, "DOUBLE") for name in "abcd"]
    loaded = LightGBM(model, features, 1)
    expected = lightgbm.Booster(model_str=model.decode()).predict(matrix, num_threads=1, pred_contrib=True)
    assert loaded.contributions(matrix).tolist() == expected.tolist()
    np.testing.assert_allclose(expected.sum(axis=1), loaded.raw_score(matrix), rtol=0, atol=1e-12)


def test_a_tree_of_one_leaf_passes() -> None:
    data = lightgbm.Dataset(np.zeros((50, 2)), np.arange(50) % 2, params={"verbosity": -1})
    constant = lightgbm.train({"objective": "binary", "verbosity": -1}, data, 2).model_to_string().encode()
    check_text(constant, 2, 1)


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
        (rb"num_class=1", b"num_class=2", "num_class: not 1"),
        (rb"(?m)^(leaf_value=-?\d\.\d)\d(\d)", rb"\1_\2", "tree 0: leaf_value: malformed"),
        (rb"(?m)^threshold=\S+", b"threshold=nan", "tree 0: tree_sizes|threshold: not a number"),
        (rb"objective=binary sigmoid:1", b"objective=binary sigmoid:x", "objective"),
    ],
)
def test_what_is_wrong_is_named(model: bytes, pattern: bytes, replacement: bytes, said: str) -> None:
    edited = re.sub(pattern, replacement, model, count=1)
    assert edited != model
    with pytest.raises(ArtifactError, match=said):
        LightGBM(edited, [Feature(name, "DOUBLE") for name in "abcd"], 1)


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


EDITS = (_flip, _other_number, _truncated, _swapped_lines)


def _edited(model: bytes, count: int, seed: int) -> list[bytes]:
    """So many different models, none of which is the model."""
    chance, found = random.Random(seed), dict[bytes, None]()
    while len(found) < count:
        edited = EDITS[len(found) % len(EDITS)](model, chance)
        if edited != model:
            found[edited] = None
    return list(found)


def test_an_edited_file_is_refused(model: bytes) -> None:
    found = _in_child([model, *_edited(model, 50, 1)], hashlib.sha256(model).hexdigest())
    expected = lightgbm.Booster(model_str=model.decode()).predict(_matrix(50), num_threads=1)
    assert found[0] == f"scores {expected.tobytes().hex()}"
    assert all(said.startswith("refused") and "SHA-256" in said for said in found[1:])


def test_nothing_that_passes_the_check_of_the_text_ends_the_process(model: bytes) -> None:
    found = _in_child(_edited(model, 2000, 5))
    refused = [said for said in found if said.startswith("refused")]
    assert 800 < len(refused) < 1900
    # A few differ where only LightGBM itself looks, which explains.
    assert [said for said in refused if "restore it, or train" not in said and "refused LightGBM: " not in said] == []
