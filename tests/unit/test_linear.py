"""The linear estimator is the model that scikit-learn fits."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression, Ridge

from ml.errors import DeclarationError
from ml.estimators.base import TrainingData
from ml.estimators.linear import Linear
from tests.estimators import FEATURES, TASKS, X, Z, data_of, outputs_of, rows

EXACT = {"tolerance": 1e-11, "max_iterations": 5000}


def written_out(matrix: np.ndarray, like: np.ndarray) -> np.ndarray:
    """What a linear model is fitted on, by hand: standardised numbers, an indicator of the missing z, one-hot categories."""
    columns = []
    for place, feature in enumerate(FEATURES):
        column = matrix[:, place]
        if feature.categories is None:
            if place in (X, Z):
                columns.append(np.nan_to_num((column - np.nanmean(like[:, place])) / np.nanstd(like[:, place])))
        else:
            columns += [column == level for level in range(len(feature.categories))] + [np.isnan(column)]
    return np.column_stack([*columns, np.isnan(matrix[:, Z])]).astype(float)


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("l2", [0.1, 10.0])
def test_it_gives_the_scores_of_scikit_learn(task: str, l2: float) -> None:
    data = data_of(task)
    found = Linear(Linear.train(data, {"l2": l2, **EXACT}, 1).artifact, FEATURES, outputs_of(task))
    train, validation = (written_out(split[0], data.train[0]) for split in (data.train, data.validation))
    if task == "regression":
        expected = Ridge(alpha=l2).fit(train, data.train[1]).predict(validation)
    else:
        logistic = LogisticRegression(C=1 / l2, tol=1e-10, max_iter=10000).fit(train, data.train[1])
        expected = logistic.predict_proba(validation)
        expected = expected if task == "multiclass" else expected[:, 1]
    np.testing.assert_allclose(found.predict(data.validation[0]), expected, rtol=1e-6, atol=1e-6)


def test_a_sample_is_drawn_by_the_seed() -> None:
    data = data_of("binary")
    first, again, other = (Linear.train(data, {"max_rows": 200}, seed) for seed in (1, 1, 2))
    assert first.artifact == again.artifact != other.artifact
    assert first.artifact != Linear.train(data, {}, 1).artifact == Linear.train(data, {"max_rows": 400}, 3).artifact
    matrix, target = data.validation
    found = Linear(first.artifact, FEATURES, 1).predict(matrix)
    assert ((found > 0.5) == target).mean() > 0.75


def test_one_class_alone_is_learned() -> None:
    for task in ("binary", "multiclass"):
        data = data_of(task)
        only = (data.train[0], np.ones(len(data.train[0])))
        model = Linear.train(TrainingData(task, data.outputs, FEATURES, only, only), {}, 1).artifact
        score = Linear(model, FEATURES, data.outputs).predict(rows(10, 1))
        assert (score[:, 1] if task == "multiclass" else score).min() > 0.99


def test_numbers_of_any_size_are_learned_from() -> None:
    data = data_of("binary")
    for factor in (1e-120, 1e120, 1e300):
        scaled = [
            split[0] * np.where(np.arange(len(FEATURES)) == X, factor, 1.0) for split in (data.train, data.validation)
        ]
        other = TrainingData("binary", 1, FEATURES, (scaled[0], data.train[1]), (scaled[1], data.validation[1]))
        score = Linear(Linear.train(other, {}, 1).artifact, FEATURES, 1).predict(scaled[1])
        assert np.isfinite(score).all()
        if factor < 1e140:
            expected = Linear(Linear.train(data, {}, 1).artifact, FEATURES, 1).predict(data.validation[0])
            np.testing.assert_allclose(score, expected, rtol=1e-3)


@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        ({"L2": 1}, "parameters.L2: linear has no such parameter. Did you mean 'l2'?"),
        ({"depth": 1}, "It has l2, tolerance, max_iterations, max_rows."),
        ({"l2": -1}, "parameters.l2 of linear is -1; it must be a number from 0 to 1e+09."),
        ({"l2": "1e-3"}, "Write it out, such as 0.001: YAML takes 1e-3 for text."),
        ({"l2": float("nan")}, "must be a number"),
        ({"l2": True}, "must be a number"),
        ({"max_iterations": 1.5}, "must be a whole number"),
        ({"max_iterations": None}, "must be a whole number"),
    ],
)
def test_a_parameter_that_cannot_be_is_named(parameters: dict, said: str) -> None:
    with pytest.raises(DeclarationError) as error:
        Linear.check_parameters("binary", parameters)
    assert said in str(error.value)
    Linear.check_parameters("binary", {"l2": 0, "max_rows": None})
