"""Environment variables: what Ray is told before it is imported, and what replicas get of the settings."""

import os
from pathlib import Path

from ml import files
from serving.metrics.snapshots import FOLDER_VARIABLE

_LOOPBACK = {
    # Whoever reaches Ray's own ports and has its token runs what they like. With it, Ray makes a token in its folder in the
    # user's home;
    "RAY_AUTH_MODE": "token",
    # and without clusters of several machines, which is what this says on Linux too, its ports are the loopback address's.
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
}


def prepare_ray(is_joined: bool) -> None:
    """Say to Ray, before it is imported, that it is to send no statistics, and of a cluster that is started here that it is
    this machine's alone; what is set already stays.
    """
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    if not is_joined:
        for name, value in _LOOPBACK.items():
            os.environ.setdefault(name, value)


def replica_variables(run_folder: Path | None) -> dict[str, str]:
    """What replicas get of this process's environment: the platform's settings, with paths in full.

    run_folder: where the replicas of one machine exchange their numbers, for /metrics.
    """
    found = {name: value for name, value in os.environ.items() if name.startswith("EIDERDOWN_")}
    found.pop(FOLDER_VARIABLE, None)
    found["EIDERDOWN_HOME"] = str(files.home().absolute())
    if tokens := found.get("EIDERDOWN_TOKENS_FILE"):
        found["EIDERDOWN_TOKENS_FILE"] = str(Path(tokens).absolute())
    if run_folder is not None:
        found[FOLDER_VARIABLE] = str(run_folder)
    return found
