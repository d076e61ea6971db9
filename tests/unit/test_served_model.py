"""How long a request waits for a model that is slow: no longer than its client, for whatever it waits."""

import asyncio
import datetime as dt
import threading
import time
from collections.abc import Iterator

import pytest
from starlette.requests import ClientDisconnect

from ml.release.manifest import ReleasedModel
from serving.metrics.metrics import Metrics
from serving.metrics.refusals import Refusals
from serving.predictions.predictor import Prediction, Stages
from serving.predictions.served_model import ServedModel
from serving.problems import Problem
from serving.requests.instances import Fields, Row
from serving.settings import Settings

NOW = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
SECONDS = 30.0


class SlowPredictor:
    """Takes until it is let go, once `is_slow` is set."""

    signature = type("Signature", (), {"classes": [], "features": []})
    reads_time = False
    fields = Fields({"key": "INTEGER", "at": "TIMESTAMP WITH TIME ZONE"}, set())
    released = ReleasedModel("slow", 1, "binary", "", "", "", "", "", "")

    def __init__(self) -> None:
        self.go = threading.Event()
        self.is_slow = False

    def changes(self) -> int:
        return 0

    def warm_up(self) -> list[Row]:
        return [[0, NOW]]

    def predict(self, rows: list[Row], stages: Stages) -> list[Prediction]:
        stages.started = stages.looked_up = stages.featured = time.perf_counter()
        if self.is_slow:
            self.go.wait(SECONDS)
        # As slow as it says, however quickly it is let go.
        stages.scored = stages.started + 1.0
        return [Prediction(float(row[0]), None, [], [], float("inf")) for row in rows]


@pytest.fixture
def predictor() -> Iterator[SlowPredictor]:
    predictor = SlowPredictor()
    yield predictor
    predictor.go.set()


def _served(predictor: SlowPredictor) -> ServedModel:
    metrics = Metrics()
    served = ServedModel(predictor, "release", SECONDS, Settings(), metrics, Refusals(metrics))  # type: ignore[arg-type]
    predictor.is_slow = True
    return served


@pytest.mark.parametrize("keys", [[1], [1, 1], [1, 2]], ids=["alone", "joined", "together"])
def test_none_waits_longer_than_its_client(predictor: SlowPredictor, keys: list[int]) -> None:
    async def body() -> None:
        served = _served(predictor)
        rows: list[Row] = [[key, NOW] for key in keys]
        *first, last = rows
        patient = [
            asyncio.ensure_future(served.predict([row], time.perf_counter() + SECONDS, asyncio.Event().wait))
            for row in first
        ]
        with pytest.raises(Problem) as caught:
            await served.predict([last], time.perf_counter() + 0.05, asyncio.Event().wait)
        assert caught.value.status == 408

        async def gone() -> None:
            pass

        with pytest.raises(ClientDisconnect):
            await served.predict([last], time.perf_counter() + SECONDS, gone)
        predictor.go.set()
        assert [one.score for some in await asyncio.gather(*patient) for one in some] == [
            float(key) for key in keys[:-1]
        ]
        await served.finish()

    asyncio.run(body())
