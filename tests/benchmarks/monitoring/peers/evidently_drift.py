"""Evidently's DataDriftPreset over two Parquet files: `python evidently_drift.py REFERENCE CURRENT`."""

import sys

import pandas as pd
from evidently import DataDefinition, Dataset, Report
from evidently.presets import DataDriftPreset
from measured import measure


def work() -> None:
    sides = [pd.read_parquet(path) for path in sys.argv[1:3]]
    numbers = [name for name in sides[0] if pd.api.types.is_numeric_dtype(sides[0][name])]
    categories = [name for name in sides[0] if name not in numbers]
    definition = DataDefinition(numerical_columns=numbers, categorical_columns=categories)
    reference, current = (Dataset.from_pandas(side, data_definition=definition) for side in sides)
    report = Report([DataDriftPreset()]).run(current, reference)
    if len(report.dict()["metrics"]) != 1 + len(sides[0].columns):
        raise SystemExit("Evidently left out a column.")


measure(work)
