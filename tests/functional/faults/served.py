"""Models whose made-up predictions were logged and came true, or did not; and faults planted in what is served."""

import datetime as dt
import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ml.scoring.signature import Feature, RequestField, Signature, ViewInput
from tests.functional.faults.planted import DAYS, FAULTY_DAYS, FIRST_DAY, PlantedFault

CUSTOMERS = 500
REQUESTS, INSTANCES = 20, 15
"""Requests of a day, and predictions of each."""
SERVED = {
    "right": PlantedFault("served: no fault", ()),
    "turned": PlantedFault("outcomes turn round", ("auc",), found_by=frozenset({"realised auc"})),
    "skewed": PlantedFault(
        "a server takes another value of a feature", ("spent",), found_by=frozenset({"served <> recomputed"})
    ),
    "lowered": PlantedFault(
        "a model scores too low", ("score", "label", "auc"), found_by=frozenset({"ks", "estimated auc"})
    ),
}
"""By model."""
TORN = PlantedFault("lines of events are torn", ("events/predictions",), found_by=frozenset({"torn_count"}))

_START = dt.datetime.fromisoformat(f"{FIRST_DAY}T00:00:00Z")


def signature() -> str:
    """Of each of the models: one feature of a customer, that is stored."""
    view = ViewInput("customer", 1, "", ["customer_id"], None, {"spent": "double"})
    request = [RequestField("customer_id", "BIGINT", required=True)]
    return Signature("predicted_at", request, [view], [], [Feature("spent", "DOUBLE")], "binary", [], 0.5).to_json()


def spent(customer: int) -> float:
    """What a customer has spent, 0 … 99.8, known before the first prediction; a model's right score is a hundredth of it."""
    return customer * 0.2


def write_events(home: Path) -> None:
    """Append each day's predictions of each model, what came of them, and lines that are torn."""
    lines: dict[str, list[str]] = {"predictions": [], "feedback": []}
    for model in SERVED:
        for day in range(DAYS):
            for event, outcomes in _day(model, day):
                lines["predictions"].append(json.dumps(event))
                lines["feedback"] += [json.dumps(outcome) for outcome in outcomes]
    lines["predictions"][7] = lines["predictions"][7][:-40]
    for kind, written in lines.items():
        folder = home / "events" / kind
        folder.mkdir(parents=True)
        (folder / "20240301T000000-00000000000000000000000000000001.jsonl").write_text("\n".join(written) + "\n")


def _day(model: str, day: int) -> Iterator[tuple[dict[str, Any], list[dict[str, Any]]]]:
    numbers = random.Random(f"{model} {day}")
    is_faulty = day in FAULTY_DAYS
    for request in range(REQUESTS):
        at = _START + dt.timedelta(days=day, hours=request)
        customers = [numbers.randrange(CUSTOMERS) for _ in range(INSTANCES)]
        values = [spent(customer) for customer in customers]
        if model == "skewed" and is_faulty:
            values[0] += 1
        scores = [value / 100 * (0.6 if model == "lowered" and is_faulty else 1) for value in values]
        name = f"{model}-{day}-{request}"
        yield (
            {
                "request_id": name,
                "logged_at": at.isoformat(),
                "model": model,
                "version": 1,
                "release": "first",
                "predicted_at": [at.isoformat()] * INSTANCES,
                "fields": ["customer_id"],
                "instances": [[customer] for customer in customers],
                "names": ["spent"],
                "features": [[value] for value in values],
                "score": scores,
                "label": [score >= 0.5 for score in scores],
            },
            [
                {
                    "event_id": f"{name}-{instance}-outcome",
                    "logged_at": (at + dt.timedelta(hours=1)).isoformat(),
                    "model": model,
                    "request_id": name,
                    "instance": instance,
                    "outcome": (numbers.random() < spent(customer) / 100) != (model == "turned" and is_faulty),
                    "observed_at": (at + dt.timedelta(minutes=30)).isoformat(),
                }
                for instance, customer in enumerate(customers)
            ],
        )
