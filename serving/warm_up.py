"""A first prediction of each model of a release, before clients ask: it shows that the whole path works."""

from typing import Any

from ml.errors import ReleaseError
from ml.field_types import decode
from ml.scoring.signature import RequestField
from serving.problems import Problem
from serving.release import Release

_VALUES = (0, "", False, "2000-01-01T00:00:00Z", "2000-01-01T00:00:00", "2000-01-01")
"""One of them is a value of each type that a request carries."""


def warm_up(release: Release) -> None:
    """Predict one made-up instance with each model of a release. Nothing is logged or counted.

    Raises ReleaseError where a model fails other than by refusing the instance, which it may: a request-time feature need not
    be defined for what is made up.
    """
    for predictor in release.predictors.values():
        fields = predictor.signature.request
        instance = {field.name: _made_up(field) for field in fields if field.required}
        try:
            predictor.predict([instance], 1, release.now())
        except Problem:
            continue
        except Exception as error:
            raise ReleaseError(
                f"{predictor.released.name}: the release loads, but a prediction fails ({type(error).__name__}: {error}). "
                "Mend the model and publish again."
            ) from error


def _made_up(field: RequestField) -> Any:
    """A JSON value of a field's type."""
    for value in _VALUES:
        try:
            decode(value, field.type)
        except ValueError:
            continue
        return value
    return None
