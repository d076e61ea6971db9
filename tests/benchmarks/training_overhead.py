"""What training through the platform costs beside calling LightGBM on the same matrix, in one process.

The demonstration's flight_delay, from its recorded dataset version: reading it, checking it, the matrix, the training, the
baseline, the artifact, the threshold and the canary; against lightgbm.train() on the matrix with the same parameters, and
the model saved.
"""

import argparse
import os
import shutil
import statistics
import tempfile
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import duckdb
import yaml
from rich.console import Console
from rich.table import Table

from ml import files

REPOSITORY = Path(__file__).parents[2]


class _This(SimpleNamespace):
    def __str__(self) -> str:
        return f"training.{self.identifier}"


def _direct(prepared: Any, parameters: dict[str, Any], folder: Path) -> None:
    import lightgbm

    data = prepared.data
    options: dict[str, Any] = {
        "feature_name": [feature.name for feature in data.features],
        "categorical_feature": [feature.name for feature in data.features if feature.categories is not None],
        "params": {"verbosity": -1},
    }
    train = lightgbm.Dataset(*data.train, **options)
    validation = lightgbm.Dataset(*data.validation, reference=train, **options)
    own = {
        name: value for name, value in parameters.items() if name not in ("num_boost_round", "early_stopping_rounds")
    }
    fixed = {"seed": 1, "deterministic": True, "force_row_wise": True, "verbosity": -1, "num_threads": os.cpu_count()}
    booster = lightgbm.train(
        fixed | own,
        train,
        num_boost_round=parameters["num_boost_round"],
        valid_sets=[validation],
        callbacks=[lightgbm.early_stopping(parameters["early_stopping_rounds"], verbose=False)],
    )
    booster.save_model(folder / "model.txt")


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--rounds", type=int, default=3)
    rounds = arguments.parse_args().rounds
    warehouse = files.home().resolve() / "eiderdown.duckdb"
    if not warehouse.is_file():
        raise SystemExit(f"{warehouse}: not there; run `make run` first.")
    from ml.datasets.versions import dataset_version, in_memory
    from ml.estimators.lightgbm import DEFAULTS
    from ml.training.data import prepare
    from ml.training.declarations import check_columns
    from ml.training.spec import ModelSpec
    from ml.training.train import train

    declared = yaml.safe_load((REPOSITORY / "models/training/_training.yml").read_text())["models"]
    declaration = next(one for one in declared if one["name"] == "flight_delay")["config"]["meta"]["model"]
    spec = ModelSpec.parse("flight_delay", declaration)
    times: dict[str, list[float]] = {"LightGBM alone": [], "through the platform": []}
    with tempfile.TemporaryDirectory() as folder, duckdb.connect(str(warehouse), read_only=True) as session:
        session.execute("set TimeZone = 'UTC'")
        home = Path(folder)
        shutil.copytree(files.home() / "artifacts" / "datasets", home / "artifacts" / "datasets")
        os.environ["EIDERDOWN_HOME"] = str(home)
        datasets = session.sql("select * from registry.datasets")
        dataset = dataset_version(datasets, spec.dataset)
        prepared = prepare(in_memory(), spec, dataset, check_columns(spec, dataset.columns, dataset.not_features))
        parameters = {"objective": "binary", "metric": "auc", **DEFAULTS, **spec.parameters}
        for number in range(rounds):
            start = time.perf_counter()
            _direct(prepared, parameters, home)
            times["LightGBM alone"].append(time.perf_counter() - start)
            start = time.perf_counter()
            views = session.sql("select * from registry.feature_views")
            this = _This(identifier=f"flight_delay_{number}")
            train(SimpleNamespace(this=this), session, declaration, datasets, views).fetchall()
            times["through the platform"].append(time.perf_counter() - start)
    table = Table("", "seconds, median", "all", "times LightGBM")
    alone = statistics.median(times["LightGBM alone"])
    for name, values in times.items():
        median = statistics.median(values)
        table.add_row(name, f"{median:.2f}", ", ".join(f"{value:.2f}" for value in values), f"{median / alone:.2f}")
    Console().print(table)


if __name__ == "__main__":
    main()
