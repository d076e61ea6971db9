"""A request's predictions as JSON: the answer to the client, and the line of the event log."""

import dataclasses
import datetime as dt
from collections.abc import Sequence
from typing import Any

import orjson

from ml.field_types import encode
from serving.predictions.predictor import Explanation, Prediction, Predictor
from serving.requests.instances import Row

_OPTIONS = orjson.OPT_UTC_Z


class PredictionLines:
    """What is the same of each line of a version of a model in a release is rendered once."""

    def __init__(self, predictor: Predictor, release: str) -> None:
        released, self._classes = predictor.released, predictor.signature.classes
        names = {"model": released.model, "version": released.version, "release": release}
        self._answer = orjson.dumps(names)[:-1] + b',"request_id":"'
        features = [feature.name for feature in predictor.signature.features]
        fields = {"fields": list(predictor.fields.types), "names": features}
        classes = {"classes": self._classes} if self._classes else {}
        self._event = orjson.dumps(names | fields | classes)[:-1] + b',"request_id":"'

    def answer(
        self, request_id: str, predictions: list[Prediction], explanations: Sequence[Explanation] | None = None
    ) -> bytes:
        """The body of the answer."""
        found = [self._prediction(one) for one in predictions]
        for one, explanation in zip(found, explanations or (), strict=False):
            one["explanation"] = dataclasses.asdict(explanation)
        return b'%s%s","predictions":%s}' % (self._answer, request_id.encode(), _dump(found))

    def _prediction(self, prediction: Prediction) -> dict[str, Any]:
        answer: dict[str, Any] = {"score": prediction.score}
        if self._classes:
            answer["score"] = dict(zip(self._classes, prediction.score, strict=True))  # type: ignore[arg-type]
        if prediction.label is not None:
            answer["label"] = prediction.label
        answer["status"] = "incomplete" if prediction.missing else "ok"
        if prediction.missing:
            answer["missing"] = prediction.missing
        return answer

    def event(self, request_id: str, rows: list[Row], predictions: list[Prediction]) -> bytes:
        """The line of the event log: a list for each column, with an entry for each instance."""
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
        return b'%s%s",%s\n' % (self._event, request_id.encode(), _dump(columns)[1:])


def _dump(value: Any) -> bytes:
    # NaN and infinities become null; what orjson does not know are DECIMAL numbers.
    return orjson.dumps(value, default=encode, option=_OPTIONS)
