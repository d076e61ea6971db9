"""What `make run` costs, and how fast a prediction is: printed, never asserted.

Builds the demonstration on all the flights in a temporary home, then again, then asks a server of its own.
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import httpx

sys.path.insert(0, str(Path(__file__).parents[2]))

from eiderdown.demonstration import tour
from tests.conftest import copy_project

REQUESTS = 500


def _timed(folder: Path, *command: str) -> float:
    start = time.perf_counter()
    binary = str(Path(sys.executable).parent / command[0])
    subprocess.run([binary, *command[1:]], cwd=folder, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start


def _latencies(url: str, instances: list[dict]) -> list[float]:
    milliseconds = []
    with httpx.Client(base_url=url) as client:
        for _ in range(REQUESTS):
            start = time.perf_counter()
            client.post("/predict/flight_delay", json={"instances": instances}).raise_for_status()
            milliseconds.append((time.perf_counter() - start) * 1000)
    return sorted(milliseconds)


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        project = copy_project(Path(folder))
        os.environ["EIDERDOWN_HOME"] = str(project.home)
        print(f"load flights        {_timed(project.folder, 'eiderdown', 'load', 'flights'):7.1f} s")
        print(f"dbt build           {_timed(project.folder, 'dbt', 'build'):7.1f} s")
        print(f"dbt run, again      {_timed(project.folder, 'dbt', 'run'):7.1f} s")
        auc = (
            "select model, value from registry.model_metrics where metric = 'auc' and split = 'test' and slice = 'all'"
        )
        for model, value in sorted(project.query(auc)):
            print(f"AUC Nov-Dec  {value:.4f}  {model}")
        with tour.server() as (url, _):
            for count in (1, 100):
                times = _latencies(url, [tour.INSTANCE] * count)
                print(
                    f"predict {count:>3} instances   p50 {statistics.median(times):6.2f} ms   "
                    f"p99 {times[int(REQUESTS * 0.99)]:6.2f} ms   ({REQUESTS} requests, one client)"
                )


if __name__ == "__main__":
    main()
