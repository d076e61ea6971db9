"""Loads an ONNX model of Eiderdown for MLflow: frames with texts for categories in, scores out."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pandas as pd


class Model:
    """A model that MLflow can ask."""

    def __init__(self, folder: Path) -> None:
        self._session = onnxruntime.InferenceSession(folder / "model.onnx", providers=["CPUExecutionProvider"])
        self._features = json.loads((folder / "features.json").read_text())

    def predict(self, frame: pd.DataFrame, params: Any = None) -> Any:
        """float64: shape (rows,), or (rows, classes). A text that is no known category counts as missing."""
        feed = {}
        for feature in self._features:
            values = frame[feature["name"]].astype("object")
            if feature["categories"] is None:
                feed[feature["name"]] = values.astype("float64").to_numpy()
            else:
                feed[feature["name"]] = np.where(values.isna(), "", values).astype(object)
        return self._session.run(["score"], feed)[0]


def _load_pyfunc(path: str) -> Model:
    return Model(Path(path))
