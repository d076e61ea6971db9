"""Many instances at once, as columns: scored and logged part by part, in a thread of the model's own."""

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple, TypeVar

import pyarrow as pa

from ml.scoring.request_features import ExpressionError
from serving.predictions.answer_columns import prediction_columns
from serving.predictions.cache import Wait
from serving.predictions.event_lines import EventLines
from serving.predictions.given_columns import Block, GivenColumns
from serving.predictions.predictor import Prediction, Predictor, Stages, no_features
from serving.requests.instances import Row

PART_ROWS = 1000
"""The most rows of a part, which are a line of the event log. The steps of one that hold the interpreter take about a
millisecond each, for which other requests wait; larger parts are hardly quicker."""
BLOCK_ROWS = 32 * PART_ROWS
"""The rows of which what comes more than once is looked up once."""
LONGEST_LINE = 4 * 1024 * 1024
"""The bytes of a line past which its part is logged as two; dbt reads lines of 8 MiB."""

Log = Callable[[bytes, int], None]
Count = Callable[[list[Prediction], Stages, float], None]
_Any = TypeVar("_Any")


class _Part(NamedTuple):
    """The columns of the answer for some rows, and what is counted of them."""

    columns: dict[str, pa.Array]
    predictions: list[Prediction]
    stages: Stages
    log_seconds: float


class Bulk:
    """Used from the event loop's thread alone, which waits for the thread that works."""

    def __init__(self, predictor: Predictor, lines: EventLines, count: Count) -> None:
        """count: is told of each part its predictions, its stages and the seconds that logging took."""
        self._predictor = predictor
        self._lines = lines
        self._count = count
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="bulk")

    async def run(self, wait: Wait, function: Callable[..., _Any], *arguments: Any) -> _Any:
        """Call a function in the thread: the parts of several requests take turns. wait: for how long, and raises."""
        running = asyncio.get_running_loop().run_in_executor(self._thread, function, *arguments)
        try:
            await wait(running)
            return running.result()
        finally:
            running.cancel()

    async def answer(self, table: pa.Table, request_id: str, wait: Wait, log: Log) -> list[dict[str, pa.Array]]:
        """The columns of the answer for a table of the model's fields, part by part, each of which is logged by then.

        Raises what `wait` raises, after which no part is begun, and Problem 422 for a row that cannot be scored; the parts
        before it are in the log.
        """
        parts = []
        block = Block(table.slice(0, 0))
        for start in range(0, table.num_rows, PART_ROWS):
            if start % BLOCK_ROWS == 0:
                block = await self.run(wait, Block, table.slice(start, BLOCK_ROWS))
            places = range(start, min(start + PART_ROWS, table.num_rows))
            given = GivenColumns(block, start % BLOCK_ROWS, start % BLOCK_ROWS + len(places))
            is_whole = len(places) == table.num_rows
            try:
                part = await self.run(wait, self._part, given, None if is_whole else places, request_id, log)
            except ExpressionError as error:
                raise no_features(start + error.row) from None
            self._count(part.predictions, part.stages, part.log_seconds)
            parts.append(part.columns)
        return parts

    def finish(self) -> None:
        """End the thread."""
        self._thread.shutdown()

    def _part(self, given: GivenColumns, places: range | None, request_id: str, log: Log) -> _Part:
        stages = Stages()
        predictions = self._predictor.predict_given(given, stages)
        scored = time.perf_counter()
        self._log(request_id, given.rows(), predictions, places, log)
        logged = time.perf_counter()
        columns = prediction_columns(predictions, self._predictor.signature)
        return _Part(columns, predictions, stages, logged - scored)

    def _log(
        self, request_id: str, rows: list[Row], predictions: list[Prediction], places: range | None, log: Log
    ) -> None:
        """places: in the request, None where the rows are all of it."""
        more = b"" if places is None else b'"places":[%s],' % b",".join([b"%d" % place for place in places])
        line = self._lines.line(request_id, rows, predictions, more)
        if len(line) <= LONGEST_LINE or len(rows) == 1:
            log(line, len(rows))
            return
        places, half = places or range(len(rows)), len(rows) // 2
        self._log(request_id, rows[:half], predictions[:half], places[:half], log)
        self._log(request_id, rows[half:], predictions[half:], places[half:], log)
