"""Adaptive batches beside fixed ones, with a heavy model across steps in load.

Each contender is a server of its own, with EIDERDOWN_FIXED_BATCH rows (0: adaptive) and one EIDERDOWN_SLO_MS, in turns. The
load is a closed loop whose concurrency steps up and down. A contender's throughput is of all steps together; it counts where
p99 of every step keeps the objective.
"""

import argparse
import statistics
import tempfile
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks.http_serving import bodies
from tests.benchmarks.http_serving.home import Home, built
from tests.benchmarks.http_serving.load import Phase, closed_loop
from tests.benchmarks.http_serving.report import show
from tests.benchmarks.http_serving.servers import eiderdown

SIZES = (0, 1, 2, 4, 8, 16, 32, 64, 128, 256)
STEPS = (4, 64, 4)


@dataclass(frozen=True)
class Round:
    """Answers a second and p99 in milliseconds of each step, and requests that got no good answer."""

    rates: list[float]
    tails: list[float]
    failed: int


def measure(home: Home, size: int, file: Path, seconds: float, slo_ms: float) -> Round:
    """One contender, once."""
    # Otherwise the network's matrix products take both cores by turns from the load generator, and no figure comes twice.
    settings = {"EIDERDOWN_FIXED_BATCH": str(size), "EIDERDOWN_SLO_MS": f"{slo_ms:g}", "OPENBLAS_NUM_THREADS": "1"}
    with eiderdown(home, settings) as server:
        found = closed_loop(f"{server.url}/predict/heavy", file, [Phase(level, seconds) for level in STEPS])
    steps = [found.of_phase(place) for place in range(len(STEPS))]
    failed = found.count - int((found.status == 200).sum())
    return Round([step.per_second(seconds) for step in steps], [step.percentile(99) for step in steps], failed)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=2, help="of a step")
    parser.add_argument("--rounds", type=int, default=3, help="medians are shown")
    parser.add_argument("--slo-ms", type=float, default=100, help="the objective for p99")
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES, help="rows of a batch; 0: adaptive")
    options = parser.parse_args()
    home = built()
    found: dict[int, list[Round]] = {size: [] for size in options.sizes}
    with tempfile.TemporaryDirectory() as folder:
        file = bodies.predictions(Path(folder) / "bodies", 100_000)
        for _ in range(options.rounds):
            for size, rounds in found.items():
                rounds.append(measure(home, size, file, options.seconds, options.slo_ms))
    rows, kept = [], {}
    for size, rounds in found.items():
        rates = [statistics.median(values) for values in zip(*(one.rates for one in rounds), strict=True)]
        tails = [statistics.median(values) for values in zip(*(one.tails for one in rounds), strict=True)]
        failed, mean = sum(one.failed for one in rounds), statistics.mean(rates)
        is_kept = max(tails) <= options.slo_ms and not failed
        if is_kept:
            kept[size] = mean
        steps = [text for rate, tail in zip(rates, tails, strict=True) for text in (f"{rate:,.0f}", f"{tail:.1f}")]
        rows.append([str(size or "adaptive"), *steps, f"{mean:,.0f}", "yes" if is_kept else "no", str(failed)])
    columns = [text for level in STEPS for text in (f"{level} at once, /s", "p99 ms")]
    best = max((mean for size, mean in kept.items() if size), default=None)
    note = "No fixed size keeps the objective." if best is None else "Adaptive batches do not keep the objective."
    if best is not None and 0 in kept:
        note = f"Adaptive: {kept[0] / best:.0%} of the best fixed size that keeps the objective; the goal is 95 %."
    title = f"Batches of a heavy model, steps of {options.seconds:g} s, objective p99 {options.slo_ms:g} ms"
    show(title, ["rows", *columns, "all, /s", "kept", "failed"], rows, note)


if __name__ == "__main__":
    main()
