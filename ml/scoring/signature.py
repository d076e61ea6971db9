"""A model's signature: what it takes, how that is made from a request and stored features, and what it gives."""

import dataclasses
import json
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class RequestField:
    """A field that a client sends with each instance."""

    name: str
    type: str
    required: bool


@dataclass(frozen=True)
class ViewInput:
    """A version of a feature view that the model reads, looked up by the request's entity keys."""

    view: str
    version: int
    fingerprint: str
    entity: list[str]
    ttl_seconds: float | None
    features: dict[str, str]
    """Name to SQL type of every feature column of the view."""

    @property
    def name(self) -> str:
        """The view with its version, as its table is named."""
        return f"{self.view}_v{self.version}"


@dataclass(frozen=True)
class Expression:
    """A request-time feature: SQL over request fields, the prediction time and stored features."""

    name: str
    type: str
    expression: str
    view: str
    """The request-time feature view that it is a column of, with its version."""


@dataclass(frozen=True)
class Feature:
    """An input of the estimator. `categories` lists the known values of a categorical one; None for a number."""

    name: str
    type: str
    categories: list[str] | None = None


@dataclass(frozen=True)
class Signature:
    """All that is needed to score a request with a model's artifact. Immutable, stored as JSON beside the artifact."""

    at: str
    request: list[RequestField]
    views: list[ViewInput]
    expressions: list[Expression]
    features: list[Feature]
    task: str
    classes: list[str]
    """Of a multiclass task, in the order of the estimator's outputs; otherwise none."""
    threshold: float | None
    """Of a binary task: the least score whose label is true."""

    @property
    def outputs(self) -> int:
        """How many numbers the estimator gives for a row."""
        return len(self.classes) or 1

    def to_json(self) -> str:
        """The signature as JSON; `from_json` gives the same signature again."""
        return json.dumps(dataclasses.asdict(self), sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> "Signature":
        """Read what `to_json` wrote."""
        stored: dict[str, Any] = json.loads(text)
        return cls(
            at=stored["at"],
            request=[RequestField(**field) for field in stored["request"]],
            views=[ViewInput(**view) for view in stored["views"]],
            expressions=[Expression(**expression) for expression in stored["expressions"]],
            features=[Feature(**feature) for feature in stored["features"]],
            task=stored["task"],
            classes=stored["classes"],
            threshold=stored["threshold"],
        )
