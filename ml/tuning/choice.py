"""What a search has found, for the training of its model."""

import dataclasses
import json
import logging

import duckdb

from ml.errors import DeclarationError
from ml.training.spec import ModelSpec
from ml.tuning.journal import is_held

logger = logging.getLogger("ml.tuning")


def with_best_trial(spec: ModelSpec, trials: duckdb.DuckDBPyRelation | None) -> tuple[ModelSpec, str]:
    """A model's declaration with the best trial's parameters and estimator in it, and a note for the reason to train.

    trials: the table of its trials. Without a finished trial of an estimator that the search tries, the declared parameters
    stand; the note says where a search is running. Raises DeclarationError where a model that is tuned comes without trials.
    """
    if spec.search is None:
        return spec, ""
    if trials is None:
        raise DeclarationError(
            f"model {spec.name}: config.meta.model declares a search, and its Python model gives train() no trials; add the line "
            f'trials = dbt.ref("{spec.name}_trials") to it, and pass trials to train() last.'
        )
    note = ""
    if is_held(spec.name):
        note = "; a search is running, and its best trial counts when it has ended"
        logger.warning("model %s%s", spec.name, note)
    for estimator, params in trials.filter("is_best").select("estimator, cast(params as varchar)").fetchall():
        if estimator in spec.search.spaces:
            fixed = spec.parameters if estimator == spec.estimator else {}
            found = dataclasses.replace(spec, estimator=estimator, parameters=fixed | json.loads(params))
            return found, note
    return spec, note
