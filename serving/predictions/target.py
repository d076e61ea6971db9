"""What can answer a request for predictions, whatever protocol it came by."""

import datetime as dt
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from typing import Any

from ml.scoring.signature import Signature
from serving.predictions.answered import Answered
from serving.requests.instances import Row

Gone = Callable[[], Awaitable[object]]
"""Returns when the client has left."""


class Target(ABC):
    """A version of a model, or an experiment. Used from the event loop's thread alone.

    name: of the model that clients ask for; signature: of what they send and get.
    """

    name: str
    version: int | None
    signature: Signature

    @abstractmethod
    def check(self, instances: Any, most: int, now: dt.datetime) -> list[Row]:
        """A request's instances (JSON values) as typed rows.

        now: the prediction time of those that name none. Raises Problem with the instance and the field that is wrong.
        """

    @abstractmethod
    async def answer(self, rows: list[Row], deadline: float, gone: Gone, explain: bool = False) -> Answered:
        """Predictions for rows that `check` gave. deadline: in seconds of `time.perf_counter`.

        Raises Problem 503 where there is no room in the queue, 408 past the deadline, 422 for a row that cannot be scored, or for
        an explanation that there is none of, and ClientDisconnect.
        """

    @abstractmethod
    def observe(self, parse: float, serialise: float) -> None:
        """Count the seconds of the stages of a request that are its protocol's."""

    @abstractmethod
    async def finish(self) -> None:
        """Wait until what is queued is scored."""
