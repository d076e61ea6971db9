"""Ten thousand mutated bodies against a running server: no 5xx, no connection dropped, and the answers stay what they were.

Each is a valid body of one of the POST paths in /openapi.json in which bytes, values, names, numbers or the nesting were
changed. The server runs over a copy of the current release, so the home's event log stays clean. Exits with 1 and shows
the bodies where a promise is broken; the same --seed sends the same bodies.
"""

import argparse
import collections
import datetime as dt
import http.client
import json
import os
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).parents[2]))

from eiderdown.demonstration import tour
from ml import files

# A plane that the README does not ask for, since a changed body may still be a good one, and a push changes answers.
PLANE = "N12345"
# What is, or is nearly, a JSON value.
LITERALS = r"""
null true false 0 -0 -1 1 1.0 1e5 1E400 -1e400 1e-400 00 01 +1 .5 1. 0x10 NaN Infinity -Infinity 9223372036854775807
9223372036854775808 -9223372036854775809 18446744073709551616 1.7976931348623157e308 5e-324 "" "\u0000" "\ud800"
"\udfff\ud800" "NaN" "9999-12-31T23:59:59Z" "10000-01-01T00:00:00Z" "0000-00-00T00:00:00Z" "2013-12-31T14:00:00"
"2013-12-31T24:00:00Z" "-inf" [] {} [[]] [{}] {"":null} {"a":{"a":{"a":1}}} [null,null] "\u202e" "';drop--"
"../../etc/passwd" tru 'a' undefined
"""
CONTENT_TYPES = (
    "application/json",
    "text/plain",
    "application/x-www-form-urlencoded",
    "application/json; charset=utf-16",
    "",
)


def main() -> None:
    """Send the bodies and print how they were answered."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bodies", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        shutil.copytree(files.home() / "releases", Path(folder) / "releases", symlinks=True)
        os.environ["EIDERDOWN_HOME"] = folder
        with tour.server() as (url, _):
            broken = fuzz(url, options.bodies, random.Random(options.seed))
    for one in broken[:10]:
        Console(stderr=True).print(one, markup=False, highlight=False)
    sys.exit(bool(broken))


def fuzz(url: str, count: int, chance: random.Random) -> list[str]:
    """Send mutated bodies to every POST path in turn. Gives what broke a promise, as text."""
    seeds = _seeds(url)
    good = _predictions(url)
    statuses: dict[str, collections.Counter] = {path: collections.Counter() for path in seeds}
    broken = []
    connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=60)
    start = time.perf_counter()
    for number in range(count):
        path = list(seeds)[number % len(seeds)]
        body = chance.choice(MUTATIONS)(seeds[path], chance)
        try:
            connection.request("POST", path, body, {"content-type": chance.choice(CONTENT_TYPES)})
            answer = connection.getresponse()
            status = str(answer.status)
            answer.read()
        except (http.client.HTTPException, OSError) as error:
            connection.close()
            status = type(error).__name__
        statuses[path][status] += 1
        if not "200" <= status < "500":
            broken.append(f"{status} of POST {path}, body {number}: {body[:500]!r}")
    seconds = time.perf_counter() - start
    if _predictions(url) != good:
        broken.append("the same instance is answered otherwise than before")
    _print(statuses, f"{count:,} mutated bodies, {seconds:.1f} s")
    return broken


def _print(statuses: dict[str, collections.Counter], title: str) -> None:
    names = sorted({name for counter in statuses.values() for name in counter})
    table = Table("path", *names, title=title)
    for path, counter in statuses.items():
        table.add_row(path, *(f"{counter[name]:,}" for name in names))
    Console().print(table)


def _predictions(url: str) -> Any:
    answer = httpx.post(f"{url}/predict/flight_delay", json={"instances": [tour.INSTANCE]})
    answer.raise_for_status()
    return answer.json()["predictions"]


def _seeds(url: str) -> dict[str, Any]:
    """A valid body for each POST path of the interface."""
    answer = httpx.post(f"{url}/predict/flight_delay", json={"instances": [tour.INSTANCE]}).json()
    key = {"tailnum": PLANE}
    stored = httpx.post(f"{url}/features/plane_activity", json={"keys": [{"tailnum": tour.INSTANCE["tailnum"]}]}).json()
    (row,) = stored["rows"]
    now = dt.datetime.fromisoformat(row["event_at"]).isoformat()
    features = {name: feature["value"] for name, feature in row["features"].items()}
    outcome = {"request_id": answer["request_id"], "instance": 0, "outcome": True, "observed_at": now}
    instances = [tour.INSTANCE | key, tour.INSTANCE | {"predicted_at": "2013-12-31T13:00:00Z"}]
    bodies = {
        "/predict/{model}": {"instances": instances, "version": 1, "explain": True},
        "/features/{view}": {"keys": [key, {"tailnum": tour.INSTANCE["tailnum"]}]},
        "/push/{view}": {"rows": [key | features | {"event_at": now, "known_at": now}]},
        "/feedback/{model}": {"outcomes": [outcome]},
    }
    paths = [path for path, methods in httpx.get(f"{url}/openapi.json").json()["paths"].items() if "post" in methods]
    if unknown := [path for path in paths if path not in bodies]:
        raise SystemExit(f"no body to mutate for POST {', '.join(unknown)}; add one in _seeds.")
    return {path.format(model="flight_delay", view="plane_activity"): bodies[path] for path in paths}


def _write(value: Any) -> bytes:
    return json.dumps(value).encode()


def _unchanged(seed: Any, chance: random.Random) -> bytes:
    return _write(seed)


def _changed_bytes(seed: Any, chance: random.Random) -> bytes:
    """Some bytes replaced, removed, put in, or repeated."""
    body = bytearray(_write(seed))
    for _ in range(chance.randint(1, 8)):
        start = chance.randrange(len(body) + 1)
        end = min(len(body), start + chance.choice([0, 1, 1, 2, 20]))
        body[start:end] = chance.choice([b"", chance.randbytes(1), chance.randbytes(3), bytes(body[start:end]) * 2])
    return bytes(body)


def _cut(seed: Any, chance: random.Random) -> bytes:
    body = _write(seed)
    return body[: chance.randrange(len(body))]


def _places(value: Any) -> list[tuple[Any, Any]]:
    """Every place in a value, as container and key."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [place for key, one in inner for place in [(value, key), *_places(one)]]


def _changed_values(seed: Any, chance: random.Random) -> bytes:
    """Some values replaced by what is, or is nearly, JSON of another type or range."""
    copy = json.loads(_write(seed))
    literals = {}
    for number in range(chance.randint(1, 3)):
        container, key = chance.choice(_places(copy))
        container[key] = f"@{number}@"
        literals[f'"@{number}@"'] = chance.choice(LITERALS.split())
    text = json.dumps(copy)
    for mark, literal in literals.items():
        text = text.replace(mark, literal)
    return text.encode()


def _changed_names(seed: Any, chance: random.Random) -> bytes:
    """A field removed, added, renamed or written twice; a value moved elsewhere."""
    copy = json.loads(_write(seed))
    container, key = chance.choice(_places(copy))
    other, other_key = chance.choice(_places(copy))
    if not isinstance(container, dict):
        container.append(container[key])
        return _write(copy)
    match chance.randrange(5):
        case 0:
            del container[key]
        case 1:
            container[chance.choice(["", "__proto__", "\x00", "é", key.upper(), "a" * 5000])] = container[key]
        case 2:
            container[f"{key} "] = container.pop(key)
        case 3:
            other[other_key] = json.loads(_write(container[key]))
        case _:
            name = json.dumps(key)
            return _write(copy).replace(name.encode(), f"{name}: 1, {name}".encode(), 1)
    return _write(copy)


def _nested(seed: Any, chance: random.Random) -> bytes:
    """A value deep in arrays or objects."""
    depth = chance.choice([1, 5, 15, 16, 17, 100, 1000, 100_000])
    opening, closing = chance.choice([("[", "]"), ('{"a":', "}")])
    deep = opening * depth + "1" + closing * chance.choice([depth, depth, depth - 1])
    copy = json.loads(_write(seed))
    container, key = chance.choice(_places(copy))
    container[key] = "@"
    return json.dumps(copy).replace('"@"', deep).encode()


def _long(seed: Any, chance: random.Random) -> bytes:
    """A list, a text or a number that is long."""
    copy = json.loads(_write(seed))
    size = chance.choice([100, 1001, 5000])
    container, key = chance.choice(_places(copy))
    container[key] = "@"
    value = chance.choice(
        [f'"{"a" * size}"', f"[{','.join('1' * size)}]", "9" * size, f"0.{'3' * size}", f"1e{'9' * size}"]
    )
    return json.dumps(copy).replace('"@"', value).encode()


def _other_text(seed: Any, chance: random.Random) -> bytes:
    """No JSON object, or one in another encoding."""
    text = _write(seed).decode()
    return chance.choice(
        [
            b"",
            b"\xef\xbb\xbf" + text.encode(),
            text.encode("utf-16"),
            text.encode("utf-32-le"),
            text.replace('"', "'").encode(),
            text.encode() * 2,
            b" " * 1000 + text.encode() + b"\n" * 1000,
            chance.choice(LITERALS.split()).encode(),
            chance.randbytes(chance.randrange(2000)),
            b"\x00" * 1000,
        ]
    )


MUTATIONS: list[Callable[[Any, random.Random], bytes]] = [
    _unchanged,
    _changed_bytes,
    _cut,
    _changed_values,
    _changed_values,
    _changed_names,
    _nested,
    _long,
    _other_text,
]


if __name__ == "__main__":
    main()
