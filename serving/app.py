"""The application: what is shared by its routes, and how it starts and stops."""

import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from fastapi import FastAPI, Request, Response
from starlette.exceptions import HTTPException

from ml import files
from ml.release.manifest import releases_folder
from serving.current import CurrentRelease
from serving.event_log import EventLog
from serving.metrics import Metrics
from serving.problems import Problem, answer_http_exception, answer_problem
from serving.refusals import Refusals
from serving.routes import features, health, models, predict, releases
from serving.settings import Settings
from serving.snapshots import Snapshots

DESCRIPTION = "Predictions and features from the current release of the warehouse."


def _log_json_lines() -> None:
    """The server's own log: JSON lines on standard error."""
    logger = logging.getLogger("serving")
    logger.setLevel(logging.INFO)
    if not logger.handlers:
        logger.addHandler(logging.StreamHandler())
        logger.propagate = False


def create_app(settings: Settings | None = None) -> FastAPI:
    """The application over the releases of the home folder. It starts before the first release, and is ready with it."""
    settings = settings or Settings.from_environment()
    snapshots = Snapshots.from_environment()
    metrics = Metrics(snapshots)
    current = CurrentRelease(releases_folder(), settings.poll_seconds, metrics)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        _log_json_lines()
        app.state.events = EventLog(files.home() / "events" / "predictions", metrics)
        current.start()
        if snapshots:
            snapshots.start(metrics.numbers)
        yield
        current.stop()
        app.state.events.close()
        if snapshots:
            snapshots.stop()

    app = FastAPI(
        title="Eiderdown", description=DESCRIPTION, version="0.1.0", lifespan=lifespan, redirect_slashes=False
    )
    app.state.settings = settings
    app.state.metrics = metrics
    app.state.current = current
    app.state.refusals = Refusals(metrics)
    app.add_exception_handler(Problem, answer_problem)
    app.add_exception_handler(HTTPException, answer_http_exception)
    for routes in (predict, features, models, releases, health):
        app.include_router(routes.router)

    @app.middleware("http")
    async def measure(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
        start = time.perf_counter()
        response = await call_next(request)
        route = getattr(request.scope.get("route"), "path", "unknown")
        metrics.counter("eiderdown_requests", route=route, status=str(response.status_code)).add()
        metrics.durations("eiderdown_request_seconds", route=route).observe(time.perf_counter() - start)
        return response

    return app
