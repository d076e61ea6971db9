"""What features contribute, beside Shapley values by brute force: every subset of the features, as Shapley defined them."""

import itertools
import math
from collections.abc import Callable

import lightgbm
import numpy as np
import pytest

from ml.estimators.base import Estimator, TrainingData
from ml.estimators.integrated_gradients import integrated_gradients
from ml.estimators.lightgbm import LightGBM
from ml.estimators.linear import Linear
from ml.estimators.mlp_network import BLOCK, Network
from ml.estimators.torch_mlp import TorchMLP
from ml.scoring.signature import Feature
from tests.estimators import FEATURES, data_of, outputs_of, rows


def shapley(value: Callable[[frozenset[int]], np.ndarray], players: int) -> np.ndarray:
    """The Shapley value of each player: shape (players, ...), of a game that gives each coalition an array."""
    values = {
        frozenset(members): value(frozenset(members))
        for size in range(players + 1)
        for members in itertools.combinations(range(players), size)
    }
    found = []
    for player in range(players):
        gains = [
            math.factorial(len(others)) * math.factorial(players - len(others) - 1) * (values[others | {player}] - won)
            for others, won in values.items()
            if player not in others
        ]
        found.append(np.sum(gains, axis=0) / math.factorial(players))
    return np.array(found)


@pytest.mark.parametrize("task", ["binary", "multiclass", "regression"])
@pytest.mark.parametrize(("estimator", "parameters"), [(Linear, {}), (TorchMLP, {"hidden": [], "epochs": 2})])
def test_models_without_interactions_give_shapley_values(
    estimator: type[Estimator], parameters: dict, task: str
) -> None:
    """Interventional ones (Lundberg and Lee 2017), with the whole training split as the background."""
    data = data_of(task)
    model = estimator(estimator.train(data, parameters, 1).artifact, FEATURES, outputs_of(task))
    background = data.train[0]
    for row in rows(2, 21):

        def value(known: frozenset[int], row: np.ndarray = row) -> np.ndarray:
            mixed = background.copy()
            mixed[:, list(known)] = row[list(known)]
            return model.raw_score(mixed).mean(axis=0)

        expected = np.moveaxis(shapley(value, len(FEATURES)), 0, -1)
        found = model.contributions(row[None])[0]
        np.testing.assert_allclose(found[..., :-1], expected, atol=2e-6 * np.abs(expected).max())
        np.testing.assert_allclose(found[..., -1], value(frozenset()), rtol=1e-6, atol=1e-6)


def test_tree_shap_gives_shapley_values() -> None:
    """Path-dependent ones (Lundberg et al. 2018): an unknown feature's split counts both sides by their training rows."""
    features = [Feature(name, "DOUBLE") for name in "abcde"]
    chance = np.random.default_rng(8)
    matrix = chance.normal(size=(600, 5))
    target = (matrix[:, 0] * matrix[:, 1] + matrix[:, 2] > matrix[:, 3] / 2).astype(float)
    data = TrainingData("binary", 1, features, (matrix[:500], target[:500]), (matrix[500:], target[500:]))
    artifact = LightGBM.train(data, {"num_boost_round": 4, "num_leaves": 6, "early_stopping_rounds": 4}, 1).artifact
    trees = [tree["tree_structure"] for tree in lightgbm.Booster(model_str=artifact.decode()).dump_model()["tree_info"]]
    model = LightGBM(artifact, features, 1)

    def walk(node: dict, row: np.ndarray, known: frozenset[int]) -> float:
        if "leaf_value" in node:
            return float(node["leaf_value"])
        sides = [node["left_child"], node["right_child"]]
        if node["split_feature"] in known:
            return walk(sides[int(row[node["split_feature"]] > node["threshold"])], row, known)
        counts = [side.get("internal_count", side.get("leaf_count")) for side in sides]
        return sum(count * walk(side, row, known) for count, side in zip(counts, sides, strict=True)) / sum(counts)

    assert len(trees) >= 2
    for row in matrix[:5]:
        expected = shapley(lambda known, row=row: np.array(sum(walk(tree, row, known) for tree in trees)), 5)
        np.testing.assert_allclose(model.contributions(row[None])[0, :-1], expected, atol=1e-12)


def _network(chance: np.random.Generator, widths: tuple[int, ...], steep: float = 1.0) -> Network:
    pairs = itertools.pairwise(widths)
    return Network([(steep * chance.normal(size=pair) / pair[0] ** 0.5, chance.normal(size=pair[1])) for pair in pairs])


def _score(network: Network, row: np.ndarray) -> np.ndarray:
    return network.forward(np.tile(row, (BLOCK, 1)))[0]


def test_gradients_are_those_of_differences() -> None:
    chance = np.random.default_rng(9)
    network, row, step = _network(chance, (6, 12, 9, 2)), chance.normal(size=6), 1e-5
    found = network.gradients(np.tile(row, (BLOCK, 1)))[:, 0]
    for place in range(6):
        change = step * (np.arange(6) == place)
        slope = (_score(network, row + change) - _score(network, row - change)) / (2 * step)
        np.testing.assert_allclose(found[:, place], slope, rtol=1e-7, atol=1e-8)


def test_integrated_gradients_of_an_additive_network_are_shapley_values() -> None:
    """Each hidden unit sees one input, so that the network is a sum of curves."""
    chance = np.random.default_rng(10)
    mask = np.repeat(np.eye(4), 5, axis=1)
    layers = [(2 * chance.normal(size=(4, 20)) * mask, chance.normal(size=20))]
    network = Network([*layers, (chance.normal(size=(20, 2)), chance.normal(size=2))])
    row, baseline = 2 * chance.normal(size=4), chance.normal(size=4)
    found = integrated_gradients(network, row, baseline)
    inside = np.eye(4, dtype=bool)
    expected = shapley(lambda known: _score(network, np.where(inside[list(known)].any(axis=0), row, baseline)), 4)
    np.testing.assert_allclose(found, expected.T, atol=2e-6)


@pytest.mark.parametrize("steep", [1.0, 5.0, 200.0])
def test_integrated_gradients_are_complete(steep: float) -> None:
    chance = np.random.default_rng(11)
    network = _network(chance, (5, 40, 20, 3), steep)
    for _ in range(5):
        row, baseline = 3 * chance.normal(size=5), chance.normal(size=5)
        difference = _score(network, row) - _score(network, baseline)
        np.testing.assert_allclose(integrated_gradients(network, row, baseline).sum(axis=1), difference, rtol=1e-9)
        assert not integrated_gradients(network, row, row).any()


def test_integrated_gradients_keep_the_axioms() -> None:
    """Sensitivity: an input that changes nothing has 0. Symmetry: equal parts for equals. Linearity: the sum's is the sum."""
    chance = np.random.default_rng(12)
    first, second = chance.normal(size=(4, 16)), chance.normal(size=(16, 3))
    first[1] = first[0]
    first[2] = 0
    second[:, 2] = second[:, 0] + second[:, 1]
    network = Network([(first, chance.normal(size=16)), (second, np.zeros(3))])
    row, baseline = np.array([1.5, 1.5, 9.0, -1.0]), np.array([0.2, 0.2, 0.0, 0.3])
    found = integrated_gradients(network, row, baseline)
    np.testing.assert_allclose(found[:, 0], found[:, 1], rtol=1e-12)
    assert not found[:, 2].any()
    np.testing.assert_allclose(found[2], found[0] + found[1], atol=1e-5)
    np.testing.assert_allclose(found.sum(axis=1), _score(network, row) - _score(network, baseline), rtol=1e-9)
