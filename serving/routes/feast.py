"""POST /get-online-features, the request of Feast's feature server: its remote online store (`type: remote`) can ask here."""

from dataclasses import dataclass
from typing import Any, Literal

import orjson
from fastapi import APIRouter, Request, Response
from fastapi.concurrency import run_in_threadpool
from pydantic import BaseModel, Field

from ml.field_types import encode
from serving.problems import NO_RELEASE, NO_SUCH_NAME, WRONG_BODY, Problem, refusals
from serving.releases.online_view import OnlineView
from serving.releases.release import Release
from serving.releases.served_release import ServedRelease
from serving.requests.feast_values import GREATEST, Status, feast_values
from serving.requests.instances import Row
from serving.requests.strict_json import json_body, read_object
from serving.requests.whole_answer import WholeAnswer
from serving.routes.state import current_release, stored_view

router = APIRouter(tags=["features"])

_MANY_VALUES = 1000
"""An answer with more is made in a thread, so that it does not hold up other requests."""
_NO_TIME = "1970-01-01T00:00:00Z"
"""What Feast has for a time that is not set."""
_STATUSES: dict[str, Status] = {"not_found": "NOT_FOUND", "expired": "OUTSIDE_MAX_AGE"}

Columns = dict[str, list[Any]]


class FeatureVector(BaseModel):
    """A column of entities, or a feature of them: an entry for each entity."""

    values: list[Any] = Field(description="Null unless the status is PRESENT.")
    statuses: list[Status] = Field(
        description="NULL_VALUE: the stored value is null; NOT_FOUND: no such entity; OUTSIDE_MAX_AGE: older than the view's ttl "
        "at the release's time; INVALID: a value that Feast's client cannot read from JSON, for which see /features."
    )
    event_timestamps: list[str] = Field(description="Of the entity's row in the view; 1970-01-01T00:00:00Z for none.")


class ViewMetadata(BaseModel):
    """A view by the name that it was asked by, and its version."""

    name: str
    version: int


class OnlineFeaturesMetadata(BaseModel):
    """What the results are of: the entities' columns, then the features, in the order of the request."""

    feature_names: list[str]
    feature_view_metadata: list[ViewMetadata] | None = None


class OnlineFeaturesAnswer(BaseModel):
    """Feast's `GetOnlineFeaturesResponse`."""

    metadata: OnlineFeaturesMetadata
    results: list[FeatureVector]
    status: Literal[True]


@dataclass(frozen=True, slots=True)
class _Reference:
    """A feature that is asked for; `name` is what the answer calls it."""

    view: str
    feature: str
    name: str


@dataclass(frozen=True, slots=True)
class _Asked:
    """A request that was checked. views and keys: by the names that the views are asked by; columns: of entities, as sent."""

    views: dict[str, OnlineView]
    references: list[_Reference]
    columns: Columns
    keys: dict[str, list[Row]]
    is_versioned: bool


BODY = json_body(
    "entities",
    features={
        "type": "array",
        "minItems": 1,
        "items": {"type": "string"},
        "description": "Features, each as `<view>:<feature>`: the latest version of a view by its name, or `<view>_v<N>`.",
    },
    entities={
        "type": "object",
        "minProperties": 1,
        "additionalProperties": {"type": "array", "minItems": 1},
        "description": "The key columns of the views, all of one length.",
    },
    full_feature_names={"type": "boolean", "description": "Whether a feature is called `<view>__<feature>`."},
    include_feature_view_version_metadata={"type": "boolean", "description": "Whether to say the views' versions."},
    feature_service={"type": "null", "description": "There are no feature services here: name the features."},
)
_FIELDS = {"features", "entities", "full_feature_names", "include_feature_view_version_metadata", "feature_service"}


@router.post(
    "/get-online-features",
    openapi_extra=BODY,
    responses={200: {"model": OnlineFeaturesAnswer}, **refusals(NO_RELEASE | NO_SUCH_NAME | WRONG_BODY)},
)
async def get_online_features(request: Request) -> Response:
    """The stored features of entities as Feast's feature server gives them, for Feast's clients.

    Several views may be asked, each by its own keys. A date or time is whole seconds since 1970, a DECIMAL a text. Views that
    are computed from the request have nothing stored. /features gives the same values in full.
    """
    settings = request.app.state.settings
    release = current_release(request)
    body = await read_object(request, settings, _FIELDS)
    if body.get("feature_service") is not None:
        message = "there are no feature services here; send `features`, each as <view>:<feature>"
        raise Problem(422, message, ("feature_service",))
    columns = body.get("entities")
    if not isinstance(columns, dict) or not columns:
        raise Problem(422, "must be an object with a list for each key column", ("entities",))
    is_full = _flag(body, "full_feature_names")
    views, references = _references(release, body.get("features"), is_full, set(columns))
    _check_columns(columns, views, settings.max_instances)
    keys = {name: _keys(view, columns) for name, view in views.items()}
    asked = _Asked(views, references, columns, keys, _flag(body, "include_feature_view_version_metadata"))
    is_long = len(next(iter(columns.values()))) * len(references) > _MANY_VALUES
    return WholeAnswer(await run_in_threadpool(_answer, release, asked) if is_long else _answer(release, asked))


def _flag(body: dict[str, Any], name: str) -> bool:
    value = body.get(name, False)
    if not isinstance(value, bool):
        raise Problem(422, "expected true or false", (name,))
    return value


def _references(
    release: ServedRelease, features: Any, is_full: bool, taken: set[str]
) -> tuple[dict[str, OnlineView], list[_Reference]]:
    """The views by the names that they are asked by, and the features. taken: names that the answer has already."""
    if not isinstance(features, list) or not features:
        raise Problem(422, "must be a list of at least one feature, each as <view>:<feature>", ("features",))
    views: dict[str, OnlineView] = {}
    references = []
    for place, text in enumerate(features):
        location = ("features", place)
        view, _, feature = text.partition(":") if isinstance(text, str) else ("", "", "")
        if not view or not feature:
            raise Problem(422, "must be a text such as <view>:<feature>", location)
        if view not in views:
            views[view] = stored_view(release, view, location)
        known = views[view].released.columns
        if feature not in known:
            raise Problem(404, f"the view has no such feature; its features are {', '.join(known)}", location)
        name = f"{view}__{feature}" if is_full else feature
        if name in taken:
            message = "the answer has another column of this name; ask for it once, or with full_feature_names"
            raise Problem(422, message, location)
        taken.add(name)
        references.append(_Reference(view, feature, name))
    return views, references


def _check_columns(columns: dict[str, Any], views: dict[str, OnlineView], most: int) -> None:
    """Raise Problem where a column is no view's key, or they are no lists of one length, which is at most `most`."""
    known = dict.fromkeys(key for view in views.values() for key in view.keys.types)
    if columns.keys() - known.keys():
        message = f"has a column that is no key of these views; their keys are {', '.join(known)}"
        raise Problem(422, message, ("entities",))
    for name, column in columns.items():
        if not isinstance(column, list) or not column:
            raise Problem(422, "must be a list of at least one value", ("entities", name))
    lengths = set(map(len, columns.values()))
    if len(lengths) > 1:
        raise Problem(422, "the columns must have the same length", ("entities",))
    if lengths.pop() > most:
        raise Problem(413, f"at most {most} at a time", ("entities",))


def _keys(view: OnlineView, columns: Columns) -> list[Row]:
    names = list(view.keys.types)
    for name in names:
        if name not in columns:
            raise Problem(422, f"is required: it is a key of {view.released.name}", ("entities", name))
    values = zip(*(columns[name] for name in names), strict=True)
    objects = [dict(zip(names, row, strict=True)) for row in values]
    try:
        return view.keys.check(objects, "entities", len(objects))
    except Problem as problem:
        where, place, key = problem.location
        raise Problem(problem.status, problem.message, (where, key, place)) from None


def _answer(release: Release, asked: _Asked) -> bytes:
    now = release.now()
    found = {name: view.find_at(asked.keys[name], now) for name, view in asked.views.items()}
    times = {
        name: [encode(asked.views[name].event_at(one, number)) or _NO_TIME for number in range(len(one.statuses))]
        for name, one in found.items()
    }
    results = [_of_entities(column) for column in asked.columns.values()]
    for reference in asked.references:
        view, of_view = asked.views[reference.view], found[reference.view]
        values, statuses = feast_values(view.stored(of_view, reference.feature))
        for number, status in enumerate(of_view.statuses):
            if status != "present":
                values[number], statuses[number] = None, _STATUSES[status]
        results.append({"values": values, "statuses": statuses, "event_timestamps": times[reference.view]})
    metadata: dict[str, Any] = {"feature_names": [*asked.columns, *(reference.name for reference in asked.references)]}
    if asked.is_versioned:
        versions = [{"name": name, "version": view.released.version} for name, view in asked.views.items()]
        metadata["feature_view_metadata"] = versions
    return orjson.dumps({"metadata": metadata, "results": results, "status": True})


def _of_entities(column: list[Any]) -> dict[str, Any]:
    """Keys as they were sent, which have been checked."""
    is_readable = [not isinstance(value, int) or abs(value) <= GREATEST for value in column]
    return {
        "values": [value if readable else None for value, readable in zip(column, is_readable, strict=True)],
        "statuses": ["PRESENT" if readable else "INVALID" for readable in is_readable],
        "event_timestamps": [_NO_TIME] * len(column),
    }
