"""POST /predict/{model} with an Arrow stream: big batches, as columns."""

import dataclasses
import time
from functools import partial
from typing import Any

import pyarrow as pa
from fastapi import Request, Response
from fastapi.concurrency import run_in_threadpool

from serving.events.event_log import EventLog
from serving.predictions.answer_columns import answered_columns, write_stream
from serving.predictions.answered import Answered
from serving.predictions.bulk import LONGEST_LINE
from serving.predictions.given_columns import Block, GivenColumns
from serving.predictions.served_model import ServedModel
from serving.predictions.target import Gone, Target
from serving.problems import Problem, overloaded
from serving.releases.served_release import ServedRelease
from serving.requests.arrow_fields import check_columns, check_times
from serving.requests.arrow_stream import ARROW, read_stream
from serving.requests.instances import Fields, Row, fields_of
from serving.requests.request_ids import REQUEST_IDS
from serving.requests.strict_json import header, read_body
from serving.requests.timeout import deadline_of
from serving.requests.whole_answer import LoggedAnswer, WholeAnswer
from serving.routes.state import current_release
from serving.settings import Settings

_LONGEST_ESCAPE = 6
"""The bytes that a character of one byte may take in JSON."""
MOST_AT_ONCE = 4
"""The most requests in Arrow that a process has in memory; more are refused."""
QUERY: list[dict[str, Any]] = [
    {"name": "alias", "in": "query", "description": "With an Arrow stream.", "schema": {"type": "string"}},
    {
        "name": "version",
        "in": "query",
        "description": "With an Arrow stream, in place of an alias.",
        "schema": {"type": "integer", "minimum": 1, "maximum": 999_999_999},
    },
]
"""The OpenAPI of the query."""
STREAM = {ARROW: {"schema": {"type": "string", "format": "binary"}}}
"""The OpenAPI of a body."""


def is_arrow(request: Request) -> bool:
    """Whether the body is an Arrow stream."""
    given = header(request, b"content-type")
    return given is not None and given.partition(b";")[0].strip().lower() == ARROW.encode()


def wants_arrow(request: Request) -> bool:
    """Whether the answer is to be one, though the body is JSON."""
    accept = header(request, b"accept")
    return accept is not None and ARROW.encode() in accept.lower()


async def read_arrow_body(request: Request, settings: Settings) -> bytes:
    """The body of a request in Arrow. Raises Problem as `read_body` does, and 406 for who takes no Arrow."""
    accept = header(request, b"accept")
    if accept and not any(kind in accept.lower() for kind in (ARROW.encode(), b"*/*", b"application/*")):
        raise Problem(406, f"a request in Arrow is answered in Arrow; accept {ARROW}")
    return await read_body(request, dataclasses.replace(settings, max_body_bytes=settings.max_arrow_bytes))


async def predict_arrow(model: str, request: Request) -> Response:
    """Score the rows of an Arrow stream, whose columns are the fields of an instance."""
    start = time.perf_counter()
    state = request.app.state
    settings: Settings = state.settings
    release = current_release(request)
    target = release.target(model, *_alias_or_version(request))
    if state.arrow_room.locked():
        state.refusals.add("arrow")
        raise overloaded(f"{MOST_AT_ONCE} requests in Arrow are being answered")
    async with state.arrow_room:
        body = await read_arrow_body(request, settings)
        deadline = deadline_of(request, start, settings, settings.max_arrow_seconds)
        read = partial(_read, body, fields_of(target.signature), settings, target, release)
        del body
        parsed = time.perf_counter()
        if isinstance(target, ServedModel):
            request_id = next(REQUEST_IDS)
            parts = await target.answer_columns(read, request_id, deadline, request.receive, state.events.append)
            about = {"model": target.name, "version": str(target.version), "request_id": request_id}
        else:
            parts = await _in_rows(target, read, settings.max_instances, deadline, request.receive, state.events)
            about = {"model": target.name}
        scored = time.perf_counter()
        content = await run_in_threadpool(write_stream, parts, about | {"release": release.name})
        target.observe(parsed - start, time.perf_counter() - scored)
        return WholeAnswer(content, content_type=ARROW.encode())


def arrow_answer(answered: Answered, target: Target, events: EventLog) -> LoggedAnswer:
    """The answer to a request in JSON, in Arrow."""
    about = {"model": answered.model, "release": answered.release, "request_id": answered.request_id}
    if answered.version is not None:
        about["version"] = str(answered.version)
    if answered.experiment is not None:
        about["experiment"] = answered.experiment
    content = write_stream([answered_columns(answered, target.signature)], about)
    return LoggedAnswer(content, events, answered.events, answered.event_count, content_type=ARROW.encode())


async def _in_rows(
    target: Target, read: Any, most_rows: int, deadline: float, gone: Gone, events: EventLog
) -> list[dict[str, pa.Array]]:
    """What a target that takes rows answers, as requests of so many: `request_id` and `instance` say which is which."""
    table = await run_in_threadpool(read)
    parts: list[dict[str, pa.Array]] = []
    start = 0
    while start < table.num_rows:
        rows = await run_in_threadpool(_rows, _next(table, start, most_rows))
        try:
            answered = await target.answer(rows, deadline, gone)
        except Problem as problem:
            if problem.location:
                where, number, *rest = problem.location
                problem.location = (where, start + int(number), *rest)
            raise
        events.append(answered.events, answered.event_count)
        columns = answered_columns(answered, target.signature)
        columns["request_id"] = pa.repeat(answered.request_id, len(rows))
        columns["instance"] = pa.array(range(len(rows)), pa.int32())
        parts.append(columns)
        start += len(rows)
    return parts


def _next(table: pa.Table, start: int, most_rows: int) -> pa.Table:
    """The rows from `start` on that are asked together: no more than a line of the event log may hold."""
    part = table.slice(start, most_rows)
    while part.num_rows > 1 and _LONGEST_ESCAPE * part.nbytes > LONGEST_LINE:
        part = part.slice(0, part.num_rows // 2)
    return part


def _rows(part: pa.Table) -> list[Row]:
    return GivenColumns(Block(part), 0, part.num_rows).rows()


def _read(body: bytes, fields: Fields, settings: Settings, target: Target, release: ServedRelease) -> pa.Table:
    table = check_columns(read_stream(body, settings.max_arrow_rows), fields, settings.max_arrow_bytes)
    return check_times(table, target.signature.at, release.as_of, release.now())


def _alias_or_version(request: Request) -> tuple[str | None, int | None]:
    query = request.query_params
    alias, version = query.get("alias"), query.get("version")
    if unknown := [name for name, _ in query.multi_items() if name not in ("alias", "version")]:
        raise Problem(422, f"{len(unknown)} unknown query parameter(s); there are alias and version")
    if len(query.multi_items()) > 1:
        raise Problem(422, "give an alias or a version, once")
    if version is None:
        return alias, None
    if not (version.isascii() and version.isdigit() and len(version) < 10):
        raise Problem(422, "the query parameter version: expected an integer")
    return None, int(version)
