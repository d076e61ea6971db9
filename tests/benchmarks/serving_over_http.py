"""Everything that is measured of serving over HTTP, one table after another; `--seconds` shortens each part.

Each part is a module of `http_serving` with options of its own: `python -m tests.benchmarks.http_serving.latency --help`.
"""

import argparse
import os
import subprocess
import sys
from pathlib import Path

PARTS = ("latency", "hundred_entities", "batching", "overload", "releases_under_load")
REPOSITORY = Path(__file__).parents[2]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", help="given to every part in place of its own")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS)
    options = parser.parse_args()
    shorter = ["--seconds", options.seconds] if options.seconds else []
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY)}
    for part in options.parts:
        module = f"tests.benchmarks.http_serving.{part}"
        subprocess.run([sys.executable, "-m", module, *shorter], check=True, cwd=REPOSITORY, env=environment)


if __name__ == "__main__":
    main()
