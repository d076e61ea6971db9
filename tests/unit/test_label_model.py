"""The label model against who knows how the votes were made, and the properties that the method promises."""

import dataclasses
import itertools
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import logsumexp
from sklearn.metrics import f1_score

from ml.errors import DeclarationError
from ml.labeling import LabelModel, MajorityLabelVoter
from ml.labeling.dependencies import alone, fit
from ml.labeling.label_model import METHODS
from ml.labeling.latent_class import Task
from ml.labeling.patterns import Patterns
from tests import votes

SMALL = 2_000


def _accuracy(probabilities: np.ndarray, truth: np.ndarray) -> float:
    return float((probabilities.argmax(axis=1) == truth).mean())


@pytest.mark.parametrize("regime", votes.REGIMES)
def test_it_comes_near_to_who_knows_the_world(regime: str) -> None:
    world = votes.REGIMES[regime](seed=3)
    drawn, truth = world.draw(50_000, seed=4)
    model = LabelModel(len(world.balance)).fit(drawn)
    ours, oracle = model.predict_proba(drawn), world.oracle(drawn)
    assert _accuracy(ours, truth) >= _accuracy(oracle, truth) - 0.002
    if len(world.balance) == 2:
        assert f1_score(truth, ours.argmax(axis=1)) >= f1_score(truth, oracle.argmax(axis=1)) - 0.004
    assert np.abs(model.class_balance - world.balance).max() < 0.02
    assert np.abs(ours - oracle).mean() < 0.02
    assert model.groups == []
    weights = np.einsum("jyy,y->j", world.tables[:, 1:], world.balance) / (1 - world.tables[:, 0] @ world.balance)
    assert np.abs(model.get_weights() - weights).max() < 0.03


@pytest.mark.parametrize(("seed", "classes"), [(0, 2), (1, 2), (2, 2), (3, 3)])
def test_near_copies_are_found_and_do_no_harm(seed: int, classes: int) -> None:
    world = votes.with_near_copies(seed)
    if classes > 2:
        accuracies = list(np.random.default_rng(seed).uniform(0.5, 0.85, 10))
        world = votes.World.of_accuracies(accuracies, [0.8] * 10, [0.5, 0.3, 0.2], world.copies)
    drawn, truth = world.draw(20_000, seed=seed)
    model = LabelModel(classes).fit(drawn)
    ours, oracle = _accuracy(model.predict_proba(drawn), truth), _accuracy(world.oracle(drawn), truth)
    majority = MajorityLabelVoter(classes).score(drawn, truth, tie_break_policy="random")["accuracy"]
    assert model.groups == [(0, 7, 8, 9)]
    assert ours > majority + 0.9 * (oracle - majority)
    declared = LabelModel(classes).fit(drawn, dependencies=[[0, 7], [8, 9], [7, 8]])
    assert declared.groups == model.groups
    np.testing.assert_allclose(declared.predict_proba(drawn), model.predict_proba(drawn), atol=1e-6)
    # What it costs not to know: this is what the structure is for.
    independent = LabelModel(classes).fit(drawn, dependencies=None)
    assert _accuracy(independent.predict_proba(drawn), truth) < ours


def test_two_groups_of_copies_are_kept_apart() -> None:
    world = dataclasses.replace(votes.dense(5), copies={7: (0, 0.8), 8: (1, 0.9), 9: (1, 0.9)})
    drawn, _ = world.draw(20_000, seed=6)
    assert LabelModel().fit(drawn).groups == [(0, 7), (1, 8, 9)]


def test_a_fit_is_a_stationary_point_of_the_penalised_likelihood() -> None:
    """Against the likelihood written out in full: no table that is moved a little makes the votes likelier."""
    drawn, _ = votes.dense(7).draw(SMALL, seed=8)
    chosen = drawn[:, :4]
    found = fit(Task(Patterns.of(chosen), 2, accuracies=dict.fromkeys(range(4), (0.7, 0.0))), alone(4), tolerance=1e-13)

    def likelihood(marginals: np.ndarray, balance: np.ndarray) -> float:
        rows = sum(np.log(marginals[place])[chosen[:, place] + 1] for place in range(4)) + np.log(balance)
        return float(logsumexp(rows, axis=1).sum())

    best = likelihood(found.tables.marginals, found.tables.balance)
    assert best == pytest.approx(found.log_likelihood, abs=1e-6)
    chance = np.random.default_rng(9)
    for _ in range(50):
        moved = found.tables.marginals * np.exp(chance.normal(0, 0.05, found.tables.marginals.shape))
        # One row's worth of prior is all that lies between the two maxima.
        assert likelihood(moved / moved.sum(axis=1, keepdims=True), found.tables.balance) < best + 0.5


def _votes(functions: int = 5, classes: int = 3) -> st.SearchStrategy[np.ndarray]:
    row = st.lists(st.integers(-1, classes - 1), min_size=functions, max_size=functions)
    lists = st.lists(row, min_size=20, max_size=60)
    return lists.map(np.array).filter(lambda drawn: len({int(vote) for vote in drawn.ravel() if vote >= 0}) > 1)


@given(_votes(), st.randoms(use_true_random=False), st.sampled_from(METHODS))
@settings(max_examples=25, deadline=None)
def test_the_order_of_rows_functions_and_classes_does_not_matter(drawn: np.ndarray, random: Any, method: str) -> None:
    rows, functions, classes = (random.sample(range(size), size) for size in (*drawn.shape, 3))
    first = LabelModel(3, method).fit(drawn, dependencies=None).predict_proba(drawn)
    names = np.array([*classes, -1])
    other = LabelModel(3, method).fit(names[drawn[rows][:, functions]], dependencies=None)
    again = other.predict_proba(names[drawn[rows][:, functions]])
    if method == "em":
        # Two solutions may be as likely to the last digit, in so few rows.
        np.testing.assert_allclose(again[:, classes].max(axis=1), first[rows].max(axis=1), atol=1e-3)
    else:
        np.testing.assert_allclose(again[:, classes], first[rows], atol=1e-9)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("world", [votes.dense(11), votes.four_classes(11), votes.with_near_copies(11)])
def test_order_does_not_matter_in_a_world_with_a_truth(method: str, world: votes.World) -> None:
    drawn, _ = world.draw(SMALL, seed=12)
    classes = len(world.balance)
    chance = np.random.default_rng(13)
    rows, functions, names = chance.permutation(SMALL), chance.permutation(10), chance.permutation(classes)
    first = LabelModel(classes, method).fit(drawn)
    other_votes = np.append(names, -1)[drawn[rows][:, functions]]
    other = LabelModel(classes, method).fit(other_votes)
    np.testing.assert_allclose(other.predict_proba(other_votes)[:, names], first.predict_proba(drawn)[rows], atol=1e-5)
    np.testing.assert_allclose(other.get_weights(), first.get_weights()[functions], atol=1e-5)


@pytest.mark.parametrize("method", METHODS)
def test_a_function_that_always_abstains_changes_nothing(method: str) -> None:
    drawn, _ = votes.rare(14).draw(SMALL, seed=15)
    first = LabelModel(2, method).fit(drawn)
    silent = np.insert(drawn, 4, -1, axis=1)
    other = LabelModel(2, method).fit(silent)
    np.testing.assert_allclose(other.predict_proba(silent), first.predict_proba(drawn), atol=1e-9)
    np.testing.assert_allclose(np.delete(other.get_weights(), 4), first.get_weights(), atol=1e-9)
    assert np.isnan(other.get_weights()[4])


@pytest.mark.parametrize("method", METHODS)
def test_counted_patterns_are_as_good_as_rows(method: str) -> None:
    drawn, truth = votes.sparse(16).draw(SMALL, seed=17)
    gold = np.where(np.arange(SMALL) % 50 == 0, truth, -1)
    patterns, counts = np.unique(np.column_stack([drawn, gold]), axis=0, return_counts=True)
    whole = LabelModel(2, method).fit(drawn, gold=gold)
    counted = LabelModel(2, method).fit(patterns[:, :-1], gold=patterns[:, -1], counts=counts)
    np.testing.assert_allclose(counted.predict_proba(drawn), whole.predict_proba(drawn), atol=1e-7)


def test_json_keeps_all_that_was_learned() -> None:
    world = votes.with_near_copies(18)
    drawn, _ = world.draw(SMALL, seed=19)
    for method in METHODS:
        model = LabelModel(2, method).fit(drawn[:1500])
        read = LabelModel.from_json(model.to_json())
        # Rows with combinations that were never seen are among them.
        np.testing.assert_array_equal(read.predict_proba(drawn), model.predict_proba(drawn))
        np.testing.assert_allclose(read.get_weights(), model.get_weights(), rtol=1e-12)
        assert (read.groups, read.method, read.cardinality) == (model.groups, model.method, model.cardinality)


def test_code_that_was_written_for_snorkel_runs() -> None:
    drawn, _ = votes.dense(27).draw(SMALL, seed=28)
    with pytest.warns(UserWarning, match="n_epochs, log_freq, seed: .* without effect"):
        model = LabelModel(cardinality=2).fit(L_train=drawn, n_epochs=500, log_freq=100, seed=123)
    with pytest.warns(UserWarning, match="verbose"):
        LabelModel(cardinality=2, verbose=True)
    np.testing.assert_array_equal(model.predict_proba(drawn), LabelModel().fit(drawn).predict_proba(drawn))
    with pytest.raises(DeclarationError, match="Did you mean 'n_epochs'"):
        LabelModel().fit(drawn, n_epoch=5)


def test_what_is_known_is_used() -> None:
    world = votes.World.of_accuracies([0.6, 0.6, 0.9], [0.7] * 3, [0.5, 0.5])
    drawn, truth = world.draw(400, seed=20)
    plain = LabelModel().fit(drawn)
    told = LabelModel().fit(drawn, accuracies={2: (0.9, 2000), 0: (0.6, 2000), 1: (0.6, 2000)})
    assert np.abs(told.get_weights() - [0.6, 0.6, 0.9]).max() < 0.03
    assert np.abs(told.get_weights() - [0.6, 0.6, 0.9]).sum() < np.abs(plain.get_weights() - [0.6, 0.6, 0.9]).sum()
    gold = LabelModel().fit(drawn, gold=truth)
    right = [(drawn[:, place] == truth)[drawn[:, place] >= 0].mean() for place in range(3)]
    # 40 votes of belief stand beside some 280 of each function.
    assert np.abs(gold.get_weights() - right).max() < 0.04
    given_balance = LabelModel().fit(drawn, class_balance=[0.8, 0.2])
    np.testing.assert_array_equal(given_balance.class_balance, [0.8, 0.2])
    from_gold = LabelModel().fit(drawn, Y_dev=np.array([0, 0, 0, 1]))
    np.testing.assert_allclose(from_gold.class_balance, [0.75, 0.25])


def test_abstaining_tells_something_where_it_depends_on_the_class() -> None:
    tables = np.zeros((5, 3, 2))
    tables[:, :, 0] = [0.9, 0.07, 0.03]
    tables[:, :, 1] = [0.3, 0.2, 0.5]
    world = votes.World(np.array([0.5, 0.5]), tables)
    drawn, truth = world.draw(20_000, seed=21)
    probabilities = LabelModel().fit(drawn).predict_proba(drawn)
    assert _accuracy(probabilities, truth) > _accuracy(world.oracle(drawn), truth) - 0.003
    silent = (drawn == -1).all(axis=1)
    np.testing.assert_allclose(probabilities[silent], world.oracle(drawn)[silent], atol=0.03)


def test_triplets_find_accuracies_in_closed_form() -> None:
    for classes, balance in ((2, [0.5, 0.5]), (4, [0.25] * 4)):
        accuracies = np.linspace(0.6, 0.9, 6)
        world = votes.World.of_accuracies(list(accuracies), [0.8] * 6, balance)
        drawn, _ = world.draw(100_000, seed=22)
        assert np.abs(LabelModel(classes, "triplet").fit(drawn).get_weights() - accuracies).max() < 0.02


def test_a_class_without_a_majority_is_possible_to_triplets() -> None:
    model = LabelModel(2, "triplet").fit(np.array([[0, 1, 1], [1, 0, 1], [1, 1, 0]] + [[1, 1, 1]] * 9))
    assert 0.5 < model.predict_proba(np.array([[0, 0, 0]]))[0, 0] < 1


def test_majority_vote_shares_ties() -> None:
    drawn = np.array([[0, 0, 1], [0, 1, -1], [-1, -1, -1], [1, -1, -1]])
    expected = [[1, 0], [0.5, 0.5], [0.5, 0.5], [0, 1]]
    voter = MajorityLabelVoter()
    np.testing.assert_array_equal(voter.predict_proba(drawn), expected)
    np.testing.assert_array_equal(LabelModel(2, "majority_vote").fit(drawn).predict_proba(drawn), expected)
    np.testing.assert_array_equal(voter.predict(drawn), [0, -1, -1, 1])
    assert set(voter.predict(drawn, tie_break_policy="random")) == {0, 1}
    scores = voter.score(drawn, np.array([0, 0, 1, 0]), metrics=["accuracy", "coverage", "f1"])
    assert scores == {"accuracy": 0.5, "coverage": 0.5, "f1": 0.0}


def test_what_cannot_be_is_refused() -> None:
    drawn, truth = votes.dense(23).draw(100, seed=24)
    cases: list[tuple[str, Any]] = [
        ("2 functions; with fewer than 3", lambda: LabelModel().fit(drawn[:, :2])),
        ("function 1 votes 5 in row 0", lambda: LabelModel().fit(np.array([[0, 5, 1]]))),
        ("no function votes", lambda: LabelModel().fit(np.full((5, 3), -1))),
        ("must be whole numbers", lambda: LabelModel().fit(np.full((5, 3), 0.5))),
        (r"shape \(100,\)", lambda: LabelModel().fit(drawn[:, 0])),
        ("2 shares above 0", lambda: LabelModel().fit(drawn, class_balance=[0.5, 0.6])),
        ("Y_dev holds no class", lambda: LabelModel().fit(drawn, np.full(9, -1))),
        (r"counts has the shape \(3,\); it must be \(100,\)", lambda: LabelModel().fit(drawn, counts=np.ones(3))),
        (r"gold has the shape \(1,\)", lambda: LabelModel().fit(drawn, gold=np.ones(1, int))),
        ("counts must be 0 or more", lambda: LabelModel().fit(drawn, counts=-truth - 1)),
        ("names the function 10", lambda: LabelModel().fit(drawn, accuracies={10: 0.7})),
        ("accuracies of function 1", lambda: LabelModel().fit(drawn, accuracies={1: 1.7})),
        ("names the function 11", lambda: LabelModel().fit(drawn, dependencies=[[0, 11]])),
        ("leaves 1 groups", lambda: LabelModel().fit(drawn, dependencies=[list(range(10))])),
        ("must be 'detect'", lambda: LabelModel().fit(drawn, dependencies="find")),
        ("must be one of em", lambda: LabelModel(2, "gibbs")),
        ("at least two classes", lambda: LabelModel(1)),
        ("learned nothing yet", lambda: LabelModel().predict(drawn)),
        (r"must be \(rows, 10\)", lambda: LabelModel().fit(drawn).predict(drawn[:, :9])),
        ("must be one of accuracy", lambda: LabelModel().fit(drawn).score(drawn, truth, metrics=["auc"])),
        ("Y has the shape", lambda: LabelModel().fit(drawn).score(drawn, truth[:3])),
        ("must be one of abstain", lambda: LabelModel().fit(drawn).predict(drawn, tie_break_policy="coin")),
    ]
    for said, call in cases:
        with pytest.raises(DeclarationError, match=said):
            call()


@given(st.integers(2, 40), st.integers(1, 5), st.integers(0, 2**32 - 1))
@settings(max_examples=50, deadline=None)
def test_patterns_are_the_distinct_rows(rows: int, functions: int, seed: int) -> None:
    chance = np.random.default_rng(seed)
    drawn = chance.integers(-1, chance.choice([1, 3, 100]), (rows, functions))
    wide = np.repeat(drawn, chance.choice([1, 12]), axis=1)
    patterns = Patterns.of(wide)
    np.testing.assert_array_equal(patterns.votes[patterns.inverse], wide)
    assert len({tuple(row) for row in wide.tolist()}) == len(patterns.votes)
    assert patterns.counts.sum() == rows
    for one, other in itertools.pairwise(patterns.votes.tolist()):
        assert one < other


def test_a_little_dependence_among_many_rows_is_left_alone() -> None:
    """Real functions are never quite independent; joined for that, too few groups would be left to tell the class by."""
    world = dataclasses.replace(votes.dense(25), copies={place: (place - 1, 0.06) for place in range(1, 10)})
    drawn, truth = world.draw(300_000, seed=26)
    model = LabelModel().fit(drawn)
    assert model.groups == []
    majority = MajorityLabelVoter().score(drawn, truth, tie_break_policy="random")["accuracy"]
    assert _accuracy(model.predict_proba(drawn), truth) > majority
