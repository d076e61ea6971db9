"""What a contender costs, in a process of its own; needs the standard library alone."""

import json
import resource
import time
from collections.abc import Callable


def measure(work: Callable[[], object]) -> None:
    """Run the work once and print {seconds, cpu, peak_gb, start_cpu}.

    seconds and cpu (user and system) are of the work alone; start_cpu is what the process took until then, its imports.
    """
    started, start_cpu = time.perf_counter(), _cpu()
    work()
    seconds, cpu = time.perf_counter() - started, _cpu() - start_cpu
    print(json.dumps({"seconds": seconds, "cpu": cpu, "peak_gb": _peak_gb(), "start_cpu": start_cpu}), flush=True)


def _cpu() -> float:
    """Of this process and of those that it started and that have ended."""
    return sum(
        usage.ru_utime + usage.ru_stime for usage in map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    )


def _peak_gb() -> float:
    """The most resident memory so far. ru_maxrss may be that of the process which started this one."""
    with open("/proc/self/status") as lines:
        return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1e6
