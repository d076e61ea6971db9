"""Predictions of one model version: look-up, request-time features, score."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from ml.errors import ArtifactError, ReleaseError
from ml.field_types import arrow_type, encode
from ml.release.manifest import ReleasedModel
from ml.scoring.canary import check
from ml.scoring.request_features import ExpressionError, RequestFeatures
from ml.scoring.scorer import Scorer
from ml.scoring.signature import Signature, ViewInput
from serving.instances import Fields, check_moments
from serving.problems import Problem

if TYPE_CHECKING:
    from serving.release import OnlineView


@dataclass(frozen=True)
class Explanation:
    """What each feature adds to the raw score (log-odds, or a regression's value); of a multiclass task, to the label's."""

    base: float
    contributions: dict[str, float]
    raw_score: float


@dataclass(frozen=True)
class Prediction:
    """What one instance got, with what it was made of."""

    score: float | dict[str, float]
    """A number, or of a multiclass task the probability of each class."""
    label: bool | str | None
    """By the threshold of a binary task, or the likeliest class; None of a regression."""
    explanation: "Explanation | None"
    missing: list[str]
    predicted_at: dt.datetime
    instance: dict[str, Any]
    features: dict[str, Any]

    @property
    def status(self) -> str:
        """'incomplete' where a feature view had nothing current for the instance, otherwise 'ok'."""
        return "incomplete" if self.missing else "ok"


@dataclass(frozen=True)
class Inputs:
    """What instances are scored from, in their order.

    rows: their checked fields; table: the request's fields, stored and request-time features; missing: the views that had
    nothing current for each.
    """

    rows: list[dict[str, Any]]
    table: pa.Table
    missing: list[list[str]]


class Predictor:
    """Scores instances with one version of a model and a release's stored features. Safe to call from many threads."""

    def __init__(
        self, model: ReleasedModel, artifact: Path, views: dict[str, "OnlineView"], as_of: dt.datetime
    ) -> None:
        """Load a model. Raises ArtifactError or ReleaseError where it cannot serve."""
        self.released = model
        self.signature = Signature.from_json(model.signature)
        self.fields = Fields(
            {
                **{field.name: field.type for field in self.signature.request},
                self.signature.at: "TIMESTAMP WITH TIME ZONE",
            },
            required={field.name for field in self.signature.request if field.required},
        )
        self._as_of = as_of
        self._scorer = Scorer(artifact, model.artifact_format, model.sha256, self.signature)
        try:
            check(self._scorer, model.canary)
        except ArtifactError as error:
            raise ArtifactError(f"{model.name}: {error}") from error
        self._request_features = RequestFeatures(self.signature)
        self._views: list[tuple[ViewInput, OnlineView]] = []
        for view in self.signature.views:
            if view.name not in views:
                raise ReleaseError(f"{model.name}: the release lacks the feature view {view.name}; publish again.")
            self._views.append((view, views[view.name]))

    def predict(self, instances: Any, most: int, now: dt.datetime, explain: bool = False) -> list[Prediction]:
        """One prediction for each instance, in order.

        instances: JSON values; now: the prediction time of those that name none; explain: with an Explanation each.
        Raises Problem with the instance and the field that is wrong.
        """
        inputs = self.inputs(instances, most, now)
        table, at = inputs.table, self.signature.at
        scores = self._scorer.score(table)
        labels = self._labels(scores)
        explanations: Sequence[Explanation | None] = [None] * len(scores)
        if explain:
            explanations = self._explain(table, scores)
        used = table.select([feature.name for feature in self.signature.features]).to_pylist()
        return [
            Prediction(
                score=dict(zip(self.signature.classes, score, strict=True)) if self.signature.classes else score,
                label=label,
                explanation=explanation,
                missing=absent,
                predicted_at=row[at],
                instance={name: encode(value) for name, value in row.items()},
                features={name: encode(value) for name, value in features.items()},
            )
            for score, label, explanation, absent, row, features in zip(
                scores.tolist(), labels, explanations, inputs.missing, inputs.rows, used, strict=True
            )
        ]

    def inputs(self, instances: Any, most: int, now: dt.datetime) -> Inputs:
        """What each instance is scored from: its fields checked, features looked up and computed.

        Takes and raises what `predict` does.
        """
        rows = self.fields.check(instances, "instances", most)
        at = self.signature.at
        check_moments(rows, at, self._as_of, now)
        columns = {
            name: pa.array([row[name] for row in rows], arrow_type(kind)) for name, kind in self.fields.types.items()
        }
        missing: list[list[str]] = [[] for _ in rows]
        for view, online in self._views:
            places: list[int | None] = []
            for row, absent in zip(rows, missing, strict=True):
                place, status = online.find(tuple(row[name] for name in view.entity), row[at])
                places.append(place if status == "present" else None)
                if status != "present":
                    absent.append(view.view)
            indices = pa.array(places, pa.int64())
            for feature in view.features:
                columns[feature] = online.file.table.column(feature).take(indices)
        try:
            table = self._request_features.compute(pa.table(columns))
        except ExpressionError as error:
            raise Problem(422, "its request-time features cannot be computed", ("instances", error.row)) from None
        return Inputs(rows, table, missing)

    def _labels(self, scores: np.ndarray) -> list[Any]:
        if self.signature.classes:
            return [self.signature.classes[place] for place in scores.argmax(axis=1)]
        if self.signature.threshold is None:
            return [None] * len(scores)
        found: list[Any] = (scores >= self.signature.threshold).tolist()
        return found

    def _explain(self, table: pa.Table, scores: np.ndarray) -> list[Explanation]:
        contributions, raw = self._scorer.contributions(table), self._scorer.raw_score(table)
        if self.signature.classes:
            rows, likeliest = np.arange(len(scores)), scores.argmax(axis=1)
            contributions, raw = contributions[rows, likeliest], raw[rows, likeliest]
        names = [feature.name for feature in self.signature.features]
        return [
            Explanation(base, dict(zip(names, added, strict=True)), total)
            for (*added, base), total in zip(contributions.tolist(), raw.tolist(), strict=True)
        ]
