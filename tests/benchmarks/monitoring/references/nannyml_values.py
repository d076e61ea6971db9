"""Writes nannyml.json: NannyML's confidence-based estimates of the scores of scores.csv, in chunks of 200 rows.

python nannyml_values.py FOLDER     (nannyml 0.13.1)
"""

import json
import os
import sys
import warnings
from pathlib import Path

os.environ["NML_DISABLE_USAGE_LOGGING"] = "1"

import nannyml
import numpy as np
import pandas as pd
from nannyml.calibration import IsotonicCalibrator, NoopCalibrator

warnings.filterwarnings("ignore")

CHUNK = 200
METRICS = ["roc_auc", "average_precision", "f1", "precision", "recall", "specificity", "accuracy"]
PARTS = ["value", "sampling_error", "realized", "lower_confidence_boundary", "upper_confidence_boundary", "alert"]
LIMITS = ["lower_threshold", "upper_threshold"]
RANDOM = {("average_precision", part) for part in PARTS[1:2] + PARTS[3:5]}
"""The sampling error of average precision is a bootstrap without a seed."""


def estimates(reference: pd.DataFrame, analysis: pd.DataFrame, score: str, is_calibrated: bool) -> dict:
    """Of a score, by metric and chunk, with the calibrator where one was used."""
    calibrator = IsotonicCalibrator() if is_calibrated else NoopCalibrator()
    estimator = nannyml.CBPE(
        metrics=METRICS,
        y_pred_proba=score,
        y_pred=f"{score}_decision",
        y_true="label",
        problem_type="classification_binary",
        chunk_size=CHUNK,
        calibrator=calibrator,
    )
    estimator.fit(reference)
    table = estimator.estimate(analysis).filter(period="analysis").to_df()
    found: dict = {"used_calibration": bool(estimator.needs_calibration), "metrics": {}}
    if estimator.needs_calibration:
        regressor = calibrator._regressor
        found["breakpoints"] = {
            "score": [float(one) for one in regressor.X_thresholds_],
            "probability": [float(one) for one in regressor.y_thresholds_],
        }
    for metric in METRICS:
        parts = {part: table[(metric, part)].tolist() for part in PARTS if (metric, part) not in RANDOM}
        parts.update({limit: float(table[(metric, limit)].iloc[0]) for limit in LIMITS})
        found["metrics"][metric] = parts
    return found


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    np.random.seed(0)
    table = pd.read_csv(folder / "scores.csv")
    reference, analysis = (table[table.period == period].reset_index(drop=True) for period in ("reference", "analysis"))
    scores = ["score", "squared_score", "tied_score"]
    written = {
        "header": f"NannyML {nannyml.__version__}, by tests/benchmarks/monitoring/references/nannyml_values.py: CBPE on "
        f"scores.csv in chunks of {CHUNK} rows, with no calibration and with the isotonic one, "
        "which it uses only where it lowers the calibration error (used_calibration). tied_score: the sampling error of roc_auc "
        "depends on how equal scores were sorted.",
        "chunk": CHUNK,
        "without_calibration": {score: estimates(reference, analysis, score, False) for score in scores},
        "with_calibration": {score: estimates(reference, analysis, score, True) for score in scores},
    }
    (folder / "nannyml.json").write_text(json.dumps(written, indent=1) + "\n")
