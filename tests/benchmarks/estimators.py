"""What each estimator costs to train, to score and to explain, on made-up rows: printed, never asserted.

32 features, three of them categories of 3, 16 and 100 levels, 3 % of the values missing; the target hangs on a sum, on one
interaction of numbers and on one of a category. Seconds are of the processor, all threads together, so that other work on the
machine does not count.

    python tests/benchmarks/estimators.py --rows 250000
"""

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).parents[2]))

from ml.estimators import ESTIMATORS
from ml.estimators.base import TrainingData
from ml.scoring.signature import Feature

LEVELS = (3, 16, 100)
NUMBERS = 29
FEATURES = [Feature(f"number_{place}", "DOUBLE") for place in range(NUMBERS)] + [
    Feature(f"category_{count}", "VARCHAR", [str(level) for level in range(count)]) for count in LEVELS
]


def split(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Features and a binary target."""
    chance = np.random.default_rng(seed)
    numbers = chance.normal(size=(count, NUMBERS))
    codes = np.column_stack([chance.integers(0, levels, count) for levels in LEVELS])
    signal = (
        numbers[:, 0] + 0.5 * numbers[:, 1] - 1 + numbers[:, 2] * numbers[:, 3] + np.sin(codes[:, 2]) * numbers[:, 4]
    )
    target = chance.random(count) < 1 / (1 + np.exp(-signal))
    numbers[chance.random(numbers.shape) < 0.03] = np.nan
    return np.column_stack([numbers, codes]), target.astype(float)


def auc(target: np.ndarray, score: np.ndarray) -> float:
    """The area under the ROC curve, of scores without ties."""
    ranks = np.argsort(np.argsort(score)) + 1
    positive = target.sum()
    return float((ranks[target == 1].sum() - positive * (positive + 1) / 2) / (positive * (len(target) - positive)))


def seconds(work: Callable[[], object], times: int = 1) -> float:
    """Processor seconds of one call, the least of three rounds where there are many."""
    found = []
    for _ in range(3 if times > 1 else 1):
        start = time.process_time()
        for _ in range(times):
            work()
        found.append((time.process_time() - start) / times)
    return min(found)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=50_000)
    count = parser.parse_args().rows
    data = TrainingData("binary", 1, FEATURES, split(count, 1), split(count // 8, 2))
    matrix, target = data.validation
    table = Table(
        "estimator", "train s", "iterations", "auc", "artifact kB", "1 row µs", "100 rows ms", "explain 100 ms"
    )
    cases = [(name, {}) for name in ESTIMATORS] + [("linear", {"max_rows": 50_000})]
    for name, parameters in cases:
        estimator = ESTIMATORS[name]
        kept = []
        spent = seconds(lambda e=estimator, p=parameters, k=kept: k.append(e.train(data, p, 1)))  # type: ignore[misc]
        trained = kept[0]
        model = estimator(trained.artifact, FEATURES, 1)
        table.add_row(
            " ".join([name, *(f"{key}={value}" for key, value in parameters.items())]),
            f"{spent:.1f}",
            str(max(map(len, trained.learning_curve.values()))),
            f"{auc(target, model.predict(matrix)):.4f}",
            f"{len(trained.artifact) / 1000:.0f}",
            f"{1e6 * seconds(lambda m=model: m.predict(matrix[:1]), 300):.0f}",  # type: ignore[misc]
            f"{1e3 * seconds(lambda m=model: m.predict(matrix[:100]), 30):.2f}",  # type: ignore[misc]
            f"{1e3 * seconds(lambda m=model: m.contributions(matrix[:100]), 3):.1f}",  # type: ignore[misc]
        )
    Console().print(table)


if __name__ == "__main__":
    main()
