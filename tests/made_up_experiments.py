"""Made-up event files of an experiment of each kind, and what is in them by brute force."""

import datetime as dt
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ml.experiments.assignment import Draw, bucket, bucket_of_request
from ml.experiments.losses import LOSSES, loss_of

START = dt.datetime(2024, 6, 1, tzinfo=dt.UTC)
CLASSES = ["x", "y", "z"]
Row = dict[str, Any]


@dataclass
class MadeUp:
    """An experiment on the model of its name: what is declared, and how good its arms are."""

    model: str
    task: str
    policy: str
    noise: dict[str, float]
    """By arm, the control first: how far its scores are from the truth."""
    requests: int = 600
    declared: Row = field(default_factory=dict)
    weights: list[list[float]] = field(default_factory=list)
    """Of the arms, one list for each part of the time."""
    units: int = 0
    lost: float = 0.0
    """Of the second arm's requests: the share of which the log has nothing."""

    @property
    def fingerprint(self) -> str:
        """Any 16 characters of its own."""
        return f"{self.model:_>16}"


EXPERIMENTS = [
    MadeUp(
        "churn",
        "binary",
        "ab",
        {"control": 0.3, "b": 0.1},
        500,
        {"weights": {"b": 2, "control": 8}},
        [[0.8, 0.2]],
        units=150,
    ),
    MadeUp("upsell", "binary", "ab", {"control": 0.2, "b": 0.2}, 1500, {"loss": "error"}, [[0.5, 0.5]], lost=0.3),
    MadeUp(
        "fraud",
        "binary",
        "canary",
        {"control": 0.2, "b": 0.2},
        1200,
        {},
        [[0.95, 0.05], [1 - 1 / 3, 1 / 3], [0.5, 0.5]],
    ),
    MadeUp(
        "clicks",
        "binary",
        "thompson",
        {"control": 0.3, "b": 0.2, "c": 0.1},
        900,
        {"loss": "log_loss"},
        [[1 / 3, 1 / 3, 1 / 3], [2 / 7, 2 / 7, 3 / 7], [0.05, 0.15, 0.8]],
    ),
    MadeUp("delay", "regression", "shadow", {"control": 0.3, "b": 0.2}, 200, {"loss_scale": 2, "loss": "squared"}),
    MadeUp("kind", "multiclass", "ensemble", {"control": 0.3, "b": 0.1}, 200),
]


def _score(task: str, noise: float, truth: float, random: np.random.Generator) -> Row:
    seen = float(np.clip(truth + random.normal(0, noise), 0, 1))
    if task == "regression":
        return {"score": seen * 3}
    if task == "binary":
        return {"score": seen, "label": seen >= 0.4}
    return {
        "probabilities": (found := [seen, (1 - seen) / 4, (1 - seen) * 3 / 4]),
        "class": CLASSES[int(np.argmax(found))],
    }


def _outcome(task: str, truth: float, random: np.random.Generator) -> Any:
    drawn = random.random()
    if task == "regression":
        return truth * 3 + drawn - 0.5
    if task == "binary":
        return bool(drawn < truth)
    return CLASSES[0] if drawn < truth else CLASSES[1] if drawn < (1 + truth) / 2 else CLASSES[2]


def events(made_up: MadeUp) -> Iterator[tuple[str, Row]]:
    """(kind, event), in the order of time."""
    random = np.random.default_rng(len(made_up.model) * 1000 + made_up.requests)
    arms = list(made_up.noise)
    for place in range(made_up.requests):
        at = START + dt.timedelta(minutes=place)
        step = place * max(len(made_up.weights), 1) // made_up.requests
        weights = dict(zip(arms, made_up.weights[step], strict=True)) if made_up.weights else {}
        # A state comes before what is drawn by it, the declared one has none.
        if made_up.policy in ("canary", "thompson") and step and place * len(made_up.weights) % made_up.requests == 0:
            yield "experiments", _state(made_up, at - dt.timedelta(seconds=1), weights)
        request = f"{random.bytes(8).hex()}{place:016}"
        count = 1 + place % 3 if made_up.units or made_up.policy == "ensemble" else 1
        # It becomes harder, so an arm that gets more traffic later is compared with what came before at its peril.
        truths = (
            random.uniform(0, 0.2 + 0.3 * step, count) if made_up.policy == "canary" else random.uniform(0, 1, count)
        )
        units = [_unit(made_up, random) for _ in truths] if made_up.units else []
        for instance, unit in enumerate(units):
            if unit is not None:
                # Some units are easier than others.
                truths[instance] = int(json.loads(unit)[0][1:]) / made_up.units
        for role, arm, places in _assigned(made_up, request, units, count, weights):
            if arm == arms[-1] and random.random() < made_up.lost:
                continue
            yield "predictions", _line(made_up, request, at, (role, arm), places, units, weights, truths, random)
        for instance, truth in enumerate(truths):
            if random.random() < 0.9:
                yield (
                    "feedback",
                    {
                        "event_id": f"{request}-{instance}",
                        "logged_at": (at + dt.timedelta(hours=1)).isoformat(),
                        "model": made_up.model,
                        "request_id": request,
                        "instance": instance,
                        "outcome": _outcome(made_up.task, truth, random),
                        "observed_at": (at + dt.timedelta(minutes=30)).isoformat(),
                    },
                )


def _unit(made_up: MadeUp, random: np.random.Generator) -> str | None:
    """Some requests have nothing that tells their unit."""
    number = int(random.integers(made_up.units + 5))
    return json.dumps([f"N{number}"]) if number < made_up.units else None


def _assigned(
    made_up: MadeUp, request: str, units: list[str | None], count: int, weights: dict[str, float]
) -> list[tuple[str, str, list[int]]]:
    """(role, arm, places) of each line of a request."""
    arms = list(made_up.noise)
    if made_up.policy == "shadow":
        return [("answer" if arm == arms[0] else "shadow", arm, [0]) for arm in arms]
    if made_up.policy == "ensemble":
        return [*(("member", arm, list(range(count))) for arm in arms), ("ensemble", made_up.model, list(range(count)))]
    draw = Draw(weights)
    drawn = [
        draw(bucket(made_up.fingerprint, unit) if unit else bucket_of_request(request))
        for unit in units or [None] * count
    ]
    return [
        ("answer", arm, places) for arm in arms if (places := [place for place, one in enumerate(drawn) if one == arm])
    ]


def _line(
    made_up: MadeUp,
    request: str,
    at: dt.datetime,
    scored: tuple[str, str],
    places: list[int],
    units: list[str | None],
    weights: dict[str, float],
    truths: np.ndarray,
    random: np.random.Generator,
) -> Row:
    role, arm = scored
    arms = list(made_up.noise)
    # Now and then the second arm fails.
    failed = role == "answer" and arm == arms[1] and random.random() < 0.05
    name = arms[0] if failed else arm
    is_mean = role == "ensemble"
    scores = [_score(made_up.task, made_up.noise.get(name, 0.2), truths[place], random) for place in places]
    assignment = {
        "experiment": f"{made_up.model}_test",
        "fingerprint": made_up.fingerprint,
        "endpoint": made_up.model,
        "arm": name,
        "role": role,
    }
    line = {
        "request_id": request,
        "logged_at": at.isoformat(),
        # The first arm is the model that was asked, the others are of one beside it.
        "model": made_up.model if name == arms[0] or is_mean else f"{made_up.model}_other",
        "version": 0 if is_mean else 1 + arms.index(name),
        "release": "first",
        "predicted_at": [at.isoformat() for _ in places],
        "fields": ["customer_id"],
        "instances": [[place] for place in places],
        "names": [] if is_mean else ["spent"],
        "features": [[] if is_mean else [1.5] for _ in places],
        "assignment": assignment | ({"instead_of": arm} if failed else {}),
        "seconds": 0.001 * (1 + places[0]),
        **{column: [score[column] for score in scores] for column in scores[0]},
    }
    if made_up.task == "multiclass":
        line["classes"] = CLASSES
    if len(places) < len(truths):
        line["places"] = places
    if units:
        line["units"] = [units[place] for place in places]
    if weights:
        line["probability"] = float(f"{weights[arm]:.9g}")
    return line


def _state(made_up: MadeUp, at: dt.datetime, weights: dict[str, float]) -> Row:
    sums = {arm: {"outcomes": 10 * place, "sum": 2.5 * place, "squares": 1.0} for place, arm in enumerate(weights)}
    return {
        "event_id": f"{made_up.model}-{at.isoformat()}",
        "logged_at": at.isoformat(),
        "experiment": f"{made_up.model}_test",
        "fingerprint": made_up.fingerprint,
        "endpoint": made_up.model,
        "policy": made_up.policy,
        "status": "running",
        "reason": None,
        "weights": weights,
        "state": {"arms": sums},
        "read": {},
    }


def append(home: Path, written: list[tuple[str, Row]], file: int = 1) -> None:
    """Append events to one file of each kind."""
    for kind in ("predictions", "feedback", "experiments"):
        folder = home / "events" / kind
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / f"20240601T000000-{file:032x}.jsonl").open("a") as opened:
            opened.writelines(json.dumps(event) + "\n" for of, event in written if of == kind)


def predictions(events: list[tuple[str, Row]]) -> dict[str, Row]:
    """By event_id what experiment_predictions is to hold; `step` is the part of the time."""
    declared = {one.model: one for one in EXPERIMENTS}
    outcomes = {
        (event["model"], event["request_id"], event["instance"]): event["outcome"]
        for kind, event in events
        if kind == "feedback"
    }
    found = {}
    for kind, line in events:
        if kind != "predictions":
            continue
        assignment = line["assignment"]
        one = declared[assignment["endpoint"]]
        for at, place in enumerate(line.get("places", range(len(line["predicted_at"])))):
            outcome = outcomes.get((one.model, line["request_id"], place))
            score = line["score"][at] if "score" in line else line["probabilities"][at]
            named = f"-{assignment['arm']}" if assignment["role"] in ("member", "shadow") else ""
            loss = None
            if outcome is not None:
                kind_of_loss = one.declared.get("loss", LOSSES[one.task][0])
                scale = one.declared.get("loss_scale", 1)
                loss = loss_of(one.task, kind_of_loss, score, outcome, CLASSES, scale, threshold=0.4)
            found[f"{line['request_id']}-{place}{named}"] = {
                "model": one.model,
                "policy": one.policy,
                "arm": (arm := "ensemble" if assignment["role"] == "ensemble" else assignment["arm"]),
                "drawn": assignment.get("instead_of", arm),
                "unit": line.get("units", {at: None})[at] or line["request_id"],
                "request": (line["request_id"], place),
                "at": dt.datetime.fromisoformat(line["logged_at"]),
                "loss": loss,
                "seconds": line["seconds"],
                "step": _step(one, line),
            }
    return found


def _step(one: MadeUp, line: Row) -> int:
    return int(line["request_id"][16:]) * max(len(one.weights), 1) // one.requests
