"""The application: what is shared by its routes, and how it starts and stops."""

import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI, Request, Response, Security
from fastapi.security import HTTPBearer
from starlette.exceptions import HTTPException

from ml import files
from ml.release.manifest import releases_folder
from serving.current import CurrentRelease
from serving.event_log import EventLog
from serving.guard import Guard
from serving.guarded import Guarded
from serving.json_logs import log_json_lines
from serving.metrics import Metrics
from serving.problems import Problem, answer_http_exception, answer_problem, refusals
from serving.routes import docs, features, health, models, predict, releases
from serving.settings import Settings

DESCRIPTION = "Predictions and features from the current release of the warehouse."

# For the documentation only: the guard refuses before a route is looked for.
_WITH_TOKENS: dict[str, Any] = {
    "dependencies": [Security(HTTPBearer(auto_error=False, description="One of `eiderdown tokens new`."))],
    "responses": refusals({401: "A token is needed.", 403: "The token has not the scope."}),
}


def create_app(settings: Settings | None = None) -> FastAPI:
    """The application over the releases of the home folder. It starts before the first release, and is ready with it."""
    settings = settings or Settings.from_environment()
    metrics = Metrics()
    current = CurrentRelease(releases_folder(), settings.poll_seconds, metrics)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        log_json_lines()
        app.state.events = EventLog(files.home() / "events" / "predictions", metrics)
        current.start()
        yield
        current.stop()
        app.state.events.close()

    app = FastAPI(
        title="Eiderdown",
        description=DESCRIPTION,
        version="0.1.0",
        lifespan=lifespan,
        redirect_slashes=False,
        docs_url=None,
        redoc_url=None,
        **(_WITH_TOKENS if settings.tokens_file else {}),
    )
    app.state.settings = settings
    app.state.metrics = metrics
    app.state.current = current
    app.state.guard = Guard(settings)
    app.add_exception_handler(Problem, answer_problem)
    app.add_exception_handler(HTTPException, answer_http_exception)
    for routes in (predict, features, models, releases, health, docs):
        app.include_router(routes.router)

    @app.middleware("http")
    async def measure(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
        start = time.perf_counter()
        response = await call_next(request)
        route = getattr(request.scope.get("route"), "path", "unknown")
        metrics.requests.labels(route, response.status_code).inc()
        metrics.seconds.labels(route).observe(time.perf_counter() - start)
        return response

    app.add_middleware(Guarded, guard=app.state.guard)
    return app
