"""A client that asks one request after another and says what came of each."""

import http.client
import itertools
import json
import time
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from tests.benchmarks.http_experiments.servers import Running

CONNECTIONS = 6
_AT_A_TIME = 50
_SECONDS_TO_ANSWER = 60


@dataclass(frozen=True)
class Asked:
    """A request that was answered: seconds since the client began, and the arm that made the prediction."""

    at: float
    arm: str


class Client:
    """Asks over several connections in turn, so that each worker has some; asks again where one breaks."""

    def __init__(self, running: Running, outcomes: dict[int, bool]) -> None:
        self.asked: list[Asked] = []
        self.told = 0
        """Outcomes that were taken."""
        self.broken = 0
        """Connections."""
        self._running = running
        self._begun = time.monotonic()
        self._outcomes = itertools.cycle(outcomes.items())
        self._connections = itertools.cycle([self._connect() for _ in range(CONNECTIONS)])

    @property
    def seconds(self) -> float:
        """Since it began."""
        return time.monotonic() - self._begun

    def ask(self, requests: int) -> None:
        """Ask so many, and tell their outcomes."""
        told: list[dict[str, Any]] = []
        for _ in range(requests):
            account, outcome = next(self._outcomes)
            answer = self._send("POST", "/predict/quick", {"instances": [{"account": account}]})
            self.asked.append(Asked(self.seconds, answer["predictions"][0]["arm"]))
            told.append({"request_id": answer["request_id"], "outcome": outcome})
            if len(told) == _AT_A_TIME:
                self._tell(told)
                told = []
        self._tell(told)

    def experiments(self) -> list[dict[str, Any]]:
        """What each of several new connections, and so each worker, says of the experiment."""
        return [self._send("GET", "/models/quick", None, self._connect())["experiment"] for _ in range(4 * CONNECTIONS)]

    def _tell(self, outcomes: list[dict[str, Any]]) -> None:
        if outcomes:
            self.told += self._send("POST", "/feedback/quick", {"outcomes": outcomes})["accepted"]

    def _connect(self) -> http.client.HTTPConnection:
        parts = urlsplit(self._running.url)
        assert parts.hostname is not None
        return http.client.HTTPConnection(parts.hostname, parts.port, timeout=10)

    def _send(self, method: str, path: str, body: Any, connection: http.client.HTTPConnection | None = None) -> Any:
        """Raises SystemExit for what is refused, and where nobody answers for long."""
        deadline = time.monotonic() + _SECONDS_TO_ANSWER
        while time.monotonic() < deadline:
            used = connection or next(self._connections)
            try:
                used.request(method, path, body and json.dumps(body), {"content-type": "application/json"})
                answer = used.getresponse()
                content = answer.read()
            except (OSError, http.client.HTTPException):
                # It connects anew by itself.
                used.close()
                self.broken += 1
                continue
            if answer.status != 200:
                raise SystemExit(f"{path}: {content.decode()}")
            return json.loads(content)
        raise SystemExit(f"{path}: nobody answers")
