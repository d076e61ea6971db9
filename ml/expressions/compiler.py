"""SQL expressions to functions over columns: parsed by sqlglot and typed once, evaluated without a database."""

from collections.abc import Callable, Mapping
from typing import Any

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from ml.expressions import arithmetic, choices, comparison, functions, operators, times, zones
from ml.expressions.casts import can_cast, cast
from ml.expressions.column import Column
from ml.expressions.node import Node, UnsupportedError, alike, boolean, computed, literal
from ml.expressions.types import (
    BIGINT,
    BOOLEAN,
    DOUBLE,
    INTEGER,
    INTERVAL,
    NULL,
    TIMESTAMP,
    TIMESTAMPTZ,
    VARCHAR,
    Type,
    parse_type,
)

OPERATORS: dict[type[exp.Expression], str] = {
    exp.Add: "+",
    exp.Sub: "-",
    exp.Mul: "*",
    exp.Div: "/",
    exp.IntDiv: "//",
    exp.Mod: "%",
}
COMPARISONS: dict[type[exp.Expression], str] = {
    exp.EQ: "=",
    exp.NEQ: "<>",
    exp.LT: "<",
    exp.LTE: "<=",
    exp.GT: ">",
    exp.GTE: ">=",
}
SUPPORTED = (
    "+ - * / // %, comparisons, and, or, not, between, in (list), is null, is distinct from, like 'pattern', ||, case, if, "
    f"cast, try_cast, intervals, at time zone and {', '.join(functions.NAMES)}"
)


def compile_expression(text: str, columns: Mapping[str, str]) -> Node:
    """A SQL expression (DuckDB's) as a node that gives exactly its values.

    columns: name to SQL type of what it may read. Raises UnsupportedError, which names the part that is outside the
    supported set, for one that cannot be compiled.
    """
    try:
        tree = sqlglot.parse_one(text, read="duckdb")
    except SqlglotError as error:
        raise UnsupportedError(f"{text}: is not a SQL expression that can be read ({error})") from error
    return Compiler(columns).compile(tree)


def columns_of(text: str) -> set[str]:
    """The names, in lower case, of the columns that a SQL expression reads."""
    return {column.name.lower() for column in sqlglot.parse_one(text, read="duckdb").find_all(exp.Column)}


class Compiler:
    """Compiles expressions over one set of columns."""

    def __init__(self, columns: Mapping[str, str]) -> None:
        self._columns = {name.lower(): sql_type for name, sql_type in columns.items()}

    def compile(self, tree: Any) -> Node:
        """A parsed expression as a node. Raises UnsupportedError."""
        where = tree.sql(dialect="duckdb")
        rule = _RULES.get(type(tree))
        if rule is not None:
            return rule(self, tree, where)
        if type(tree) in OPERATORS:
            return operators.calculate(
                OPERATORS[type(tree)], self.compile(tree.this), self.compile(tree.expression), where
            )
        if type(tree) in COMPARISONS:
            return self._comparison(tree, where)
        call = functions.call_of(tree)
        if call is not None:
            return call(self.compile, where)
        raise UnsupportedError(
            f"{where}: is outside of what is computed at request time, which is {SUPPORTED}. Write it with these, or move "
            "it to a stored feature view"
        )

    def column(self, tree: exp.Column, where: str) -> Node:
        """A column that is read."""
        name = tree.name.lower()
        if tree.table or name not in self._columns:
            raise UnsupportedError(
                f"{where}: is no input; the inputs are {', '.join(self._columns) or 'none'}. Declare it under "
                "config.meta.feature_view.inputs with its type, or use one of these"
            )
        kind = parse_type(self._columns[name])
        if kind is None:
            raise UnsupportedError(f"{where}: is {self._columns[name]}; cast it before, in a stored feature view")
        return Node(kind, lambda batch: batch.column(name))

    def _comparison(self, tree: Any, where: str) -> Node:
        operators.refuse_same(tree.this, tree.expression, where)
        one, other = tree.this.unnest(), tree.expression.unnest()
        sides = [self.compile(one), self.compile(other)]
        for place, (side, limit) in enumerate([(one, sides[1]), (other, sides[0])]):
            if type(side) in (exp.Add, exp.Sub, exp.Mul) and sides[place].type.is_integer:
                constants = [part for part in (one, other, side.this, side.expression) if part.find(exp.Column) is None]
                if len(constants) > 1 and not all(self.compile(part).is_literal for part in constants):
                    raise UnsupportedError(f"{where}: write the numbers that it is compared with as whole numbers")
                inner = [self.compile(side.this), self.compile(side.expression)]
                if operators.is_solved(COMPARISONS[type(tree)], OPERATORS[type(side)], inner, sides[place].type, limit):
                    sides[place] = operators.decimal_calculate(OPERATORS[type(side)], inner[0], inner[1], where)
        return operators.compare(COMPARISONS[type(tree)], sides[0], sides[1], where)


def _literal(compiler: Compiler, tree: exp.Literal, where: str) -> Node:
    text: str = tree.this
    if tree.is_string:
        return literal(text, VARCHAR)
    if text.isdigit():
        kind = INTEGER if INTEGER.holds(int(text)) else BIGINT
        if not kind.holds(int(text)):
            raise UnsupportedError(f"{where}: is beyond BIGINT")
        return literal(int(text), kind)
    if "e" in text.lower():
        value = float(text)
        return Node(DOUBLE, literal(value, DOUBLE).evaluate)  # type: ignore[arg-type]
    whole, _, fraction = text.partition(".")
    if not (whole + fraction).isdigit() or len(whole + fraction) > 38:
        raise UnsupportedError(f"{where}: is no number that can be read")
    return Node(
        Type("DECIMAL", len(whole + fraction), len(fraction)),
        literal(int(whole + fraction), Type("DECIMAL", len(whole + fraction), len(fraction))).evaluate,
    )


def _negative(compiler: Compiler, tree: exp.Neg, where: str) -> Node:
    node = compiler.compile(tree.this)
    if node.is_literal and node.type.is_integer:
        value = -int(node.literal or 0)
        return literal(value, INTEGER if INTEGER.holds(value) else BIGINT)
    if not node.type.is_number:
        raise UnsupportedError(f"{where}: {node.type} has no sign")
    return computed(node.type, arithmetic.negative(node.type), node)


def _between(compiler: Compiler, tree: exp.Between, where: str) -> Node:
    (value, low, high), kind = alike([compiler.compile(tree.args[part]) for part in ("this", "low", "high")], where)
    above, below = comparison.compare(">=", kind), comparison.compare("<=", kind)
    return computed(BOOLEAN, lambda v, a, b: comparison.conjunction(above(v, a), below(v, b)), value, low, high)


def _in(compiler: Compiler, tree: exp.In, where: str) -> Node:
    if not tree.expressions:
        raise UnsupportedError(f"{where}: a list of values must stand behind in")
    (value, *listed), kind = alike([compiler.compile(one) for one in [tree.this, *tree.expressions]], where)
    equal = comparison.compare("=", kind)

    def operate(value: Column, *listed: Column) -> Column:
        found = equal(value, listed[0])
        for one in listed[1:]:
            found = comparison.disjunction(found, equal(value, one))
        return found

    return computed(BOOLEAN, operate, value, *listed)


def _is(compiler: Compiler, tree: exp.Is, where: str) -> Node:
    node = compiler.compile(tree.this)
    if isinstance(tree.expression, exp.Null):
        return computed(BOOLEAN, lambda column: Column(column.null, column.null & False), node)
    if isinstance(tree.expression, exp.Boolean):
        wanted = literal(tree.expression.this, BOOLEAN)
        same = comparison.distinct(BOOLEAN)
        return computed(BOOLEAN, lambda a, b: comparison.negation(same(a, b)), boolean(node, where), wanted)
    raise UnsupportedError(f"{where}: null, true or false must stand behind is")


def _distinct(compiler: Compiler, tree: exp.Binary, where: str) -> Node:
    sides, kind = alike([compiler.compile(tree.this), compiler.compile(tree.expression)], where)
    node = computed(BOOLEAN, comparison.distinct(kind), *sides)
    return node if isinstance(tree, exp.NullSafeNEQ) else computed(BOOLEAN, comparison.negation, node)


def _logic(by: bool) -> Callable[["Compiler", Any, str], Node]:
    def rule(compiler: Compiler, tree: exp.Connector, where: str) -> Node:
        if any(side.find(exp.Column) is None for side in (tree.this, tree.expression)):
            raise UnsupportedError(f"{where}: one side reads no column, so it decides for good; leave it out")
        one, other = (boolean(compiler.compile(side), where) for side in (tree.this, tree.expression))
        return choices.logic(by, one, other)

    return rule


def _case(compiler: Compiler, tree: exp.Case, where: str) -> Node:
    conditions = []
    for branch in tree.args["ifs"]:
        condition = compiler.compile(branch.this)
        if tree.this is not None:
            condition = operators.compare("=", compiler.compile(tree.this), condition, where)
        conditions.append(boolean(condition, where))
    results = [compiler.compile(branch.args["true"]) for branch in tree.args["ifs"]]
    default = tree.args.get("default")
    return choices.choice(conditions, results, compiler.compile(default) if default else literal(None, NULL), where)


def _if(compiler: Compiler, tree: exp.If, where: str) -> Node:
    default = tree.args.get("false")
    otherwise = compiler.compile(default) if default else literal(None, NULL)
    return choices.choice(
        [boolean(compiler.compile(tree.this), where)], [compiler.compile(tree.args["true"])], otherwise, where
    )


def _coalesce(compiler: Compiler, tree: exp.Coalesce, where: str) -> Node:
    return choices.first_known([compiler.compile(one) for one in [tree.this, *tree.expressions]], where)


def _extreme(greatest: bool) -> Callable[["Compiler", Any, str], Node]:
    def rule(compiler: Compiler, tree: exp.Func, where: str) -> Node:
        nodes, kind = choices.alternatives([compiler.compile(one) for one in [tree.this, *tree.expressions]], where)
        if kind.name == "FLOAT":
            raise UnsupportedError(f"{where}: greatest and least of FLOAT; cast to DOUBLE")
        better = comparison.extreme(greatest, kind)
        found = nodes[0]
        for node in nodes[1:]:
            found = computed(kind, better, found, node)
        return found

    return rule


def _null_if(compiler: Compiler, tree: exp.Nullif, where: str) -> Node:
    operators.refuse_same(tree.this, tree.expression, where)
    given, other = compiler.compile(tree.this), compiler.compile(tree.expression)
    sides, kind = alike([given, other], where)
    return computed(given.type, comparison.null_if(kind), given, *sides)


def _cast(compiler: Compiler, tree: exp.Cast, where: str) -> Node:
    node = compiler.compile(tree.this)
    target = parse_type(tree.to.sql(dialect="duckdb"))
    if target is not None and node.is_literal and node.type == VARCHAR and target.is_moment:
        return functions.moment_literal(str(node.literal), target, where)
    if target is None or not can_cast(node.type, target):
        raise UnsupportedError(
            f"{where}: a cast from {node.type} to {tree.to.sql(dialect='duckdb')} is not computed at request time"
        )
    if isinstance(tree, exp.TryCast) and tree.find(exp.Column) is None:
        raise UnsupportedError(f"{where}: reads no column, so it is one value for good; write that")
    source, to = node.type, target
    or_null = isinstance(tree, exp.TryCast)
    return computed(to, lambda column: cast(column, source, to, or_null), node)


def _interval(compiler: Compiler, tree: exp.Interval, where: str) -> Node:
    unit = tree.unit.name.lower().removesuffix("s") if tree.unit is not None else ""
    digits = tree.this.name if isinstance(tree.this, exp.Literal) else ""
    if unit not in times.INTERVALS or not digits.removeprefix("-").isdigit():
        raise UnsupportedError(
            f"{where}: write an interval as a whole number and a unit, such as interval 2 hours; the units are "
            f"{', '.join(times.INTERVALS)}"
        )
    value = tuple(int(digits) * part for part in times.INTERVALS[unit])
    return Node(INTERVAL, literal(value, INTERVAL).evaluate)  # type: ignore[arg-type]


def _at_time_zone(compiler: Compiler, tree: exp.AtTimeZone, where: str) -> Node:
    node, name = compiler.compile(tree.this), tree.args["zone"]
    if not isinstance(name, exp.Literal) or node.type not in (TIMESTAMP, TIMESTAMPTZ):
        raise UnsupportedError(
            f"{where}: at time zone takes a TIMESTAMP or a TIMESTAMPTZ and the name of a zone as text"
        )
    zone = zones.zone(name.name)
    if zone is None:
        raise UnsupportedError(f"{where}: no time zone has the name {name.name}; write one such as 'America/New_York'")
    if node.type == TIMESTAMPTZ:
        return computed(TIMESTAMP, zone.local, node)
    return computed(TIMESTAMPTZ, zone.utc, node)


_RULES: dict[type[exp.Expression], Callable[[Compiler, Any, str], Node]] = {
    exp.Paren: lambda compiler, tree, where: compiler.compile(tree.this),
    exp.Column: Compiler.column,
    exp.Literal: _literal,
    exp.Boolean: lambda compiler, tree, where: Node(BOOLEAN, literal(tree.this, BOOLEAN).evaluate),
    exp.Null: lambda compiler, tree, where: literal(None, NULL),
    exp.Neg: _negative,
    exp.Not: lambda compiler, tree, where: computed(
        BOOLEAN, comparison.negation, boolean(compiler.compile(tree.this), where)
    ),
    exp.And: _logic(False),
    exp.Or: _logic(True),
    exp.Between: _between,
    exp.In: _in,
    exp.Is: _is,
    exp.NullSafeEQ: _distinct,
    exp.NullSafeNEQ: _distinct,
    exp.Case: _case,
    exp.If: _if,
    exp.Coalesce: _coalesce,
    exp.Greatest: _extreme(True),
    exp.Least: _extreme(False),
    exp.Nullif: _null_if,
    exp.Cast: _cast,
    exp.TryCast: _cast,
    exp.Interval: _interval,
    exp.AtTimeZone: _at_time_zone,
}
