"""Trees score to the bits of LightGBM's own library: many models, of every kind of node, on hostile values."""

import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import lightgbm
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ml.errors import ArtifactError
from ml.estimators.lightgbm_text import check_text
from ml.estimators.tree_walk import BLOCK, LANES
from ml.estimators.trees import Trees

FEATURES = 6
CATEGORICAL = [4, 5]
OBJECTIVES = ["binary", "multiclass", "regression", "regression_l1", "huber", "fair", "quantile", "mape"]
HOSTILE = [
    0.0,
    -0.0,
    1e-36,
    -1e-36,
    1e-35,
    1.0000000180025095e-35,
    5e-324,
    1e300,
    -1e300,
    1.7e308,
    np.inf,
    -np.inf,
    np.nan,
]
CODES = [-1.0, -0.5, 0.5, 3.7, 31.0, 32.0, 2.0**31 - 1, 2.0**31, 2.0**40, -(2.0**31), -(2.0**40), 1e300]


def _matrix(rows: int, seed: int) -> np.ndarray:
    """Columns with whole numbers, zeros, NaN and values on a coarse grid, and two of category codes up to 200."""
    chance = np.random.default_rng(seed)
    matrix = chance.normal(size=(rows, FEATURES))
    matrix[:, 1] = np.round(matrix[:, 1] * 2)
    matrix[:, 2] *= chance.random(rows) < 0.5
    matrix[:, 4] = chance.integers(0, 8, rows)
    matrix[:, 5] = chance.zipf(1.4, rows) % 200
    matrix[:, [0, 2, 5]] = np.where(chance.random((rows, 3)) < 0.15, np.nan, matrix[:, [0, 2, 5]])
    return matrix


def _train(parameters: dict[str, Any], seed: int, rounds: int = 5, rows: int = 400) -> lightgbm.Booster:
    chance, matrix = np.random.default_rng(seed), _matrix(rows, seed)
    signal = np.nan_to_num(matrix[:, 0]) + (matrix[:, 2] == 0) - np.isnan(matrix[:, 5]) + matrix[:, 4] % 3
    signal += np.nan_to_num(matrix[:, 5]) % 7 / 3 + chance.normal(size=rows) / 3
    targets = {"binary": signal > 2, "multiclass": np.clip(signal, 0, 2).astype(int)}
    options = {"verbosity": -1, "num_threads": 1, "seed": seed, "min_data_in_leaf": 2, "min_data_per_group": 1}
    options |= {"cat_smooth": 1.0, "num_class": 3} if parameters["objective"] == "multiclass" else {}
    data = lightgbm.Dataset(matrix, targets.get(parameters["objective"], signal), categorical_feature=CATEGORICAL)
    return lightgbm.train(options | parameters, data, rounds)


def _trees(booster: lightgbm.Booster, outputs: int) -> Trees:
    text = booster.model_to_string().encode()
    features = booster.num_feature()
    return Trees(check_text(text, features, outputs), features, outputs)


def _hostile(rows: int, seed: int) -> np.ndarray:
    """Rows of the kind that was trained on, with what nobody expects in a third of the cells."""
    chance, matrix = np.random.default_rng(seed), _matrix(rows, seed + 1)
    odd = chance.choice(HOSTILE, matrix.shape)
    odd[:, CATEGORICAL] = chance.choice([*HOSTILE, *CODES], (rows, len(CATEGORICAL)))
    return np.where(chance.random(matrix.shape) < 0.3, odd, matrix)


def _assert_same(booster: lightgbm.Booster, trees: Trees, matrix: np.ndarray) -> None:
    expected, raw = booster.predict(matrix, num_threads=1), booster.predict(matrix, num_threads=1, raw_score=True)
    np.testing.assert_array_equal(trees.raw_score(matrix).view(np.int64), raw.view(np.int64))
    np.testing.assert_array_equal(trees.predict(matrix).view(np.int64), expected.view(np.int64))


@settings(max_examples=60, deadline=None)
@given(
    objective=st.sampled_from(OBJECTIVES),
    leaves=st.sampled_from([2, 3, 31, 200]),
    use_missing=st.booleans(),
    zero_as_missing=st.booleans(),
    to_one=st.sampled_from([1, 4, 32]),
    seed=st.integers(0, 10_000),
)
def test_the_bits_of_lightgbm(
    objective: str, leaves: int, use_missing: bool, zero_as_missing: bool, to_one: int, seed: int
) -> None:
    parameters = {
        "objective": objective,
        "num_leaves": leaves,
        "use_missing": use_missing,
        "zero_as_missing": zero_as_missing,
        "max_cat_to_onehot": to_one,
    }
    booster = _train(parameters, seed)
    _assert_same(booster, _trees(booster, 3 if objective == "multiclass" else 1), _hostile(300, seed))


@pytest.mark.parametrize(
    "parameters",
    [
        {"objective": "binary", "sigmoid": 1.7},
        {"objective": "binary", "sigmoid": 0.123456},
        {"objective": "binary", "boosting": "rf", "bagging_freq": 1, "bagging_fraction": 0.5},
        {"objective": "multiclass", "boosting": "rf", "bagging_freq": 1, "bagging_fraction": 0.5},
        {"objective": "regression", "reg_sqrt": True},
        {"objective": "binary", "boosting": "dart"},
        {"objective": "binary", "min_data_in_leaf": 5000},
        {"objective": "regression", "num_leaves": 2000, "min_data_in_leaf": 1, "learning_rate": 1.0},
    ],
    ids=str,
)
def test_links_and_shapes_of_trees(parameters: dict[str, Any]) -> None:
    booster = _train(parameters, 7, rounds=12, rows=3000)
    _assert_same(booster, _trees(booster, 3 if parameters["objective"] == "multiclass" else 1), _hostile(500, 7))


@pytest.mark.parametrize("objective", ["binary", "multiclass"])
def test_a_row_scores_as_in_any_batch_layout_and_thread(objective: str) -> None:
    booster = _train({"objective": objective, "num_leaves": 31}, 3)
    trees, matrix = _trees(booster, 3 if objective == "multiclass" else 1), _hostile(3 * BLOCK + LANES + 3, 3)
    expected = booster.predict(matrix, num_threads=1)
    for count in (0, 1, LANES - 1, LANES, LANES + 1, BLOCK - 1, BLOCK, BLOCK + 1, len(matrix)):
        np.testing.assert_array_equal(trees.predict(matrix[:count]), expected[:count])
    for other in (np.asfortranarray(matrix), np.repeat(matrix, 2, axis=0)[::2], matrix[::-1].copy()[::-1]):
        np.testing.assert_array_equal(trees.predict(other), expected)
    with ThreadPoolExecutor(4) as pool:
        rows = pool.map(trees.predict, [matrix[number : number + 1] for number in range(len(matrix))])
        np.testing.assert_array_equal(np.concatenate(list(rows)), expected)


def test_another_width_or_type_is_refused() -> None:
    trees = _trees(_train({"objective": "binary"}, 1), 1)
    for matrix in (np.zeros((3, FEATURES - 1)), np.zeros((3, FEATURES), np.float32)):
        with pytest.raises(ValueError, match=f"takes {FEATURES} float64"):
            trees.predict(matrix)


@pytest.mark.parametrize("objective", ["poisson", "binary sigmoid:1e-05", "multiclass num_class:3", "binary"])
def test_a_link_that_is_not_known_is_refused(objective: str) -> None:
    text = _train({"objective": "binary"}, 1).model_to_string().replace("binary sigmoid:1", objective, 1)
    with pytest.raises(ArtifactError, match="objective"):
        Trees(check_text(text.encode(), FEATURES, 1), FEATURES, 1)


def _with_odd_nodes(text: str, seed: int) -> str:
    """A model of numbers with other thresholds, and other rules for what is missing, than training would choose."""
    chance = np.random.default_rng(seed)
    head, *trees = re.split(r"(?=^Tree=)", text.partition("end of trees")[0], flags=re.MULTILINE)

    def drawn(choices: list[Any]) -> Callable[[re.Match[str]], str]:
        return lambda found: f"{found[1]}={' '.join(str(chance.choice(choices)) for _ in found[2].split())}"

    thresholds = [value for value in HOSTILE if not np.isnan(value)]
    trees = [re.sub(r"^(threshold)=(.*)$", drawn(thresholds), tree, flags=re.MULTILINE) for tree in trees]
    trees = [re.sub(r"^(decision_type)=(.*)$", drawn([0, 2, 4, 6, 8, 10]), tree, flags=re.MULTILINE) for tree in trees]
    sizes = f"tree_sizes={' '.join(str(len(tree)) for tree in trees)}"
    return (
        re.sub("^tree_sizes=.*$", sizes, head, flags=re.MULTILINE) + "".join(trees) + text[text.index("end of trees") :]
    )


@pytest.mark.parametrize("seed", range(5))
def test_thresholds_and_rules_that_training_would_not_choose(seed: int) -> None:
    matrix = _matrix(400, seed)
    data = lightgbm.Dataset(matrix, np.nan_to_num(matrix[:, 0]) > 0)
    trained = lightgbm.train({"objective": "binary", "verbosity": -1, "num_threads": 1}, data, 10)
    booster = lightgbm.Booster(model_str=_with_odd_nodes(trained.model_to_string(), seed))
    text = _with_odd_nodes(trained.model_to_string(), seed).encode()
    hostile = np.random.default_rng(seed).choice(HOSTILE, (1000, FEATURES))
    _assert_same(booster, Trees(check_text(text, FEATURES, 1), FEATURES, 1), hostile)
