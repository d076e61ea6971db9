"""The deployment: what each replica runs, and how many of them there are."""

import os
from dataclasses import dataclass
from typing import Any

from fastapi import FastAPI
from ray import serve

from ml.errors import ReleaseError
from serving.access.guard import check_binding
from serving.app import create_app
from serving.releases.current import CurrentRelease
from serving.settings import Settings

NAME = "eiderdown"
MAX_ONGOING = 100
"""The most requests that a replica answers at once; it scores those that wait together."""
MAX_QUEUED = 1000
"""The most requests that wait in a proxy for a replica; past it the proxy answers 503."""
GRACE_SECONDS = 30.0
"""The longest that requests in flight may take once a replica is to end."""
HEALTH_SECONDS = 5.0
"""How often a replica is asked whether it lives."""
_HA_PROXY = "RAY_SERVE_ENABLE_HA_PROXY"


@dataclass(frozen=True)
class Scaling:
    """How many replicas there are. `least` is one or more, `most` no fewer; the delays are in seconds."""

    least: int
    most: int
    target: float
    """The requests in flight that a replica is to have on average; more of them start replicas."""
    upscale_delay: float
    downscale_delay: float
    cpus: float
    """The CPUs of the cluster that a replica takes; it starts where as many are free."""


class Replica:
    """One replica's side of the application, which `serve.ingress` puts in front of it as `app`."""

    app: FastAPI

    async def check_health(self) -> None:
        """Raise ReleaseError where no release is served, with the reason.

        Ray asks a new replica before it gets a request, so one that cannot load the current release never gets any, and
        Ray tries another.
        One that serves a release goes on with it, whatever is published after.
        """
        current: CurrentRelease = self.app.state.current
        if current.release is None:
            raise ReleaseError(current.problem or "no release is served.")


def build_app() -> FastAPI:
    """The application of a replica, whose settings are in its environment. Ray runs its start and its end.

    The guard sees the address at which Ray's proxy was reached, so what is not loopback is refused without tokens whatever
    the options of a Serve that others started. HAProxy in the proxy's place hides it.
    """
    settings = Settings.from_environment()
    if os.environ.get(_HA_PROXY) == "1":
        check_binding("0.0.0.0", settings)
    return create_app(settings)


def application(scaling: Scaling, variables: dict[str, str]) -> Any:
    """The Ray Serve application of replicas with these environment variables, for `serve.run`."""
    deployment = serve.deployment(
        serve.ingress(build_app)(Replica),
        name=NAME,
        max_ongoing_requests=MAX_ONGOING,
        max_queued_requests=MAX_QUEUED,
        autoscaling_config={
            "min_replicas": scaling.least,
            "max_replicas": scaling.most,
            "target_ongoing_requests": scaling.target,
            "upscale_delay_s": scaling.upscale_delay,
            "downscale_delay_s": scaling.downscale_delay,
        },
        graceful_shutdown_timeout_s=GRACE_SECONDS,
        graceful_shutdown_wait_loop_s=0.1,
        health_check_period_s=HEALTH_SECONDS,
        health_check_timeout_s=30.0,
        ray_actor_options={"num_cpus": scaling.cpus, "runtime_env": {"env_vars": variables}},
        logging_config={"enable_access_log": False},
    )
    return deployment.bind()
