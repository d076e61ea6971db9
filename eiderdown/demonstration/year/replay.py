"""A year of production: predictions, outcomes and feature rows through the server, month by month, and a build after each."""

import datetime as dt
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import httpx

from eiderdown.demonstration.tour import server
from eiderdown.demonstration.year.home import FEATURES, Home
from eiderdown.demonstration.year.story import Month, tell
from eiderdown.demonstration.year.world import Hour, World

MODEL = "flight_delay"
STARTS = [
    *(dt.datetime(2013, month, 1, tzinfo=dt.UTC) for month in range(4, 13)),
    dt.datetime(2014, 1, 1, tzinfo=dt.UTC),
]
"""Of the months in production, and of the first after them."""
AFTER = dt.datetime(2014, 1, 3, tzinfo=dt.UTC)


def prepare(home: Home) -> None:
    """Install the project, compute the year's feature rows, and train on the first quarter."""
    home.dbt("deps")
    home.set_clock(AFTER, home.truth)
    home.dbt("run", "-s", *FEATURES, home=home.truth)
    home.set_clock(STARTS[0])
    home.dbt("build")


def run(home: Home, world: World, say: Callable[[str], None]) -> Iterator[Month]:
    """Play the months through a server of their own, with a round of the watch after each. say: is told what goes on."""
    traffic = Traffic()
    with server(home.environment()) as (url, _), httpx.Client(base_url=url, timeout=60) as client:
        for start, end in pairwise(STARTS):
            say(f"{start:%B}: predictions, feature rows and outcomes")
            play(client, world.hours(start, end), traffic)
            say(f"{start:%B} is over: eiderdown watch --once")
            home.set_clock(end)
            home.watch()
            yield tell(home.warehouse / "eiderdown.duckdb", start, end)
    say("what training again was worth")
    home.dbt("run", "-s", "first_version")


@dataclass
class Traffic:
    """What went through the server."""

    predicted: int = 0
    pushed: int = 0
    told: int = 0
    requests: dict[str, tuple[str, int]] = field(default_factory=dict)
    """By flight: its request and its place in it; until its outcome is told."""


def play(client: httpx.Client, hours: Iterator[Hour], traffic: Traffic) -> None:
    """Send what happens in some hours to a server, in its order."""
    for hour in hours:
        for view, rows in hour.pushes.items():
            _send(client, f"/push/{view}", {"rows": rows})
            traffic.pushed += len(rows)
        if hour.asked:
            answer = _send(client, f"/predict/{MODEL}", {"instances": [instance for _, instance in hour.asked]})
            for place, (flight, _) in enumerate(hour.asked):
                traffic.requests[flight] = answer["request_id"], place
            traffic.predicted += len(hour.asked)
        outcomes = []
        for flight, is_late, arrived_at in hour.landed:
            if flight in traffic.requests:
                request, place = traffic.requests.pop(flight)
                observed_at = arrived_at.isoformat().replace("+00:00", "Z")
                outcomes.append(
                    {"request_id": request, "instance": place, "outcome": is_late, "observed_at": observed_at}
                )
        if outcomes:
            _send(client, f"/feedback/{MODEL}", {"outcomes": outcomes})
            traffic.told += len(outcomes)


def _send(client: httpx.Client, path: str, body: dict[str, Any]) -> dict[str, Any]:
    answer = client.post(path, json=body)
    answer.raise_for_status()
    said: dict[str, Any] = answer.json()
    return said
