"""What a request for predictions got, for whichever protocol it came by, and how it is written as JSON."""

import dataclasses
from dataclasses import dataclass
from typing import Any, NamedTuple

import orjson

from ml.field_types import encode
from serving.predictions.predictor import Explanation, Prediction

_OPTIONS = orjson.OPT_UTC_Z


class MadeBy(NamedTuple):
    """The arm of an experiment that made a prediction, and its version of a model."""

    arm: str
    model: str
    version: int


@dataclass(slots=True)
class Answered:
    """A prediction for each instance, in order, and their lines of the event log.

    model: that was asked for; version: of it, None where an experiment had others answer; classes: of a multiclass task;
    event_count: the predictions in the lines; experiment: its name, made_by: of each prediction, where one split the requests;
    absent: the arms of an ensemble that were not ready; head: what `head_of` made of its names, if that was done before.
    """

    model: str
    version: int | None
    release: str
    request_id: str
    classes: list[str]
    predictions: list[Prediction]
    events: bytes
    event_count: int
    explanations: list[Explanation] | None = None
    experiment: str | None = None
    made_by: list[MadeBy] | None = None
    absent: list[str] | None = None
    head: bytes | None = None

    def to_json(self) -> bytes:
        """The body of the answer."""
        found = [self._prediction(one) for one in self.predictions]
        for one, explanation in zip(found, self.explanations or (), strict=False):
            one["explanation"] = dataclasses.asdict(explanation)
        for one, made_by in zip(found, self.made_by or (), strict=False):
            one["arm"], one["model"], one["version"] = made_by
        more: dict[str, Any] = {}
        if self.experiment is not None:
            more["experiment"] = self.experiment
        if self.absent is not None:
            more["absent"] = self.absent
        tail = dump(more | {"predictions": found})[1:]
        head = self.head or head_of(self.model, self.version, self.release)
        return b'%s"%s",%s' % (head, self.request_id.encode(), tail)

    def _prediction(self, prediction: Prediction) -> dict[str, Any]:
        answer: dict[str, Any] = {"score": prediction.score}
        if self.classes:
            answer["score"] = dict(zip(self.classes, prediction.score, strict=True))  # type: ignore[arg-type]
        if prediction.label is not None:
            answer["label"] = prediction.label
        answer["status"] = prediction.status
        if prediction.missing:
            answer["missing"] = prediction.missing
        return answer


def head_of(model: str, version: int | None, release: str) -> bytes:
    """An object that is open, up to the colon after `request_id`."""
    return orjson.dumps({"model": model, "version": version, "release": release})[:-1] + b',"request_id":'


def dump(value: Any) -> bytes:
    """JSON: NaN and infinities become null; what orjson does not know are DECIMAL numbers."""
    return orjson.dumps(value, default=encode, option=_OPTIONS)
