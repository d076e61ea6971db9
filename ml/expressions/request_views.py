"""Request-time feature views: one select of expressions over inputs, read as text, checked and taken apart."""

import json
import re
from typing import Any

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError
from sqlglot.tokenizer_core import Token, TokenType

from ml.errors import DeclarationError
from ml.expressions.compiler import compile_expression
from ml.expressions.node import UnsupportedError
from ml.expressions.types import parse_type
from ml.field_types import canonical

_REQUEST = re.compile(r"\{\{-?\s*(?:eiderdown\.)?request\(\)\s*-?\}\}")
_JINJA_COMMENT = re.compile(r"\{#.*?#\}", re.DOTALL)
_SHAPE = "one select of named expressions from {{ eiderdown.request() }}, without a join, filter, grouping or subquery"


def expression_columns(expression: str) -> str:
    """The columns that a SQL expression reads, in lower case, as a JSON list.

    >>> expression_columns("epoch(Sched_Dep_At - expected_at) / 3600")
    '["expected_at", "sched_dep_at"]'
    """
    columns = sqlglot.parse_one(expression, read="duckdb").find_all(exp.Column)
    return json.dumps(sorted({column.name.lower() for column in columns}))


def request_features(request: str) -> str:
    """Answer of the SQL function `eiderdown_request_features`: JSON {expressions: [{name, type, expression, view}]}, or
    {error} with what is wrong and what to do.

    request: JSON {views, available}. `views` are declarations of request-time views with the SQL of their files,
    [{name, sql, inputs: {name: type}, features: {name: type}}]. `available` maps what they may read to its type, in the
    order of the views; null where that is not known yet.
    """
    asked = json.loads(request)
    expressions: list[dict[str, str]] = []
    try:
        available = None if asked["available"] is None else {k.lower(): v for k, v in asked["available"].items()}
        for view in asked["views"]:
            found = _features(view)
            if available is not None:
                _connect(view, available)
            expressions += found
    except DeclarationError as error:
        return json.dumps({"error": str(error)})
    return json.dumps({"expressions": expressions})


def select_expressions(name: str, sql: str) -> dict[str, str]:
    """The expressions of a view's file by the names of their columns, as they are written. Raises UnsupportedError where
    the file holds anything but one select of expressions."""
    text = _JINJA_COMMENT.sub("", sql)
    text = _REQUEST.sub(" request ", text)
    where = f"feature view {name}"
    if jinja := re.search(r"\{[{%].*?[}%]\}", text, re.DOTALL):
        raise UnsupportedError(
            f"{where}: {jinja[0]}: a request-time view is plain SQL but for {{{{ eiderdown.request() }}}}, so that a "
            "request needs no dbt; write it out"
        )
    try:
        statements = sqlglot.parse(text, read="duckdb")
    except SqlglotError as error:
        raise UnsupportedError(f"{where}: cannot be parsed ({error}); write {_SHAPE}") from error
    select = statements[0] if len(statements) == 1 else None
    if not isinstance(select, exp.Select):
        raise UnsupportedError(f"{where}: must be {_SHAPE}")
    for clause, value in select.args.items():
        if value and clause not in ("expressions", "from_", "from", "kind"):
            part = value[0] if isinstance(value, list) else value
            shown = part.sql(dialect="duckdb") if isinstance(part, exp.Expression) else clause
            raise UnsupportedError(f"{where}: {shown}: must be {_SHAPE}")
    source = select.args.get("from_") or select.args.get("from")
    if source is None or source.this.sql(dialect="duckdb") != "request":
        raise UnsupportedError(f"{where}: must be {_SHAPE}")
    found: dict[str, str] = {}
    for part, written in zip(select.expressions, _written(text), strict=True):
        output = part.alias_or_name.lower()
        if not output or isinstance(part, exp.Column | exp.Star):
            raise UnsupportedError(f"{where}: {written}: give each expression a name, with as")
        if output in found:
            raise UnsupportedError(f"{where}: the name {output} comes twice; rename one of them")
        found[output] = written
    return found


def _written(text: str) -> list[str]:
    """The expressions of a select as they are written, without `as name`."""
    tokens = sqlglot.tokenize(text, read="duckdb")[1:]
    parts: list[list[Token]] = [[]]
    depth = 0
    for token in tokens:
        depth += {TokenType.L_PAREN: 1, TokenType.R_PAREN: -1}.get(token.token_type, 0)
        if depth == 0 and token.token_type == TokenType.FROM:
            break
        if depth == 0 and token.token_type == TokenType.COMMA:
            parts.append([])
        else:
            parts[-1].append(token)
    if not parts[-1]:
        parts.pop()
    return [text[part[0].start : _without_name(part)[-1].end + 1] for part in parts]


def _without_name(part: list[Token]) -> list[Token]:
    return part[:-2] if len(part) > 2 and part[-2].token_type == TokenType.ALIAS else part


def _features(view: dict[str, Any]) -> list[dict[str, str]]:
    """A view's expressions, each compiled once to see that it can be, and of the type that the contract has."""
    where = f"feature view {view['name']}"
    for name, sql_type in view["inputs"].items():
        try:
            canonical(sql_type)
        except TypeError as error:
            raise DeclarationError(f"{where}: the input {name}: {error}") from error
        if parse_type(sql_type) is None:
            raise DeclarationError(
                f"{where}: the input {name} is {sql_type}, which is not computed with at request time; cast it in the "
                "stored feature view that it comes from"
            )
    found = select_expressions(view["name"], view["sql"])
    declared = {name.lower(): sql_type for name, sql_type in view["features"].items()}
    if list(found) != list(declared):
        raise DeclarationError(
            f"{where}: its columns are {', '.join(found)}, and its contract has {', '.join(declared)}; give both the "
            "same columns, in one order"
        )
    for name, expression in found.items():
        try:
            node = compile_expression(expression, view["inputs"])
        except UnsupportedError as error:
            raise UnsupportedError(f"{where}, column {name}: {error}") from error
        if node.type != parse_type(declared[name]):
            raise DeclarationError(
                f"{where}, column {name}: {expression} is {node.type}, and the contract has {declared[name]}; cast it, or "
                "change the contract"
            )
    return [
        {"name": name, "type": declared[name], "expression": expression, "view": view["name"]}
        for name, expression in found.items()
    ]


def _connect(view: dict[str, Any], available: dict[str, str]) -> None:
    """See that what a view reads is there, and add what it gives."""
    where = f"feature view {view['name']}"
    for name, sql_type in view["inputs"].items():
        found = available.get(name.lower())
        if found is None:
            raise DeclarationError(
                f"{where}: its input {name} is no request field and no feature of a view that stands before it; there are "
                f"{', '.join(available)}. Add it to meta.dataset.request, or list the view that holds it"
            )
        if canonical(found) != canonical(sql_type):
            raise DeclarationError(
                f"{where}: its input {name} is declared {sql_type}, and is {found}; give it one type"
            )
    for name, sql_type in view["features"].items():
        if name.lower() in available:
            raise DeclarationError(
                f"{where}: {name} comes twice: a request field or a view before it has that name; rename it in a new version"
            )
        available[name.lower()] = sql_type
