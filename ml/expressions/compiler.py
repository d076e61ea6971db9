"""SQL expressions to functions over columns: parsed by sqlglot and typed once, evaluated without a database."""

from collections.abc import Callable, Mapping
from typing import Any

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from ml.expressions import arithmetic, comparison, functions, mathematics, times, zones
from ml.expressions.casts import can_cast, cast
from ml.expressions.column import Column
from ml.expressions.node import Batch, Node, UnsupportedError, alike, boolean, computed, in_type, literal
from ml.expressions.types import (
    BIGINT,
    BOOLEAN,
    DATE,
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
            return self._arithmetic(OPERATORS[type(tree)], self.compile(tree.this), self.compile(tree.expression), where)
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
            raise UnsupportedError(f"{where}: is {self._columns[name]}, which is not computed with at request time; cast it "
                                   "before, in a feature view")
        return Node(kind, lambda batch: batch.column(name))

    def _comparison(self, tree: Any, where: str) -> Node:
        _refuse_same(tree.this, tree.expression, where)
        one, other = tree.this.unnest(), tree.expression.unnest()
        sides = [self.compile(one), self.compile(other)]
        for place, (side, limit) in enumerate([(one, sides[1]), (other, sides[0])]):
            if type(side) in (exp.Add, exp.Sub, exp.Mul) and sides[place].type.is_integer and limit.is_literal:
                inner = [self.compile(side.this), self.compile(side.expression)]
                if _is_solved(COMPARISONS[type(tree)], OPERATORS[type(side)], inner, sides[place].type, limit):
                    sides[place] = self._decimal(OPERATORS[type(side)], *inner, where)
        return _compare(COMPARISONS[type(tree)], *sides, where)

    def _arithmetic(self, operator: str, one: Node, other: Node, where: str) -> Node:
        kinds = {one.type, other.type}
        if any(kind.is_moment or kind == INTERVAL for kind in kinds):
            return _temporal(operator, one, other, where)
        if not all(kind.is_number for kind in kinds):
            raise UnsupportedError(f"{where}: {one.type} {operator} {other.type} is not computed at request time; write a cast")
        if operator == "/":
            sides = [in_type(side, DOUBLE, where) for side in (one, other)]
            return computed(DOUBLE, arithmetic.reals("/"), *sides)
        sides, kind = alike([one, other], where)
        if kind.is_integer:
            return computed(kind, arithmetic.integers(operator, kind), *sides)
        if kind.is_real and operator != "//":
            return computed(kind, arithmetic.reals(operator), *sides)
        if operator in ("+", "-", "*"):
            return self._decimal(operator, one, other, where)
        raise UnsupportedError(f"{where}: {operator} of {kind} is not computed at request time; cast both sides to DOUBLE or to integers")

    def _decimal(self, operator: str, one: Node, other: Node, where: str) -> Node:
        result = arithmetic.result_type(operator, one.type.as_decimal, other.type.as_decimal)
        if result is None:
            raise UnsupportedError(f"{where}: has more digits than a DECIMAL holds; cast one side to DOUBLE")
        sides = []
        for side in (one, other):
            scale = side.type.as_decimal.scale if operator == "*" else result.scale
            sides.append(in_type(side, Type("DECIMAL", 38, scale), where))
        return computed(result, arithmetic.decimals(operator, result), *sides)


def _refuse_same(one: Any, other: Any, where: str) -> None:
    if one == other:
        raise UnsupportedError(f"{where}: compares a value with itself; write is not null, or what was meant")


def _is_solved(comparison_: str, operator: str, inner: list[Node], kind: Type, limit: Node) -> bool:
    """Whether DuckDB solves `x + 1 > 5` to `x > 4`, so that the sum of an x at the edge of its type does not overflow."""
    numbers = [node.literal for node in inner if node.is_literal]
    if len(numbers) != 1 or not isinstance(numbers[0], int) or not isinstance(limit.literal, int):
        return False
    number, bound = numbers[0], limit.literal
    if operator == "*":
        return number != 0 and (comparison_ in ("=", "<>") or bound % number == 0)
    solved = bound - number if operator == "+" else bound + number if inner[1].is_literal else number - bound
    return comparison_ == "=" or kind.holds(solved)


def _compare(operator: str, one: Node, other: Node, where: str) -> Node:
    sides, kind = alike([one, other], where)
    return computed(BOOLEAN, comparison.compare(operator, kind), *sides)


def _temporal(operator: str, one: Node, other: Node, where: str) -> Node:
    """Sums and differences of dates, times, intervals and numbers of days."""
    if operator == "+" and not one.type.is_moment:
        one, other = other, one
    sign = -1 if operator == "-" else 1
    if operator in ("+", "-") and one.type.is_moment:
        if other.type == INTERVAL:
            kind = TIMESTAMP if one.type == DATE else one.type
            return computed(kind, times.moved(sign), in_type(one, kind, where), other)
        if one.type == DATE and other.type.is_integer and other.type != BIGINT:
            return computed(DATE, times.moved_days(sign), one, in_type(other, BIGINT, where))
        if operator == "-" and one.type == other.type == DATE:
            return computed(BIGINT, times.days_between, one, other)
        if operator == "-" and other.type.is_moment:
            sides, _ = alike([one, other], where)
            return computed(INTERVAL, times.difference, *sides)
    raise UnsupportedError(f"{where}: {one.type} {operator} {other.type} is not computed at request time")


def _literal(compiler: Compiler, tree: exp.Literal, where: str) -> Node:
    text = tree.this
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
        return Node(BOOLEAN, lambda batch: comparison.decided(one.evaluate(batch), _branch(other, batch), by))

    return rule


def _case(compiler: Compiler, tree: exp.Case, where: str) -> Node:
    conditions = []
    for branch in tree.args["ifs"]:
        condition = compiler.compile(branch.this)
        if tree.this is not None:
            condition = _compare("=", compiler.compile(tree.this), condition, where)
        conditions.append(boolean(condition, where))
    results = [compiler.compile(branch.args["true"]) for branch in tree.args["ifs"]]
    default = tree.args.get("default")
    return _choice(conditions, results, compiler.compile(default) if default else literal(None, NULL), where)


def _if(compiler: Compiler, tree: exp.If, where: str) -> Node:
    default = tree.args.get("false")
    otherwise = compiler.compile(default) if default else literal(None, NULL)
    return _choice([boolean(compiler.compile(tree.this), where)], [compiler.compile(tree.args["true"])], otherwise, where)


def _choice(conditions: list[Node], results: list[Node], otherwise: Node, where: str) -> Node:
    (*results, otherwise), kind = _alternatives([*results, otherwise], where)

    def evaluate(batch: Batch) -> Column:
        branches = [[_branch(node, batch) for node in nodes] for nodes in (conditions, results, [otherwise])]
        return comparison.choose(branches[0], branches[1], branches[2][0], kind, batch.rows)

    return Node(kind, evaluate)


def _alternatives(nodes: list[Node], where: str) -> tuple[list[Node], Type]:
    """Nodes of which a row takes one. The type of a small integer beside two that are written out hangs on their order."""
    found, kind = alike(nodes, where, or_null=True)
    if kind.name in ("TINYINT", "SMALLINT") and sum(node.is_literal and node.type != NULL for node in nodes) > 1:
        raise UnsupportedError(f"{where}: {kind} beside several numbers that are written out; cast it to INTEGER")
    return found, kind


def _coalesce(compiler: Compiler, tree: exp.Coalesce, where: str) -> Node:
    nodes, kind = _alternatives([compiler.compile(one) for one in [tree.this, *tree.expressions]], where)
    return Node(kind, lambda batch: comparison.coalesce([_branch(node, batch) for node in nodes], kind, batch.rows))


def _branch(node: Node, batch: Batch) -> comparison.Branch:
    return lambda rows: node.evaluate(batch.take(rows))


def _extreme(greatest: bool) -> Callable[["Compiler", Any, str], Node]:
    def rule(compiler: Compiler, tree: exp.Func, where: str) -> Node:
        nodes, kind = _alternatives([compiler.compile(one) for one in [tree.this, *tree.expressions]], where)
        if kind.name == "FLOAT":
            raise UnsupportedError(f"{where}: greatest and least of FLOAT; cast to DOUBLE")
        better = comparison.extreme(greatest, kind)
        found = nodes[0]
        for node in nodes[1:]:
            found = computed(kind, better, found, node)
        return found

    return rule


def _null_if(compiler: Compiler, tree: exp.Nullif, where: str) -> Node:
    _refuse_same(tree.this, tree.expression, where)
    given, other = compiler.compile(tree.this), compiler.compile(tree.expression)
    sides, kind = alike([given, other], where)
    return computed(given.type, comparison.null_if(kind), given, *sides)


def _cast(compiler: Compiler, tree: exp.Cast, where: str) -> Node:
    node = compiler.compile(tree.this)
    target = parse_type(tree.to.sql(dialect="duckdb"))
    if target is not None and node.is_literal and node.type == VARCHAR and target.is_moment:
        return functions.moment_literal(str(node.literal), target, where)
    if target is None or not can_cast(node.type, target):
        raise UnsupportedError(f"{where}: a cast from {node.type} to {tree.to.sql(dialect='duckdb')} is not computed at request time")
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
        raise UnsupportedError(f"{where}: at time zone takes a TIMESTAMP or a TIMESTAMPTZ and the name of a zone as text")
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
