"""Files of request bodies, one a line, of accounts drawn anew for each request."""

import json
from pathlib import Path

import numpy as np

from tests.benchmarks.http_serving.home import ACCOUNTS


def predictions(path: Path, requests: int, entities: int = 1, accounts: int = ACCOUNTS) -> Path:
    """Bodies for /predict. No account comes twice within a run through `accounts` of them. Returns the path."""
    chance = np.random.default_rng(entities)
    repeats = -(-requests * entities // accounts)
    drawn = np.concatenate([chance.permutation(accounts) for _ in range(repeats)])[: requests * entities]
    with path.open("w") as file:
        for row in drawn.reshape(requests, entities).tolist():
            file.write(json.dumps({"instances": [{"account": account} for account in row]}) + "\n")
    return path
