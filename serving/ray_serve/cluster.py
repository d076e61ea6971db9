"""A Ray cluster that serves: started here or joined, with the deployment on it until a signal ends it."""

import logging
import os
import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import ray
from ray import serve
from ray.serve.exceptions import RayServeException

from ml.errors import EiderdownError
from serving.metrics.snapshots import mark_dead
from serving.process.json_logs import log_json_lines
from serving.ray_serve.deployment import NAME, Scaling, application
from serving.ray_serve.environment import replica_variables

OBJECT_STORE_BYTES = 100 * 1024 * 1024
"""Of a cluster that is started here: requests and answers of more than 100 kB go through it."""
SECONDS_BETWEEN = 1.0
LINGER_SECONDS = 0.5
"""How long a proxy may take to write the last answers that replicas gave."""

logger = logging.getLogger("serving")


def serve_on_ray(host: str, port: int, scaling: Scaling, address: str | None, ready: Callable[[], None]) -> None:
    """Serve until SIGTERM or SIGINT, and end when the requests in flight are answered; a second signal ends at once. Ray's
    proxy answers 404 to those that come in between.

    address: of a cluster to join; None starts one on this machine, which ends with this process. ready: called once the first
    replicas answer. Raises EiderdownError where the cluster is not there, or no replica can serve, with the reason.
    """
    log_json_lines()
    logging.getLogger("ray.serve").setLevel(logging.WARNING)
    with _cluster(address), tempfile.TemporaryDirectory(prefix="eiderdown-") as folder, _signals():
        run_folder = Path(folder) if address is None else None
        _start(host, port)
        try:
            _deploy(scaling, run_folder)
            ready()
            _watch(run_folder)
        except KeyboardInterrupt:
            logger.info({"event": "ending"})
        finally:
            # Replicas answer what they have, while the proxies know no way to them any more.
            serve.delete(NAME)
            time.sleep(LINGER_SECONDS)


@contextmanager
def _cluster(address: str | None) -> Iterator[None]:
    try:
        if address is None:
            ray.init(
                address="local",
                include_dashboard=False,
                object_store_memory=OBJECT_STORE_BYTES,
                logging_level=logging.WARNING,
            )
        else:
            ray.init(address=address, logging_level=logging.WARNING)
    except (ConnectionError, ValueError, RuntimeError) as error:
        raise EiderdownError(f"Ray at {address or 'this machine'}: {error}") from None
    try:
        yield
    finally:
        ray.shutdown()


@contextmanager
def _signals() -> Iterator[None]:
    """SIGTERM and SIGINT raise KeyboardInterrupt. Ray sets a handler of its own at its start, so this comes after it."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = {number: signal.signal(number, interrupt) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _start(host: str, port: int) -> None:
    serve.start(
        proxy_location="EveryNode",
        http_options={"host": host, "port": port},
        logging_config={"enable_access_log": False, "log_level": "WARNING"},
    )
    if NAME in serve.status().applications:
        raise EiderdownError(f"the cluster has an application {NAME} already; end the `eiderdown ray` that serves it.")


def _deploy(scaling: Scaling, run_folder: Path | None) -> None:
    try:
        serve.run(application(scaling, replica_variables(run_folder)), name=NAME, route_prefix="/")
    except (RuntimeError, RayServeException) as error:
        deployments = serve.status().applications[NAME].deployments.values()
        reasons = [_last_line(deployment.message) for deployment in deployments if deployment.message]
        raise EiderdownError(f"no replica can serve: {'; '.join(reasons) or error}") from None


def _watch(run_folder: Path | None) -> None:
    """Log what Ray says of the deployment where it changes, until an exception."""
    said = None
    while True:
        state = serve.status().applications[NAME].deployments[NAME]
        saying = {"status": state.status, "replicas": state.replica_states, "message": _last_line(state.message)}
        if saying != said:
            logger.info({"event": "deployment", **saying})
        said = saying
        if run_folder is not None:
            _mark_dead(run_folder)
        time.sleep(SECONDS_BETWEEN)


def _last_line(message: str) -> str:
    """Of a message with a trace in it: the error."""
    return message.strip().rpartition("\n")[2]


def _mark_dead(run_folder: Path) -> None:
    """Say of the replicas that have ended, on this machine, that their gauges go."""
    for path in run_folder.glob("*.json"):
        process = int(path.stem)
        try:
            os.kill(process, 0)
        except (ProcessLookupError, PermissionError):
            # Or its number is that of somebody else by now.
            mark_dead(run_folder, process)
