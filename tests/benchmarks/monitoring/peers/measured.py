"""What a contender costs, in a process of its own; needs the standard library alone."""

import json
import resource
import time
from collections.abc import Callable
from pathlib import Path


def measure(work: Callable[[], object]) -> None:
    """Run the work once and print {seconds, cpu, peak_gb, start_cpu, start_gb}.

    seconds and cpu (user and system) are of the work alone; start_cpu and start_gb what the process took until then, its
    imports; peak_gb the most resident memory, imports and all.
    """
    started, start_cpu, start_gb = time.perf_counter(), _cpu(), _peak_gb()
    work()
    found = {"seconds": time.perf_counter() - started, "cpu": _cpu() - start_cpu, "peak_gb": _peak_gb()}
    print(json.dumps({**found, "start_cpu": start_cpu, "start_gb": start_gb}), flush=True)


def _cpu() -> float:
    """Of this process and of those that it started and that have ended."""
    usages = [resource.getrusage(whose) for whose in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def _peak_gb() -> float:
    """The most resident memory so far. ru_maxrss would not do: it may be that of the process which started this one."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) * 1024 / 1e9
