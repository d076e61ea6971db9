"""A request's predictions by a version of a model, as a line of the event log."""

import datetime as dt
from typing import Any

import orjson

from serving.predictions.answered import dump
from serving.predictions.predictor import Prediction, Predictor
from serving.requests.instances import Row


class EventLines:
    """What is the same of each line is rendered once."""

    def __init__(
        self, model: str, version: int, release: str, fields: list[str], features: list[str], classes: list[str]
    ) -> None:
        names: dict[str, Any] = {"model": model, "version": version, "release": release}
        names |= {"fields": fields, "names": features}
        self._classes = classes
        if classes:
            names["classes"] = classes
        self._head = orjson.dumps(names)[:-1] + b',"request_id":"'

    @classmethod
    def of(cls, predictor: Predictor, release: str) -> "EventLines":
        """The lines of a version of a model."""
        released, signature = predictor.released, predictor.signature
        features = [feature.name for feature in signature.features]
        fields = list(predictor.fields.types)
        return cls(released.model, released.version, release, fields, features, signature.classes)

    def line(self, request_id: str, rows: list[Row], predictions: list[Prediction], more: bytes = b"") -> bytes:
        """The line: a list for each column, with an entry for each instance. more: other fields, as JSON with a comma behind."""
        columns: dict[str, Any] = {
            "logged_at": dt.datetime.now(dt.UTC),
            "predicted_at": [row[-1] for row in rows],
            "instances": rows,
            "features": [prediction.features for prediction in predictions],
            "probabilities" if self._classes else "score": [prediction.score for prediction in predictions],
        }
        if predictions[0].label is not None:
            columns["class" if self._classes else "label"] = [prediction.label for prediction in predictions]
        if any(prediction.missing for prediction in predictions):
            columns["missing"] = [prediction.missing for prediction in predictions]
        return b'%s%s",%s%s\n' % (self._head, request_id.encode(), more, dump(columns)[1:])
