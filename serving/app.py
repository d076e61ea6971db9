"""The application: what is shared by its routes, and how it starts and stops."""

import asyncio
import functools
import sys
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI, Request, Response, Security
from fastapi.security import HTTPBearer
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import Receive, Scope, Send

from ml import files
from ml.release.manifest import releases_folder
from serving.access.guard import Guard
from serving.access.guarded import Guarded, leave_to_guarded, unexpected
from serving.events.durable_log import DurableLog
from serving.events.event_log import EventLog
from serving.experiments.companions import Companions
from serving.experiments.states import States
from serving.metrics.metrics import Count, Durations, Metrics
from serving.metrics.refusals import Refusals
from serving.metrics.snapshots import Snapshots
from serving.problems import Problem, answer_http_exception, answer_problem, refusals
from serving.process.garbage import collect_garbage
from serving.process.json_logs import log_json_lines
from serving.pushes.follow import Pushes
from serving.releases.current import CurrentRelease
from serving.requests.whole_answer import WholeAnswer
from serving.routes import (
    docs,
    feast,
    features,
    feedback,
    health,
    models,
    open_inference,
    predict,
    predict_arrow,
    push,
    releases,
)
from serving.settings import Settings

DESCRIPTION = "Predictions and features from the current release of the warehouse."

# For the documentation only: the guard refuses before a route is looked for.
_WITH_TOKENS: dict[str, Any] = {
    "dependencies": [Security(HTTPBearer(auto_error=False, description="One of `eiderdown tokens new`."))],
    "responses": refusals({401: "A token is needed.", 403: "The token has not the scope."}),
}

_SWITCH_SECONDS = 0.0002

Endpoint = Callable[[str, Request], Coroutine[Any, Any, Response]]
DIRECT: dict[str, tuple[str, Endpoint]] = {
    "predict": ("/predict/{model}", predict.predict),
    "features": ("/features/{view}", features.features),
}
"""The routes that are called without FastAPI's way to them, which costs more than what they do."""
_INFER: tuple[str, Endpoint] = ("/v2/models/{model}/infer", open_inference.infer)


class Application(FastAPI):
    """FastAPI behind the guard, with a short way to the routes that are called most."""

    def __init__(self, settings: Settings, metrics: Metrics, **others: Any) -> None:
        super().__init__(redirect_slashes=False, **others)
        self.state.settings = settings
        self.state.metrics = metrics
        self.state.guard = self._guard = Guard(settings)
        self._guarded = Guarded(super().__call__, self._guard)
        self._open = 0
        self._count = functools.cache(functools.partial(_count, metrics))
        self._seconds = functools.cache(functools.partial(_seconds, metrics))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer."""
        if scope["type"] != "http":
            await super().__call__(scope, receive, send)
            return
        scope["app"] = self
        start = time.perf_counter()
        first, _, name = scope["path"][1:].partition("/")
        direct = None
        if scope["method"] == "POST":
            if first in DIRECT:
                direct = DIRECT[first] if name and "/" not in name else None
            elif first == "v2" and (model := open_inference.infer_model(name)):
                direct, name = _INFER, model
        self._open += 1
        try:
            if direct and not self._guard.refuse(scope):
                route, endpoint = direct
                status = await self._answer(endpoint, name, Request(scope, receive, send))
            else:
                route, status = await self._answer_by_fastapi(scope, receive, send)
        finally:
            self._open -= 1
        self._count(route, status).add()
        self._seconds(route).observe(time.perf_counter() - start)

    async def _answer(self, endpoint: Endpoint, name: str, request: Request) -> int:
        """Answer by an endpoint. Returns the status."""
        scope = request.scope
        response: Response
        try:
            response = await endpoint(name, request)
        except Problem as problem:
            response = await answer_problem(request, problem)
        except ClientDisconnect:
            return 499
        except Exception as error:
            response = unexpected(scope, error)
        headers = self._guard.headers(scope)
        if not (isinstance(response, WholeAnswer) and response.write(scope, headers.text, self._open == 1)):
            response.raw_headers.extend(headers)
            await response(scope, request.receive, request._send)
        return response.status_code

    async def _answer_by_fastapi(self, scope: Scope, receive: Receive, send: Send) -> tuple[str, int]:
        """Answer by the route that FastAPI finds. Returns the route and the status."""
        status = 499

        async def send_and_see(message: Any) -> None:
            nonlocal status
            status = message.get("status", status)
            await send(message)

        await self._guarded(scope, receive, send_and_see)
        return getattr(scope.get("route"), "path", "unknown"), status


def _count(metrics: Metrics, route: str, status: int) -> Count:
    return metrics.counter("eiderdown_requests", route=route, status=str(status))


def _seconds(metrics: Metrics, route: str) -> Durations:
    return metrics.durations("eiderdown_request_seconds", route=route)


def create_app(settings: Settings | None = None) -> FastAPI:
    """The application over the releases of the home folder. It starts before the first release, and is ready with it."""
    settings = settings or Settings.from_environment()
    snapshots = Snapshots.from_environment()
    metrics = Metrics(snapshots)
    events = files.home() / "events"
    refused = Refusals(metrics)
    pushes = Pushes(events / "pushes", metrics)
    states = States(events / "experiments", metrics)
    current = CurrentRelease(releases_folder(), settings, metrics, pushes, states, refused)

    companions = Companions(lambda: current.release)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        log_json_lines()
        if snapshots:
            snapshots.start(metrics.numbers)
        app.state.arrow_room = asyncio.Semaphore(predict_arrow.MOST_AT_ONCE)
        app.state.events = EventLog(events / "predictions", metrics)
        app.state.push_log = DurableLog(events / "pushes", metrics)
        app.state.feedback_log = DurableLog(events / "feedback", metrics)
        states.start()
        current.start()
        pushes.start()
        companions.start()
        # The thread that scores is not to wait five milliseconds for the interpreter at each of its steps.
        sys.setswitchinterval(_SWITCH_SECONDS)
        collecting = asyncio.create_task(collect_garbage())
        yield
        collecting.cancel()
        companions.stop()
        if current.release is not None:
            await current.release.finish()
        current.stop()
        pushes.stop()
        states.stop()
        await app.state.push_log.close()
        await app.state.feedback_log.close()
        app.state.events.close()
        if snapshots:
            snapshots.stop()

    app = Application(
        settings,
        metrics,
        title="Eiderdown",
        description=DESCRIPTION,
        version="0.1.0",
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        **(_WITH_TOKENS if settings.tokens_file else {}),
    )
    app.state.current = current
    app.state.pushes = pushes
    app.state.states = states
    app.state.refusals = refused
    app.add_exception_handler(Problem, answer_problem)
    app.add_exception_handler(HTTPException, answer_http_exception)
    app.add_exception_handler(Exception, leave_to_guarded)
    for routes in (predict, features, feast, push, feedback, models, releases, open_inference, health, docs):
        app.include_router(routes.router)
    return app
