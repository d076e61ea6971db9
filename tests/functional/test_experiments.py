"""Experiments of each kind through dbt, from event files to effects, beside brute force over the same files."""

import json
import math
from collections import defaultdict
from typing import Any

import numpy as np
import pytest
from scipy import stats

from ml.experiments import sequential
from tests import made_up_experiments as made_up
from tests.conftest import Project
from tests.functional.experiments_project import make_project

RANDOMISED = ("ab", "canary", "thompson")
Row = dict[str, Any]


@pytest.fixture(scope="module")
def events() -> list[tuple[str, Row]]:
    return [event for one in made_up.EXPERIMENTS for event in made_up.events(one)]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory, events: list[tuple[str, Row]]) -> Project:
    """Built twice: of half the outcomes, and of one line of the predictions, the first run knows nothing."""
    folder = tmp_path_factory.mktemp("experiments") / "shop"
    project = make_project(folder)
    project.dbt("deps")
    is_late = [(event[0] == "feedback" and place % 2 == 1) or place == 40 for place, event in enumerate(events)]
    made_up.append(project.home, [event for event, late in zip(events, is_late, strict=True) if not late])
    project.dbt("run")
    # What comes again changes nothing.
    late = [event for event, late in zip(events, is_late, strict=True) if late]
    made_up.append(project.home, [*late, *events[:20]], file=2)
    made_up.append(project.home, [("predictions", line) for line in _torn(events)], file=3)
    project.dbt("run")
    return project


def _torn(events: list[tuple[str, Row]]) -> list[Row]:
    """Lines of which the part that places them in an experiment is none."""
    line = next(event for kind, event in events if kind == "predictions" and len(event["predicted_at"]) == 2)
    line = line | {"request_id": "f" * 32}
    assignment = line["assignment"]
    return [
        line | {"assignment": 5},
        line | {"assignment": assignment | {"role": "king"}},
        line | {"assignment": {"role": "answer"}},
        line | {"places": "all"},
        line | {"places": [0]},
        line | {"places": [1, 1]},
        line | {"places": [0, -1]},
        line | {"units": ["one"]},
        line | {"probability": 0},
        line | {"probability": "much"},
        line | {"seconds": -1},
    ]


@pytest.fixture(scope="module")
def expected(events: list[tuple[str, Row]]) -> dict[str, Row]:
    return made_up.predictions(events)


def test_each_prediction_is_there_once_with_its_loss(project: Project, expected: dict[str, Row]) -> None:
    rows = project.query("select event_id, endpoint, arm, unit, request_id, place, loss from experiment_predictions")
    assert len(rows) == len(expected)
    for event_id, model, arm, unit, request_id, place, loss in rows:
        row = expected[event_id]
        assert (model, arm, unit, (request_id, place)) == (row["model"], row["arm"], row["unit"], row["request"])
        assert loss == (None if row["loss"] is None else pytest.approx(row["loss"], abs=1e-12))
    assert project.query("select file, torn_count from event_files where torn_count > 0") == [
        ("20240601T000000-00000000000000000000000000000003.jsonl", 11)
    ]
    # Each by the weights of its time: those that a state says, those that are declared, and those of a start.
    drawn = project.query(
        "select policy, bool_and(is_drawn_as_declared), count(*) filter (weights is null) "
        "from experiment_predictions group by policy order by policy"
    )
    assert drawn == [
        *(("ab", True, 0), ("canary", True, 0), ("ensemble", None, 1197), ("shadow", None, 400)),
        ("thompson", True, 0),
    ]


def test_what_is_declared_is_a_table(project: Project) -> None:
    rows = project.query("select experiment, model, policy, arms ->> 'control', declared ->> 'loss' from experiments")
    assert sorted(rows) == sorted(
        (f"{one.model}_test", one.model, one.policy, f"{one.model}@champion", one.declared.get("loss"))
        for one in made_up.EXPERIMENTS
    )


def test_what_was_served_is_what_answered(project: Project, expected: dict[str, Row]) -> None:
    """Also to requests to another model, with their outcomes; neither the mean of an ensemble nor another's rows."""
    for name in ("churn", "churn_other", "kind"):
        rows = project.query(f"select event_id, is_told from {name}_outcomes")
        arm, model = ("b" if name.endswith("_other") else "control"), name.removesuffix("_other")
        of_it = {
            key: row["loss"] is not None for key, row in expected.items() if row["model"] == model and row["arm"] == arm
        }
        assert sorted(rows) == sorted(of_it.items())
        assert any(told for _, told in rows)


def _clustered(rows: list[Row]) -> tuple[float, float]:
    """A mean loss and its variance by the delta method of a ratio of two means (Deng, Knoblich and Lu 2018)."""
    units: dict[str, list[float]] = defaultdict(list)
    for row in rows:
        units[row["unit"]].append(row["loss"])
    sums, counts = np.array([sum(one) for one in units.values()]), np.array([len(one) for one in units.values()])
    mean = sums.sum() / counts.sum()
    of_both = np.cov(sums, counts)
    variance = of_both[0, 0] - 2 * mean * of_both[0, 1] + mean**2 * of_both[1, 1]
    return mean, variance / len(units) / counts.mean() ** 2


def _known(expected: dict[str, Row], model: str, arm: str) -> list[Row]:
    return [
        row for row in expected.values() if (row["model"], row["drawn"]) == (model, arm) and row["loss"] is not None
    ]


def _effect(project: Project, model: str, arm: str) -> Row:
    names = (
        *(
            "difference",
            "low",
            "high",
            "p_value",
            "always_low",
            "always_high",
            "outcomes",
            "control_outcomes",
            "is_paired",
        ),
        *("is_better", "is_worse"),
    )
    ((*row,),) = project.query(
        f"select {', '.join(names)} from experiment_effects where experiment = '{model}_test' and arm = '{arm}'"
    )
    return dict(zip(names, row, strict=True))


def _sums(rows: list[Row]) -> sequential.Sums:
    losses = [row["loss"] for row in rows]
    return sequential.Sums(len(losses), math.fsum(losses), math.fsum(loss**2 for loss in losses))


def _assert_interval(found: Row, difference: float, variance: float) -> None:
    error = math.sqrt(variance)
    assert found["difference"] == pytest.approx(difference, abs=1e-12)
    assert [found["low"], found["high"]] == pytest.approx(
        stats.norm.interval(0.95, difference, error) if error else [difference] * 2, abs=1e-12
    )
    assert found["p_value"] == pytest.approx(2 * stats.norm.sf(abs(difference / error)), abs=1e-12)


def test_arms_of_an_a_b_test(project: Project, expected: dict[str, Row]) -> None:
    control, variance_of_control = _clustered(_known(expected, "churn", "control"))
    arm, variance = _clustered(_known(expected, "churn", "b"))
    found = _effect(project, "churn", "b")
    _assert_interval(found, arm - control, variance + variance_of_control)
    # A unit has several predictions, which are not as many draws.
    plain = sequential.difference(
        [(_sums(_known(expected, "churn", "control")), _sums(_known(expected, "churn", "b")))], 0.05
    )
    assert found["always_high"] - found["always_low"] > plain.high - plain.low

    names = "units, requests, predictions, outcomes, failures, misdrawn, mean_loss, low, high, seconds_p50, seconds_p99"
    for name in ("control", "b"):
        of_arm = [row for row in expected.values() if (row["model"], row["drawn"]) == ("churn", name)]
        own = [row["seconds"] for row in of_arm if row["arm"] == name]
        mean, variance = _clustered([row for row in of_arm if row["loss"] is not None])
        counted = [
            *(len({row["unit"] for row in of_arm}), len({row["request"][0] for row in of_arm}), len(of_arm)),
            *(sum(row["loss"] is not None for row in of_arm), len(of_arm) - len(own), 0),
            *(mean, *stats.norm.interval(0.95, mean, math.sqrt(variance)), *np.quantile(own, [0.5, 0.99])),
        ]
        rows = project.query(f"select {names} from experiment_arms where experiment = 'churn_test' and arm = '{name}'")
        assert list(rows[0]) == pytest.approx(counted, abs=1e-12)
    assert counted[4] > 0


@pytest.mark.parametrize(("model", "arm"), [("upsell", "b"), ("fraud", "b"), ("clicks", "b"), ("clicks", "c")])
def test_effects_within_shares_of_the_traffic(project: Project, expected: dict[str, Row], model: str, arm: str) -> None:
    """Each request is a unit here, so the interval of all looks is that of the sums."""
    one = next(one for one in made_up.EXPERIMENTS if one.model == model)
    # By the arm's share of the traffic of both; thompson's first two steps have the same of b.
    shares = [step[list(one.noise).index(arm)] / (step[0] + step[list(one.noise).index(arm)]) for step in one.weights]
    sides: dict[float, tuple[list[Row], list[Row]]] = defaultdict(lambda: ([], []))
    for side, name in enumerate(("control", arm)):
        for row in _known(expected, model, name):
            sides[round(shares[row["step"]], 2)][side].append(row)
    strata = [(_sums(control), _sums(other)) for control, other in sides.values()]
    always = sequential.difference(strata, 0.05)
    total = sum(m.outcomes * n.outcomes / (m.outcomes + n.outcomes) for m, n in strata)
    counts = [sum(pair[side].outcomes for pair in strata) for side in (0, 1)]
    variance = sum(
        (m.outcomes * n.outcomes / (m.outcomes + n.outcomes) / total) ** 2
        * (one.squares / one.outcomes - (one.sum / one.outcomes) ** 2)
        / one.outcomes
        * (count / (count - len(strata)))
        for m, n in strata
        for one, count in zip((m, n), counts, strict=True)
    )
    found = _effect(project, model, arm)
    _assert_interval(found, always.difference, variance)
    assert [found["always_low"], found["always_high"]] == pytest.approx([always.low, always.high], abs=1e-9)
    assert [found["control_outcomes"], found["outcomes"]] == counts
    assert (found["is_better"], found["is_worse"]) == (always.high < 0, always.low > 0)


@pytest.mark.parametrize(("model", "arm"), [("delay", "b"), ("kind", "b"), ("kind", "ensemble")])
def test_arms_that_score_the_same_rows_are_compared_row_by_row(
    project: Project, expected: dict[str, Row], model: str, arm: str
) -> None:
    control = {row["request"]: row for row in _known(expected, model, "control")}
    pairs = [row | {"loss": row["loss"] - control[row["request"]]["loss"]} for row in _known(expected, model, arm)]
    difference, variance = _clustered(pairs)
    found = _effect(project, model, arm)
    _assert_interval(found, difference, variance)
    assert found["is_paired"]
    apart = sequential.difference([(_sums(list(control.values())), _sums(_known(expected, model, arm)))], 0.05)
    assert found["always_low"] < found["low"] < found["high"] < found["always_high"]
    if model == "delay":
        losses = [row["loss"] for row in pairs]
        radius = sequential.radius((np.var(losses) + 1 / len(losses)) / len(losses), 1 / len(losses), 0.05)
        assert found["always_low"] == pytest.approx(difference - radius, abs=1e-12)
        assert found["always_high"] - found["always_low"] < apart.high - apart.low


def test_a_planted_sample_ratio_mismatch_is_found_and_an_honest_one_not(
    project: Project, expected: dict[str, Row]
) -> None:
    for one in made_up.EXPERIMENTS:
        rows = project.query(
            "select arm, expected_share, observed_share, ratio_p_value, is_ratio_ok "
            f"from experiment_arms where experiment = '{one.model}_test' order by arm <> 'control', arm"
        )
        if one.policy not in RANDOMISED:
            assert {row[1:] for row in rows} == {(None, None, None, None)}
            continue
        first: dict[str, Row] = {}
        for row in sorted(expected.values(), key=lambda row: (row["at"], row["request"][1])):
            if row["model"] == one.model:
                first.setdefault(row["unit"], row)
        observed = np.array([sum(row["drawn"] == arm for row in first.values()) for arm in one.noise])
        drawn_by = np.array([one.weights[row["step"]] for row in first.values()])
        hoped = drawn_by.sum(axis=0)
        statistic = ((observed - hoped) ** 2 / hoped).sum()
        # Chi-square is exact of weights that stay, and of two arms as a normal number.
        if one.policy == "ab":
            p_value = stats.chisquare(observed, hoped).pvalue
        elif len(one.noise) == 2:
            spread = math.sqrt((drawn_by[:, 0] * drawn_by[:, 1]).sum())
            p_value = 2 * stats.norm.sf(abs(observed[0] - hoped[0]) / spread)
        else:
            mean = ((drawn_by * (1 - drawn_by)).sum(axis=0) / hoped).sum()
            p_value = stats.chi2.sf(statistic * (len(one.noise) - 1) / mean, len(one.noise) - 1)
        assert [row[3] for row in rows] == pytest.approx([p_value] * len(rows), abs=1e-12)
        assert [row[1] for row in rows] == pytest.approx(hoped / len(first))
        assert [row[2] for row in rows] == pytest.approx(observed / len(first))
        assert {row[4] for row in rows} == {not one.lost}


def test_the_newest_state_is_current_and_what_was_stopped_stays_so(
    project: Project, events: list[tuple[str, Row]]
) -> None:
    states = [event for kind, event in events if kind == "experiments"]
    newest = {event["experiment"]: event for event in states}
    rows = project.query(
        "select experiment, event_id, cast(to_json(weights) as varchar) from experiment_states where is_current"
    )
    assert {row[0]: (row[1], json.loads(row[2])) for row in rows} == {
        name: (event["event_id"], event["weights"]) for name, event in newest.items()
    }
    assert project.query("select count(*) from experiment_states") == [(len(states),)]
    last = newest["fraud_test"]
    later = [
        last | {"event_id": "1", "logged_at": "2024-07-01T00:00:00Z", "status": "stopped", "reason": "by hand"},
        last | {"event_id": "2", "logged_at": "2024-07-02T00:00:00Z"},
        last | {"event_id": "3", "logged_at": "2024-07-02T00:00:00Z", "weights": {"control": "much"}},
        last | {"event_id": "4", "logged_at": "2024-07-02T00:00:00Z", "state": {"arms": {"control": 5}}},
    ]
    made_up.append(project.home, [("experiments", state) for state in later], file=4)
    project.dbt("run", "-s", "experiment_states")
    current = "select event_id, reason from experiment_states where is_current and experiment = 'fraud_test'"
    assert project.query(current) == [("1", "by hand")]
    assert project.query("select count(*) from experiment_states where event_id in ('3', '4')") == [(1,)]
