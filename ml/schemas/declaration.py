"""What the YAML of a dbt model says of its columns, beyond the contract: checked, and as rows for SQL.

Under a column's `config.meta`:

    domain: {values: [AA, B6], max_share: 0.01}    # or [AA, B6]; {min: 0, max: 100, nan: true, infinite: true};
                                                   # {pattern: "[A-Z]{2}"}; max_share: what is tolerated outside
    presence: {min_fraction: 0.9, min_count: 100}  # of the rows of a window
    valency: {min: 1, max: 3}                      # the size of a list
    distinct: {min: 2, max: 50}                    # how many values a window has
    lifecycle: production                          # experimental: warnings only; deprecated, planned, debug: not validated
    environments: {in: [training]}                 # or {not_in: [serving]}
    drift: {psi: 0.2}, skew: {psi: 0.2}            # limits of one's own

and under the model's: `schema: {environments: …, min_rows: 1, max_rows: 9, min_ratio: 0.5, max_ratio: 2}`; a ratio is that of the
rows of a window to those of the window with rows before it.
"""

import json
import re
from typing import Any

import duckdb

from ml.declared import hint, refuse_no_number, refuse_other, refuse_unknown
from ml.errors import DeclarationError
from ml.field_types import INTEGERS, canonical, is_numeric

FIELDS = ("domain", "presence", "valency", "distinct", "lifecycle", "environments", "drift", "skew")
LIFECYCLES = ("production", "experimental", "deprecated", "planned", "debug")
ENVIRONMENTS = ("training", "serving")
MAX_VALUES = 100
"""The most values of a domain."""

_TIMES = ("DATE", "TIMESTAMP", "TIMESTAMP WITH TIME ZONE")


def schemas(request: str) -> str:
    """The schemas of relations as rows for SQL.

    request: JSON [{relation, environment, is_contracted, model, schema: config.meta.schema, columns: {name: column}}] with
    column = {model, type, is_required, is_left_out, meta}; `type` is null where none is declared.
    Returns JSON {problems: [text], relations: [{relation, environment, model, min_rows, …}], columns: [row]}; a row of a
    column is that of `column_row`. What is wrong is a problem, a line each, and no exception.
    """
    problems, relations, columns = [], [], []
    for asked in json.loads(request):
        try:
            relations.append(_relation_row(asked))
        except DeclarationError as error:
            problems.append(str(error))
        for name, column in asked["columns"].items():
            try:
                columns.append(column_row(asked, name, column))
            except DeclarationError as error:
                problems.append(str(error))
    return json.dumps({"problems": problems, "relations": relations, "columns": columns})


def _relation_row(asked: dict[str, Any]) -> dict[str, Any]:
    where = f"model {asked['model']}: config.meta.schema"
    declared = asked.get("schema") or {}
    refuse_unknown(where, declared, ("environments", "min_rows", "max_rows", "min_ratio", "max_ratio"))
    _is_in(where, declared, asked["environment"])
    row = {"relation": asked["relation"], "environment": asked["environment"], "model": asked["model"]}
    row |= _bounds(where, declared, "min_rows", "max_rows", "a count of rows")
    row |= _bounds(where, declared, "min_ratio", "max_ratio", "the rows of a window to those of the one before")
    return row


def column_row(asked: dict[str, Any], name: str, column: dict[str, Any]) -> dict[str, Any]:
    """A column's declaration, flat. asked: the relation, as in `schemas`.

    Returns {relation, environment, feature, model, type, declared_type, lifecycle, is_required, is_expected, is_validated,
    values, min, max, pattern, max_share, is_nan_allowed, is_infinite_allowed, min_fraction, min_count, min_valency,
    max_valency, min_distinct, max_distinct}; bounds of a domain are texts that SQL reads, none where nothing is declared.
    Raises DeclarationError with model, column, field and remedy.
    """
    where = f"model {column['model']}, column {name}: config.meta"
    meta = column.get("meta") or {}
    for field in meta:
        # Others write into meta too, so only what was probably meant for us is refused.
        if field not in FIELDS and (said := hint(field, FIELDS)):
            raise DeclarationError(f"{where} has the unknown field '{field}'.{said}")
    kind = _type(where, column.get("type"))
    lifecycle = meta.get("lifecycle", "production")
    refuse_other(f"{where}.lifecycle", lifecycle, LIFECYCLES)
    is_here = _is_in(
        where, {"environments": (asked.get("schema") or {}).get("environments")} | meta, asked["environment"]
    )
    is_validated = lifecycle in ("production", "experimental") and is_here and not column.get("is_left_out")
    presence = _mapping(where, meta, "presence", ("min_fraction", "min_count"))
    for field, most in (("min_fraction", 1), ("min_count", None)):
        if field in presence:
            refuse_no_number(f"{where}.presence.{field}", presence[field], "of the rows of a window", 0, most)
    for field in ("drift", "skew"):
        for method, limit in _mapping(where, meta, field).items():
            refuse_no_number(f"{where}.{field}.{method}", limit, "above which the distance is too large", 0)
    row = {
        "relation": asked["relation"],
        "environment": asked["environment"],
        "feature": name,
        "model": column["model"],
    }
    row |= {"type": kind, "declared_type": column.get("type"), "lifecycle": lifecycle}
    row |= {"is_required": bool(column.get("is_required")), "is_validated": is_validated}
    row["is_expected"] = is_validated and presence.get("min_fraction", 1) != 0
    row |= _domain(f"{where}.domain", meta.get("domain"), kind)
    row |= {"min_fraction": presence.get("min_fraction"), "min_count": presence.get("min_count")}
    valency = _mapping(where, meta, "valency", ("min", "max"))
    if valency and kind and not kind.endswith("]"):
        raise DeclarationError(f"{where}.valency is of lists, and the column is {kind}; leave it out.")
    sizes = _bounds(f"{where}.valency", valency, "min", "max", "the size of a list")
    counts = _mapping(where, meta, "distinct", ("min", "max"))
    distinct = _bounds(f"{where}.distinct", counts, "min", "max", "a count of values")
    row |= {"min_valency": sizes["min"], "max_valency": sizes["max"]}
    return row | {"min_distinct": distinct["min"], "max_distinct": distinct["max"]}


def _type(where: str, declared: str | None) -> str | None:
    try:
        return canonical(declared) if declared else None
    except TypeError as error:
        raise DeclarationError(f"{where}: {error}") from None


def _mapping(where: str, meta: dict[str, Any], field: str, known: tuple[str, ...] | None = None) -> dict[str, Any]:
    """A field that is a mapping, empty where there is none."""
    declared = meta.get(field)
    if declared is None:
        return {}
    refuse_unknown(f"{where}.{field}", declared, known if known is not None else declared)
    return dict(declared)


def _is_in(where: str, declared: dict[str, Any], environment: str) -> bool:
    named = _mapping(where, declared, "environments", ("in", "not_in"))
    for field, listed in named.items():
        if not isinstance(listed, list):
            raise DeclarationError(f"{where}.environments.{field} must be a list, such as [{environment}].")
        for one in listed:
            refuse_other(f"{where}.environments.{field}", one, ENVIRONMENTS)
    if len(named) == 2:
        raise DeclarationError(f"{where}.environments has both 'in' and 'not_in'; keep one.")
    return environment in named.get("in", ENVIRONMENTS) and environment not in named.get("not_in", ())


def _bounds(where: str, declared: dict[str, Any], low: str, high: str, meaning: str) -> dict[str, Any]:
    """Two bounds of a count or a ratio, {low: number or none, high: number or none}."""
    for field in (low, high):
        if declared.get(field) is not None:
            refuse_no_number(f"{where}.{field}", declared[field], meaning, 0)
    least, most = declared.get(low), declared.get(high)
    if least is not None and most is not None and least > most:
        raise DeclarationError(f"{where}.{low} is {least}, above {high}, {most}; exchange them.")
    return {low: least, high: most}


def _domain(where: str, declared: Any, kind: str | None) -> dict[str, Any]:
    row: dict[str, Any] = dict.fromkeys(("values", "min", "max", "pattern"))
    row |= {"max_share": 0.0, "is_nan_allowed": True, "is_infinite_allowed": True}
    if declared is None:
        return row
    if isinstance(declared, list):
        declared = {"values": declared}
    refuse_unknown(where, declared, ("values", "min", "max", "pattern", "max_share", "nan", "infinite"))
    kinds = [name for name in ("values", "min", "pattern") if name in declared or (name == "min" and "max" in declared)]
    if len(kinds) > 1:
        raise DeclarationError(
            f"{where} has both {' and '.join(kinds)}; a domain is a list of values, a range or a pattern."
        )
    if "max_share" in declared:
        refuse_no_number(
            f"{where}.max_share", declared["max_share"], "the share of values outside that is tolerated", 0, 1
        )
        row["max_share"] = declared["max_share"]
    if "values" in declared:
        row["values"] = _values(where, declared["values"], kind)
    if "pattern" in declared:
        row["pattern"] = _pattern(where, declared["pattern"], kind)
    for field in ("min", "max"):
        if declared.get(field) is not None:
            row[field] = _bound(f"{where}.{field}", declared[field], kind)
    low, high = declared.get("min"), declared.get("max")
    if isinstance(low, int | float) and isinstance(high, int | float) and low > high:
        raise DeclarationError(f"{where}.min is {low}, above max, {high}; exchange them.")
    for field in ("nan", "infinite"):
        if not isinstance(declared.get(field, True), bool):
            raise DeclarationError(f"{where}.{field} is '{declared[field]}'; it must be true or false.")
        # What lies in a range is a finite number, unless it says otherwise.
        row[f"is_{field}_allowed"] = declared.get(field, "min" not in kinds)
    return row


def _values(where: str, values: Any, kind: str | None) -> list[str]:
    if not isinstance(values, list) or not values or any(isinstance(one, list | dict) or one is None for one in values):
        raise DeclarationError(f"{where}.values must be a list of values, such as [AA, B6].")
    texts = [str(one).lower() if isinstance(one, bool) else str(one) for one in values]
    if kind == "VARCHAR" and (other := next((one for one in values if not isinstance(one, str)), None)) is not None:
        raise DeclarationError(f"{where}.values: YAML reads {other!r} as no text; put it in quotes.")
    if kind and kind not in ("VARCHAR", "BOOLEAN", *INTEGERS):
        # The same double has several texts.
        raise DeclarationError(
            f"{where}.values: the column is {kind}; use min and max. Lists are of texts and whole numbers."
        )
    if len(set(texts)) < len(texts):
        repeated = next(one for place, one in enumerate(texts) if one in texts[:place])
        raise DeclarationError(f"{where}.values has '{repeated}' twice; leave one out.")
    if len(texts) > MAX_VALUES:
        raise DeclarationError(
            f"{where}.values has {len(texts)} values; at most {MAX_VALUES} are watched. Use a pattern."
        )
    return texts


def _pattern(where: str, pattern: Any, kind: str | None) -> str:
    if kind not in (None, "VARCHAR"):
        raise DeclarationError(f"{where}.pattern is of texts, and the column is {kind}; use min and max.")
    try:
        with duckdb.connect() as connection:
            connection.execute("select regexp_full_match('', ?)", [str(pattern)]).fetchall()
    except duckdb.Error as error:
        said = str(error).splitlines()[0]
        raise DeclarationError(f"{where}.pattern '{pattern}' is no regular expression (RE2): {said}.") from None
    return str(pattern)


def _bound(where: str, bound: Any, kind: str | None) -> str:
    """A bound as SQL."""
    if kind in _TIMES:
        if not re.match(r"\d{4}-\d\d-\d\d([T ][\d:.]+(Z|[+-][\d:]+)?)?\Z", str(bound)):
            raise DeclarationError(
                f"{where} is '{bound}'; it must be a time, such as 2013-01-31 or 2013-01-31T12:00:00Z."
            )
        return f"cast('{bound}' as {kind})"
    if kind is not None and (not is_numeric(kind) or kind == "BOOLEAN"):
        raise DeclarationError(f"{where}: the column is {kind}; a range is of numbers or times.")
    refuse_no_number(where, bound, "a bound of the values")
    if abs(bound) == float("inf"):
        raise DeclarationError(f"{where} is infinite; leave it out.")
    return str(bound)
