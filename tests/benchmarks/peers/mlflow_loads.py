"""Do MLflow's own loaders read what `eiderdown models export --format mlflow` writes? Run by hand: `python mlflow_loads.py`.

Exports every version of the home's registry under its `benchmarks/mlflow`, makes an environment with MLflow, which the
project does not need, loads each folder there by `mlflow.pyfunc.load_model`, a LightGBM model by
`mlflow.lightgbm.load_model` and any other by `mlflow.onnx.load_model` too, and compares the scores of 10,000 rows of the
version's dataset with ours. Prints one table; ends with 1 where a score differs by more than 1e-12.
"""

import json
import shutil
import subprocess
import sys
from importlib.metadata import version as library_version

import numpy as np
import pyarrow.parquet as pq
from rich.console import Console
from rich.table import Table

import eiderdown
from ml import files
from ml.export.mlflow_format import write_mlflow
from tests.environments import environment

ROWS = 10_000
PACKAGES = ("lightgbm", "numpy", "onnx", "onnxruntime", "pandas", "pyarrow")

# Runs in MLflow's environment, with the folder of a model: {loader: the greatest difference}.
LOAD = """
import json, sys
from pathlib import Path
import mlflow, numpy as np, pandas as pd
folder = Path(sys.argv[1])
frame, ours = pd.read_parquet(folder / "rows.parquet"), np.load(folder / "scores.npy")
found = {"pyfunc": np.abs(mlflow.pyfunc.load_model(str(folder / "model")).predict(frame) - ours).max()}
features = json.loads((folder / "model" / "features.json").read_text())
if (folder / "model" / "model.lgb").exists():
    import mlflow.lightgbm
    kinds = {one["name"]: "float64" if one["categories"] is None else "category" for one in features}
    booster = mlflow.lightgbm.load_model(str(folder / "model"))
    found["lightgbm"] = np.abs(booster.predict(frame.astype(object).astype(kinds)) - ours).max()
else:
    import mlflow.onnx
    found["onnx"] = 0.0 if len(mlflow.onnx.load_model(str(folder / "model")).graph.input) == len(features) else np.inf
print(json.dumps({name: float(value) for name, value in found.items()}))
"""


def main() -> int:
    """Export, load and compare."""
    home = files.home() / "benchmarks" / "mlflow"
    python = environment("mlflow_loads", "mlflow", *(f"{package}=={library_version(package)}" for package in PACKAGES))
    table = Table("model", "loader", "greatest difference", title=f"Scores of {ROWS:,} rows, MLflow's loaders and ours")
    is_right = True
    for model in eiderdown.models():
        folder = home / model.record.name
        shutil.rmtree(folder, ignore_errors=True)
        write_mlflow(model.record, folder / "model")
        rows = eiderdown.dataset(model.record.dataset, model.record.dataset_version).to_arrow(model.features)
        rows = rows.take(np.unique(np.linspace(0, rows.num_rows - 1, ROWS).astype(int)))
        pq.write_table(rows, folder / "rows.parquet")
        np.save(folder / "scores.npy", model.predict(rows))
        loaded = subprocess.run([python, "-c", LOAD, str(folder.resolve())], capture_output=True, text=True, check=True)
        for loader, difference in json.loads(loaded.stdout.splitlines()[-1]).items():
            table.add_row(model.record.name, loader, f"{difference:.3g}")
            is_right = is_right and difference <= 1e-12
    Console().print(table)
    return 0 if is_right else 1


if __name__ == "__main__":
    sys.exit(main())
