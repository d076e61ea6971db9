"""Loads a LightGBM model of Eiderdown for MLflow: frames with texts for categories in, scores out."""

import json
from pathlib import Path
from typing import Any

import lightgbm
import pandas as pd


class Model:
    """A model that MLflow can ask."""

    def __init__(self, folder: Path) -> None:
        self._booster = lightgbm.Booster(model_file=folder / "model.lgb")
        self._features = json.loads((folder / "features.json").read_text())

    def predict(self, frame: pd.DataFrame, params: Any = None) -> Any:
        """float64: shape (rows,), or (rows, classes). A text that is no known category counts as missing."""
        columns = {}
        for feature in self._features:
            values = frame[feature["name"]]
            kind = "float64" if feature["categories"] is None else pd.CategoricalDtype(feature["categories"])
            columns[feature["name"]] = values.astype("object").astype(kind)
        return self._booster.predict(pd.DataFrame(columns), num_threads=1)


def _load_pyfunc(path: str) -> Model:
    return Model(Path(path))
