"""Rules applied to texts, in a process of its own: `python applied.py CONTENDER FOLDER`.

CONTENDER: sql (DuckDB, into a table of a database file), loop (re.search in Python), lf_applier or pandas_lf_applier (snorkel's).
The folder holds `texts.json`. Prints what it took; the vote matrix goes to `<contender>.npy`, int8, -1 abstains.
"""

import json
import re
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from tests.benchmarks.monitoring.peers.measured import measure
from tests.benchmarks.weak_supervision.rules import RULES, votes_sql

CONTENDER, FOLDER = sys.argv[1], Path(sys.argv[2])
TEXTS: list[str] = json.loads((FOLDER / "texts.json").read_text())
FOUND: list[np.ndarray] = []


def sql() -> None:
    import duckdb
    import pyarrow as pa

    connection = duckdb.connect(str(FOLDER / "votes.duckdb"))
    connection.register("given", pa.table({"row_id": range(len(TEXTS)), "text": TEXTS}))
    connection.execute("create or replace table texts as from given")
    measure(lambda: connection.execute(f"create or replace table votes as {votes_sql('texts')}"))
    columns = ", ".join(f"ifnull({name}::tinyint, -1::tinyint) as {name}" for name in RULES)
    FOUND.append(
        np.stack(list(connection.sql(f"select {columns} from votes order by row_id").fetchnumpy().values()), 1)
    )


def loop() -> None:
    rules = [(re.compile(pattern), vote) for pattern, vote in RULES.values()]

    def work() -> None:
        matrix = [[vote if rule.search(text.lower()) else -1 for rule, vote in rules] for text in TEXTS]
        FOUND.append(np.array(matrix, np.int8))

    measure(work)


def lf_applier() -> None:
    from snorkel.labeling import LFApplier

    points = [SimpleNamespace(text=text) for text in TEXTS]
    measure(lambda: FOUND.append(LFApplier(_functions()).apply(points, progress_bar=False)))


def pandas_lf_applier() -> None:
    import pandas
    from snorkel.labeling import PandasLFApplier

    frame = pandas.DataFrame({"text": TEXTS})
    measure(lambda: FOUND.append(PandasLFApplier(_functions()).apply(frame, progress_bar=False)))


def _functions() -> list[Any]:
    from snorkel.labeling import LabelingFunction

    def made(name: str, rule: re.Pattern[str], vote: int) -> Any:
        return LabelingFunction(name, lambda point: vote if rule.search(point.text.lower()) else -1)

    return [made(name, re.compile(pattern), vote) for name, (pattern, vote) in RULES.items()]


{"sql": sql, "loop": loop, "lf_applier": lf_applier, "pandas_lf_applier": pandas_lf_applier}[CONTENDER]()
np.save(FOLDER / f"{CONTENDER}.npy", FOUND[0].astype(np.int8))
