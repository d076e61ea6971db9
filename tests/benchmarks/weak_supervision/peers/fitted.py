"""A label model fitted, and the posterior of each row, in a process of its own: `python fitted.py CONTENDER FOLDER CLASSES`.

CONTENDER: table (the votes are a table of DuckDB, and so are the posteriors), matrix (LabelModel on the numpy matrix) or snorkel.
The folder holds `votes.npy`, int8, -1 abstains. Prints what the fit took, then what the posteriors took; they go to
`<contender>.npy`.
"""

import sys
from pathlib import Path

import numpy as np

from tests.benchmarks.monitoring.peers.measured import measure

CONTENDER, FOLDER, CLASSES = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
VOTES = np.load(FOLDER / "votes.npy")
FOUND: list[np.ndarray] = []


def table() -> None:
    import duckdb
    import pyarrow as pa

    from ml.labeling import LabelModel

    names = [f"function_{place}" for place in range(VOTES.shape[1])]
    connection = duckdb.connect(str(FOLDER / "votes.duckdb"))
    columns = {name: pa.array(column, mask=column < 0) for name, column in zip(names, VOTES.T, strict=True)}
    connection.register("given", pa.table({"row_id": np.arange(len(VOTES)), **columns}))
    connection.execute("create or replace table votes as from given")
    model = LabelModel(CLASSES)
    held: list[np.ndarray] = []

    def fit() -> None:
        places = ", ".join(f"ifnull({name}, -1)::tinyint as {name}" for name in names)
        counted = connection.sql(f"select {places}, count(*) as rows from votes group by all order by all").fetchnumpy()
        held.append(np.stack([counted[name] for name in names], 1))
        model.fit(held[0], counts=counted["rows"])

    def predict() -> None:
        posterior = model.predict_proba(held[0])
        classes = {f"class_{place}": column for place, column in enumerate(posterior.T)}
        patterns = {name: pa.array(column, mask=column < 0) for name, column in zip(names, held[0].T, strict=True)}
        connection.register("patterns", pa.table({**patterns, **classes}))
        same = " and ".join(f"votes.{name} is not distinct from patterns.{name}" for name in names)
        connection.execute(
            f"create or replace table labels as select row_id, {', '.join(classes)} from votes join patterns on {same}"
        )

    measure(fit)
    measure(predict)
    FOUND.append(
        np.stack(list(connection.sql("select * exclude row_id from labels order by row_id").fetchnumpy().values()), 1)
    )


def matrix() -> None:
    from ml.labeling import LabelModel

    model = LabelModel(CLASSES)
    measure(lambda: model.fit(VOTES))
    measure(lambda: FOUND.append(model.predict_proba(VOTES)))


def snorkel() -> None:
    from snorkel.labeling.model import LabelModel

    votes = VOTES.astype(int)
    model = LabelModel(cardinality=CLASSES, verbose=False)
    measure(lambda: model.fit(votes, seed=0, progress_bar=False))
    measure(lambda: FOUND.append(model.predict_proba(votes)))


{"table": table, "matrix": matrix, "snorkel": snorkel}[CONTENDER]()
np.save(FOLDER / f"{CONTENDER}.npy", FOUND[0])
