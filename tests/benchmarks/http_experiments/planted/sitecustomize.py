"""Faults that http_experiments/servers.py plants in a server's processes: Python imports this at their start, from PYTHONPATH.

PLANTED is `kind:share`, kind being `hangs`, `spins` or `crashes` of the shadow, or `straggles` of version 2. Each time is
noted by a byte that is appended to the file PLANTED_NOTE.
"""

import os
import random
import sys
import time
from pathlib import Path

STRAGGLES_SECONDS = 0.2
STRAGGLER = 2


def plant(kind: str, share: float) -> None:
    """Have Predictor.predict do so in a share of its calls."""
    from serving.predictions.predictor import Predictor

    predict = Predictor.predict

    def planted(self, rows, stages):
        if (kind == "straggles" and self.released.version != STRAGGLER) or random.random() >= share:
            return predict(self, rows, stages)
        with Path(os.environ["PLANTED_NOTE"]).open("ab") as note:
            note.write(b".")
        if kind == "crashes":
            os._exit(3)
        while kind == "spins":
            pass
        while kind == "hangs":
            time.sleep(1000)
        predictions = predict(self, rows, stages)
        time.sleep(STRAGGLES_SECONDS)
        stages.scored = time.perf_counter()
        return predictions

    Predictor.predict = planted


if "PLANTED" in os.environ:
    its_kind, its_share = os.environ["PLANTED"].split(":")
    is_shadow = "shadow" in sys.orig_argv
    is_server = "serving.experiments.beside" not in sys.orig_argv
    if is_server if its_kind == "straggles" else is_shadow:
        plant(its_kind, float(its_share))
