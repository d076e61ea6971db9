"""The network learns what a linear model cannot, stops where it was best, and numpy scores it as torch does."""

import itertools
import threading

import numpy as np
import pytest
import torch

from ml.errors import DeclarationError
from ml.estimators.base import Estimator, TrainingData
from ml.estimators.linear import Linear
from ml.estimators.mlp_network import BLOCK, Network
from ml.estimators.torch_mlp import TorchMLP
from ml.scoring.signature import Feature
from tests.estimators import COLOR, FEATURES, PLACE, data_of, rows

NUMBERS = [Feature("a", "DOUBLE"), Feature("b", "DOUBLE"), Feature("c", "DOUBLE")]


def made(task: str, rule: object, count: int, features: list[Feature] = NUMBERS, outputs: int = 1) -> TrainingData:
    """Normal numbers, and targets by a rule."""

    def split(seed: int) -> tuple[np.ndarray, np.ndarray]:
        matrix = np.random.default_rng(seed).normal(size=(count, len(features)))
        return matrix, rule(matrix).astype(float)  # type: ignore[operator]

    return TrainingData(task, outputs, features, split(1), split(2))


def accuracy(estimator: type[Estimator], data: TrainingData, parameters: dict) -> float:
    model = estimator(estimator.train(data, parameters, 1).artifact, data.features, 1)
    return float(((model.predict(data.validation[0]) > 0.5) == data.validation[1]).mean())


def test_it_learns_an_interaction_that_a_linear_model_cannot() -> None:
    data = made("binary", lambda matrix: matrix[:, 0] * matrix[:, 1] > 0, 2000)
    assert accuracy(Linear, data, {}) < 0.6
    assert accuracy(TorchMLP, data, {"hidden": [32, 16], "learning_rate": 0.01}) > 0.93


def test_it_learns_an_interaction_of_categories() -> None:
    features = [Feature("a", "VARCHAR", [str(level) for level in range(8)]) for _ in range(2)]
    chance = np.random.default_rng(4)
    matrix = chance.integers(0, 8, (3000, 2)).astype(float)
    target = ((matrix[:, 0] + matrix[:, 1]) % 2 == 0).astype(float)
    data = TrainingData("binary", 1, features, (matrix[:2000], target[:2000]), (matrix[2000:], target[2000:]))
    assert accuracy(Linear, data, {}) < 0.6
    assert accuracy(TorchMLP, data, {"hidden": [32], "learning_rate": 0.03}) > 0.97


@pytest.mark.parametrize("task", ["binary", "multiclass", "regression"])
def test_the_best_epoch_is_kept_and_numpy_gives_its_loss(task: str) -> None:
    data = data_of(task)
    parameters = {"hidden": [64], "epochs": 60, "patience": 3, "learning_rate": 0.03, "dropout": 0.0}
    trained = TorchMLP.train(data, parameters, 1)
    curve = trained.learning_curve["validation loss"]
    best = trained.parameters["best_epoch"]
    assert best == int(np.argmin(curve))
    # It began to learn by heart, and ended for that.
    assert len(curve) == best + 1 + 3 < 60
    matrix, target = data.validation
    score = TorchMLP(trained.artifact, FEATURES, data.outputs).predict(matrix)
    loss = {
        "binary": lambda: -np.log(np.where(target == 1, score, 1 - score)).mean(),
        "multiclass": lambda: -np.log(score[np.arange(len(score)), target.astype(int)]).mean(),
        "regression": lambda: ((score - target) ** 2).mean() / data.train[1].var(),
    }[task]()
    np.testing.assert_allclose(loss, curve[best], rtol=1e-5)


def test_losses_of_a_regression_find_mean_and_median() -> None:
    chance = np.random.default_rng(5)
    matrix, target = chance.normal(size=(4000, 3)), 10 + chance.exponential(1.0, 4000)
    data = TrainingData("regression", 1, NUMBERS, (matrix[:3000], target[:3000]), (matrix[3000:], target[3000:]))
    centre = {}
    for loss in ("mse", "l1", "huber"):
        trained = TorchMLP.train(data, {"loss": loss, "hidden": [4], "learning_rate": 0.02, "epochs": 8}, 1)
        centre[loss] = TorchMLP(trained.artifact, NUMBERS, 1).predict(data.validation[0]).mean()
    assert abs(centre["mse"] - 11) < 0.1
    assert abs(centre["l1"] - (10 + np.log(2))) < 0.1
    assert centre["l1"] < centre["huber"] < centre["mse"]


def test_the_seed_decides() -> None:
    data, parameters = data_of("binary"), {"hidden": [8], "epochs": 1}
    assert TorchMLP.train(data, parameters, 1).artifact != TorchMLP.train(data, parameters, 2).artifact


def test_what_torch_keeps_for_the_process_is_not_touched_and_not_used() -> None:
    data, parameters = data_of("binary"), {"hidden": [64, 64], "epochs": 3, "batch_size": 400}
    expected = TorchMLP.train(data, parameters, 1).artifact
    done = threading.Event()

    def disturb() -> None:
        while not done.wait(0.001):
            torch.set_num_threads(2)
            torch.manual_seed(1)

    other = threading.Thread(target=disturb)
    other.start()
    try:
        torch.set_num_threads(2)
        torch.set_default_dtype(torch.float64)
        torch.manual_seed(3)
        threads: list[int] = []
        with torch.no_grad():
            again = TorchMLP.train(data, parameters, 1, lambda *_: threads.append(torch.get_num_threads()))
        assert again.artifact == expected
        assert threads == [1, 1, 1]
        assert torch.get_num_threads() == 2
    finally:
        torch.set_default_dtype(torch.float32)
        done.set()
        other.join()
    before = torch.random.get_rng_state()
    assert TorchMLP.train(data, parameters, 1).artifact == expected
    assert torch.equal(torch.random.get_rng_state(), before)


def test_a_category_that_training_lacked_is_the_mean_of_the_others() -> None:
    trained = TorchMLP.train(data_of("binary"), {"hidden": [8], "epochs": 2}, 1)
    model, matrix = TorchMLP(trained.artifact, FEATURES, 1), rows(5, 1)
    matrix[:, COLOR] = 3  # "not in the training split"
    matrix[:, PLACE] = np.nan  # never missing in the training split
    np.testing.assert_allclose(model.contributions(matrix)[:, [COLOR, PLACE]], 0, atol=1e-6)


def test_a_training_that_runs_away_says_what_to_do() -> None:
    data = made("regression", lambda matrix: np.exp(20 * matrix[:, 0]), 400)
    parameters = {"learning_rate": 1.0, "hidden": [512] * 8, "weight_decay": 10, "epochs": 20, "patience": 20}
    with pytest.raises(DeclarationError, match=r"lower parameters\.learning_rate"):
        TorchMLP.train(data, parameters, 1)


@pytest.mark.parametrize("widths", [(3, 1), (70, 128, 64, 1), (17, 300, 5), (200, 512, 512, 3)])
def test_no_row_of_a_block_depends_on_its_place_or_its_neighbours(widths: tuple[int, ...]) -> None:
    chance = np.random.default_rng(6)
    pairs = itertools.pairwise(widths)
    network = Network([(chance.normal(size=pair) / pair[0] ** 0.5, chance.normal(size=pair[1])) for pair in pairs])
    row = chance.normal(size=widths[0])
    alone = np.zeros((BLOCK, widths[0]))
    alone[0] = row
    score, gradient = network.forward(alone)[0], network.gradients(alone)[:, 0]
    for place in range(BLOCK):
        block = 10 * chance.normal(size=(BLOCK, widths[0]))
        block[place] = row
        assert network.forward(block)[place].tobytes() == score.tobytes()
        assert network.gradients(block)[:, place].tobytes() == gradient.tobytes()


@pytest.mark.parametrize(
    ("task", "parameters", "said"),
    [
        ("binary", {"layers": [8]}, "torch_mlp has no such parameter"),
        ("binary", {"hiden": [8]}, "Did you mean 'hidden'?"),
        ("binary", {"hidden": 64}, "must be a list of at most 8 whole numbers from 1 to 4096, such as [128, 64]."),
        ("binary", {"hidden": [64, 0]}, "must be a list of at most 8"),
        ("binary", {"dropout": 1}, "must be a number from 0 to 0.9."),
        ("binary", {"epochs": "10"}, "must be a whole number from 1 to 10000."),
        ("binary", {"loss": "mse"}, "parameters.loss of torch_mlp is for regression; the task is binary: remove it."),
        ("regression", {"loss": "rmse"}, "must be one of mse, l1, huber."),
        ("regression", {"loss": ["mse"]}, "must be one of mse, l1, huber."),
    ],
)
def test_a_parameter_that_cannot_be_is_named(task: str, parameters: dict, said: str) -> None:
    with pytest.raises(DeclarationError) as error:
        TorchMLP.check_parameters(task, parameters)
    assert said in str(error.value)
    TorchMLP.check_parameters("regression", {"loss": "huber", "hidden": [], "max_embedding": 4})
