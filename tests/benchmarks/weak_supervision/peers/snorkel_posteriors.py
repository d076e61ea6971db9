"""snorkel's label model for each vote matrix of a folder: `python snorkel_posteriors.py FOLDER`.

The folder holds `votes_<n>.npy`, int8, -1 abstains, and `plan.json`: {classes, balances: [shares or null]}. The posteriors are
written to `posterior_<n>.npy`. All settings are snorkel's own.
"""

import json
import sys
from pathlib import Path

import numpy as np
from snorkel.labeling.model import LabelModel

folder = Path(sys.argv[1])
plan = json.loads((folder / "plan.json").read_text())
for place, balance in enumerate(plan["balances"]):
    votes = np.load(folder / f"votes_{place}.npy").astype(int)
    model = LabelModel(cardinality=plan["classes"], verbose=False)
    model.fit(votes, class_balance=balance, seed=place, progress_bar=False)
    np.save(folder / f"posterior_{place}.npy", model.predict_proba(votes))
