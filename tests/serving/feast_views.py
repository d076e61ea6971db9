"""A release with feature views of every carried type, and what Feast's request shape has for their values."""

import dataclasses
import datetime as dt
import decimal
import json
import math
import random
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from ml import files
from ml.release.feature_file import write_feature_file
from ml.release.manifest import ReleasedView, identity, read_manifest
from tests.made_up_release import point_at

INVALID = object()
NULL = None
"""A value that is null."""

TYPED: dict[str, tuple[str, list[str | None], list[Any]]] = {
    "a_flag": ("boolean", ["true", "false", None], [True, False, NULL]),
    "a_tinyint": ("tinyint", ["-128", "0", None], [-128, 0, NULL]),
    "a_bigint": (
        "bigint",
        ["9223372036854775807", "-9223372036854775808", "9007199254740993"],
        [2**63 - 1, -(2**63), 2**53 + 1],
    ),
    "a_ubigint": (
        "ubigint",
        ["18446744073709551615", "9223372036854775808", "9223372036854775807"],
        [INVALID, INVALID, 2**63 - 1],
    ),
    "a_decimal": (
        "decimal(38, 10)",
        ["1234567890123456789012345678.0123456789", "-0.5", "0"],
        ["1234567890123456789012345678.0123456789", "-0.5000000000", "0.0000000000"],
    ),
    "a_double": ("double", ["nan", "infinity", "0.1"], [INVALID, INVALID, 0.1]),
    "another_double": ("double", ["-infinity", "-0.0", "1e300"], [INVALID, -0.0, 1e300]),
    "a_float": ("float", ["0.1", "nan", None], [0.10000000149011612, INVALID, NULL]),
    "a_text": ("varchar", ["", "NaN", "größer than 'all' \"quotes\""], ["", "NaN", "größer than 'all' \"quotes\""]),
    "a_time": (
        "timestamptz",
        ["2013-12-31T01:00:00.999999Z", "infinity", "20000-01-01"],
        [1388451600, INVALID, INVALID],
    ),
    "an_early_time": (
        "timestamptz",
        ["1969-12-31T23:59:59.5Z", "9999-12-31T23:59:59.999999Z", None],
        [-1, 253402300799, NULL],
    ),
    "a_local_time": ("timestamp", ["2013-12-31 01:00:00", "-infinity", None], [1388451600, INVALID, NULL]),
    "a_date": ("date", ["2013-12-31", "0044-03-15 (BC)", "1969-12-31"], [1388448000, INVALID, -86400]),
    "numbers": ("double[]", ["[1.0, 2.5]", "[]", "[nan]"], [[1.0, 2.5], INVALID, INVALID]),
    "counts": ("bigint[]", ["[9007199254740993, 0]", "[1, null]", None], [[2**53 + 1, 0], INVALID, NULL]),
    "times": ("timestamptz[]", ["[1970-01-01T00:00:01Z]", "[infinity]", None], [[1], INVALID, NULL]),
    "prices": ("decimal(9, 2)[]", ["[0.10, 2]", "[]", None], [["0.10", "2.00"], INVALID, NULL]),
    "an_embedding": ("float[2]", ["[0.5, 0.25]", None, "[0.0, nan]"], [[0.5, 0.25], NULL, INVALID]),
    "a_matrix": ("integer[][]", ["[[1], [2]]", "[]", None], [INVALID, INVALID, NULL]),
    "a_struct": (
        "struct(name varchar, born date, counts bigint[])",
        ["{name: belt, born: 1970-01-02, counts: [1, 2]}", "{name: null, born: null, counts: null}", "{counts: []}"],
        [
            {"name": "belt", "born": 86400, "counts": [1, 2]},
            {"name": None, "born": None, "counts": None},
            INVALID,
        ],
    ),
    "structs": (
        "struct(name varchar, weight double)[]",
        ["[{name: a, weight: 1}, {name: b, weight: null}]", "[{name: a, weight: nan}]", "[null]"],
        [[{"name": "a", "weight": 1.0}, {"name": "b", "weight": None}], INVALID, INVALID],
    ),
}
"""A feature's SQL type, its values at the places 0 to 2 as DuckDB casts them from text, and as they are to arrive."""

KEYS = [2**53 + place for place in range(3)]


def expected(name: str) -> tuple[list[Any], list[str]]:
    """The values and statuses of a feature of TYPED."""
    _, _, values = TYPED[name]
    statuses = ["INVALID" if value is INVALID else "NULL_VALUE" if value is NULL else "PRESENT" for value in values]
    return [None if value is INVALID else value for value in values], statuses


def as_sent(stored: list[Any], statuses: list[str]) -> list[Any]:
    """Stored values as Feast is sent them, a time as whole seconds, where their statuses let them be known."""
    return [
        None if status == "OUTSIDE_MAX_AGE" else int(value.timestamp()) if isinstance(value, dt.datetime) else value
        for value, status in zip(stored, statuses, strict=True)
    ]


RANDOM_FEATURES = [f"random_{number}" for number in range(80)]


def publish_with_views(home: Path) -> None:
    """Publish the current release of a home again with three more views.

    `typed` has the features of TYPED, by a BIGINT `place`; `random` has RANDOM_FEATURES, by the same; `pairs` has
    `a_double`, by a UBIGINT `place` and a text `side`, which is there, null or too old.
    """
    columns = ", ".join(
        f"unnest(cast([{', '.join(map(_literal, texts))}] as varchar[])::{kind}[]) as {name}"
        for name, (kind, texts, _) in TYPED.items()
    )
    as_of = json.loads((_current(home) / "manifest.json").read_text())["as_of"]
    with duckdb.connect() as connection:
        connection.execute("set TimeZone = 'UTC'")
        at = f"timestamptz '{as_of}'"
        typed = connection.sql(
            f"select unnest({KEYS}) as place, {at} - interval 1500 millisecond as event_at, {columns}"
        )
        typed_rows = typed.to_arrow_table()
        pairs = connection.sql(
            f"select place::ubigint as place, side, a_double::double as a_double, event_at from (values "
            f"({KEYS[0]}, 'left', 1.5, {at}), ({KEYS[0]}, 'right', null, {at}), "
            f"({KEYS[0]}, 'top', 2.5, {at} - interval 2 hour), ({2**64 - 1}, 'huge', 3.5, {at})"
            ") as pairs (place, side, a_double, event_at)"
        )
        pair_rows = pairs.to_arrow_table()
    random_rows = typed_rows.select(["place", "event_at"])
    chance = random.Random(1)
    for name in RANDOM_FEATURES:
        kind = _any_type(chance, depth=3)
        random_rows = random_rows.append_column(name, pa.array([_any_value(chance, kind) for _ in KEYS], kind))
    with _republished(home) as (folder, views):
        views.append(_view(folder, "typed", typed_rows, ["place"], list(TYPED), None))
        views.append(_view(folder, "random", random_rows, ["place"], RANDOM_FEATURES, None))
        views.append(_view(folder, "pairs", pair_rows, ["place", "side"], ["a_double"], 3600.0))


SCALARS: dict[pa.DataType, list[Any]] = {
    pa.int64(): [0, 7, -(2**63), 2**63 - 1],
    pa.uint64(): [0, 7, 2**63, 2**64 - 1],
    pa.float64(): [0.0, -0.0, 2.0, 5e-324, math.nan, math.inf],
    pa.float32(): [0.0, 0.5, math.nan],
    pa.string(): ["", "text", "1", "[]", "null"],
    pa.bool_(): [True, False],
    pa.date32(): [0, -719162, 2932896, 2**31 - 1],
    pa.timestamp("us", "UTC"): [0, -1, 253402300799999999, 253402300800000000, 2**63 - 1],
    pa.decimal128(38, 2): [decimal.Decimal("0.00"), decimal.Decimal("-12345678901234567890.12")],
}
"""Values of types, those that are hard to carry among them."""


def _any_type(chance: random.Random, depth: int) -> pa.DataType:
    kind = chance.choice(["scalar", "list", "struct", "map"]) if depth else "scalar"
    if kind == "list":
        return pa.list_(_any_type(chance, depth - 1))
    if kind == "struct":
        return pa.struct([(name, _any_type(chance, depth - 1)) for name in "ab"])
    return pa.map_(pa.string(), pa.float64()) if kind == "map" else chance.choice(list(SCALARS))


def _any_value(chance: random.Random, kind: pa.DataType) -> Any:
    if chance.random() < 0.1:
        return None
    if pa.types.is_list(kind):
        return [_any_value(chance, kind.value_type) for _ in range(chance.randrange(3))]
    if pa.types.is_struct(kind):
        return {field.name: _any_value(chance, field.type) for field in kind}
    if pa.types.is_map(kind):
        return [(name, _any_value(chance, kind.item_type)) for name in "ab"[: chance.randrange(3)]]
    return chance.choice(SCALARS[kind])


@contextmanager
def _republished(home: Path) -> Iterator[tuple[Path, list[ReleasedView]]]:
    """A copy of the current release with its views, to add to; it is the current one when the context ends."""
    aside = home / "releases" / ".aside"
    shutil.copytree(_current(home), aside)
    manifest = read_manifest(_current(home))
    views = list(manifest.views)
    yield aside, views
    changed = (manifest.as_of, manifest.replay, views, manifest.models, manifest.aliases, manifest.serving)
    release = identity(*changed, manifest.catalog)
    (aside / "manifest.json").write_text(dataclasses.replace(manifest, release=release, views=views).to_json())
    aside.rename(home / "releases" / release)
    point_at(home, release)


def _view(
    folder: Path, name: str, rows: pa.Table, entity: list[str], features: list[str], ttl_seconds: float | None
) -> ReleasedView:
    path = folder / "features" / f"{name}_v1.arrow"
    count = write_feature_file(rows, entity, path)
    return ReleasedView(
        view=name,
        version=1,
        file=str(path.relative_to(folder)),
        entity=entity,
        event_at="event_at",
        known_at="event_at",
        ttl_seconds=ttl_seconds,
        columns=dict.fromkeys(features, ""),
        fingerprint="",
        sha256=files.sha256(path),
        row_count=count,
    )


def _current(home: Path) -> Path:
    return home / "releases" / (home / "releases" / "current").read_text().strip()


def _literal(text: str | None) -> str:
    return "null" if text is None else "'" + text.replace("'", "''") + "'"
