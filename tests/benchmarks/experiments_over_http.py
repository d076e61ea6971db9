"""Experiments over HTTP: what routing costs, shadows, ensembles with a straggler, and policies that learn. A table each.

Each part is a module of `http_experiments` with options of its own: `python -m tests.benchmarks.http_experiments.shadow --help`.
"""

import argparse
import os
import subprocess
import sys
from pathlib import Path

PARTS = ("routing", "shadow", "ensemble", "learning")
REPOSITORY = Path(__file__).parents[2]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--part", nargs="+", choices=PARTS, default=PARTS)
    options = parser.parse_args()
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY)}
    for part in options.part:
        module = f"tests.benchmarks.http_experiments.{part}"
        subprocess.run([sys.executable, "-m", module], check=True, cwd=REPOSITORY, env=environment)


if __name__ == "__main__":
    main()
