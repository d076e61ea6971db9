"""wrk, with `wrk.lua`: a closed loop of one thread."""

import json
import shutil
import subprocess
from pathlib import Path

_SCRIPT = Path(__file__).with_name("wrk.lua")


def wrk(url: str, bodies: Path, connections: int, seconds: float) -> dict[str, float]:
    """Ask by POST, with a file's lines in turn. Returns p50 and p99 in ms, answers per_second, and errors (their number).

    Raises SystemExit where wrk is not installed or ends with an error.
    """
    if shutil.which("wrk") is None:
        raise SystemExit("No wrk, the load generator; on Debian and Ubuntu: apt-get install wrk")
    options = ["-t1", f"-c{connections}", f"-d{max(round(seconds), 1)}s", "--timeout", "10s", "-s", _SCRIPT]
    done = subprocess.run(["wrk", *options, url, "--", bodies], capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(f"wrk {url}: {done.stderr or done.stdout}")
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found
