"""Which trials belong together: the name of a search."""

import re
from collections.abc import Collection
from dataclasses import asdict

from ml.digest import digest
from ml.training.spec import ModelSpec

_DECLARED = ("task", "dataset", "target", "features", "parameters", "split", "seed", "threshold")
_BUDGET = ("trials", "minutes")


def search_name(spec: ModelSpec, dataset_version: int) -> str:
    """The name of a model's search on a version of its dataset: a digest of what makes trials comparable, and the version.

    The budget is left out, so that a greater one goes on, and so is the code: what was tuned stays when the platform changes.
    """
    return f"{_identity(spec)}-v{dataset_version}"


def latest_dataset_version(spec: ModelSpec, searches: Collection[str]) -> int | None:
    """The newest dataset version that a model was searched on as it is declared now; None where it was not."""
    found = [re.fullmatch(f"{_identity(spec)}-v([0-9]+)", name) for name in searches]
    return max((int(match[1]) for match in found if match), default=None)


def _identity(spec: ModelSpec) -> str:
    declared = asdict(spec)
    search = {name: value for name, value in (declared["tune"] or declared["automl"]).items() if name not in _BUDGET}
    # The instants of a split are no JSON.
    learned = [str(declared["learn_from"])] if spec.learn_from else []
    return digest([{name: str(declared[name]) for name in _DECLARED}, search, *learned])[:12]
