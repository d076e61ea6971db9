"""What labels by hand of candidates are worth beside as many random ones, on simulated votes with a known truth."""

from collections.abc import Sequence

import duckdb
import numpy as np
import pyarrow as pa

from ml.labeling import LabelModel
from tests.made_up_labels import candidates
from tests.votes import World

ROWS, LABELS = 1000, 100
WORTH = "uncertainty * (1 + conflict) / 2 * sqrt(representativeness)"


def posteriors(votes: np.ndarray, classes: int, truth: np.ndarray, labelled: np.ndarray) -> np.ndarray:
    """What a label model says of rows, when it knows the classes of some."""
    gold = np.full(len(votes), -1)
    gold[labelled] = truth[labelled]
    return LabelModel(classes).fit(votes, gold=gold).predict_proba(votes)


def asked(
    connection: duckdb.DuckDBPyConnection, votes: np.ndarray, probabilities: np.ndarray, worth: str = WORTH
) -> np.ndarray:
    """The rows that the macro would have labelled, or would if a pattern was worth something else: `worth`, in SQL."""
    functions = [f"function_{place}" for place in range(votes.shape[1])]
    columns = {name: pa.array(column, mask=column < 0) for name, column in zip(functions, votes.T, strict=True)}
    connection.register("votes", pa.table({"id": np.arange(len(votes))} | columns))
    entries = [[(str(place), share) for place, share in enumerate(row)] for row in probabilities]
    shares = pa.array(entries, pa.map_(pa.string(), pa.float64()))
    labels = {
        "id": np.arange(len(votes)),
        "label": probabilities.argmax(axis=1),
        "probability": probabilities.max(axis=1),
    }
    source = pa.array(np.where((votes >= 0).any(axis=1), "functions", None))
    connection.register("labels", pa.table(labels | {"probabilities": shares, "source": source}))
    query = candidates("labels", "votes", "id", functions, [], LABELS)
    assert query.count(f"{WORTH} as worth") == 1
    query = query.replace(f"{WORTH} as worth", f"{worth} as worth")
    return connection.sql(f"select id from ({query})").fetchnumpy()["id"]


def accuracies(world: World, seed: int, worths: Sequence[str] = (WORTH,)) -> np.ndarray:
    """The share of rows whose label is right, of those with a vote, shape (worths + 2, 2): without labels by hand, with those of
    random rows, and with those of the candidates by each worth; by the label model alone, and where experts' labels stand.
    """
    votes, truth = world.draw(ROWS, seed)
    classes, voted = len(world.balance), (votes >= 0).any(axis=1)
    nothing = np.array([], np.int64)
    before = posteriors(votes, classes, truth, nothing)
    drawn = np.random.default_rng(seed).choice(np.flatnonzero(voted), LABELS, replace=False)
    with duckdb.connect() as connection:
        chosen = [asked(connection, votes, before, worth) for worth in worths]
    found = []
    for labelled in (nothing, drawn, *chosen):
        label = posteriors(votes, classes, truth, labelled).argmax(axis=1)
        alone = (label == truth)[voted].mean()
        label[labelled] = truth[labelled]
        found.append((alone, (label == truth)[voted].mean()))
    return np.array(found)
