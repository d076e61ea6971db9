"""What each contender makes of the same votes."""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from ml.labeling import LabelModel, MajorityLabelVoter
from tests.benchmarks.monitoring.environments import environment
from tests.conftest import REPOSITORY

PEERS = Path(__file__).parent / "peers"


def majority_vote(votes: np.ndarray, classes: int) -> np.ndarray:
    """The posterior, shape (rows, classes); votes: shape (rows, functions), -1 abstains."""
    return MajorityLabelVoter(classes).predict_proba(votes)


def label_model(votes: np.ndarray, classes: int, method: str = "em", **told: object) -> np.ndarray:
    """The posterior of the platform's label model, which is told nothing but what stands here; shapes as above."""
    return LabelModel(classes, method=method).fit(votes, **told).predict_proba(votes)  # type: ignore[arg-type]


def snorkel(matrices: list[np.ndarray], classes: int, balances: list[np.ndarray | None]) -> list[np.ndarray]:
    """The posteriors of snorkel's label model for each vote matrix, which is told the class balance where there is one."""
    with tempfile.TemporaryDirectory() as folder:
        for place, votes in enumerate(matrices):
            np.save(Path(folder) / f"votes_{place}.npy", votes)
        known = [None if balance is None else balance.tolist() for balance in balances]
        (Path(folder) / "plan.json").write_text(json.dumps({"classes": classes, "balances": known}))
        run(theirs("snorkel_posteriors.py", folder))
        return [np.load(Path(folder) / f"posterior_{place}.npy") for place in range(len(matrices))]


def run(command: list[object]) -> list[dict[str, float]]:
    """What one process prints of itself, see monitoring/peers/measured.py. Raises SystemExit where it fails."""
    done = subprocess.run(
        [str(part) for part in (command[0], "-W", "ignore", *command[1:])],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
    )
    if done.returncode != 0:
        raise SystemExit(f"{command[1]} ended with {done.returncode}: {done.stderr[-2000:]}")
    return [json.loads(line) for line in done.stdout.splitlines()]


def ours(script: str, *arguments: object) -> list[object]:
    """The command of a script of ours in `peers`."""
    return [sys.executable, PEERS / script, *arguments]


def theirs(script: str, *arguments: object) -> list[object]:
    """The command of a script of snorkel's in `peers`."""
    return [environment("snorkel"), PEERS / script, *arguments]
