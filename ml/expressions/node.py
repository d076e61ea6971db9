"""Compiled expressions: nodes whose types are known, evaluated over a batch of rows."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ml.errors import DeclarationError
from ml.expressions.casts import can_cast, cast
from ml.expressions.column import Column, constant
from ml.expressions.types import BOOLEAN, NULL, Type, common_type


class UnsupportedError(DeclarationError):
    """An expression, or a part of one, that cannot be compiled to give exactly what DuckDB gives."""


class Batch:
    """The columns that expressions read, made when they are asked for and kept."""

    def __init__(self, make: Callable[[str], Column], rows: int) -> None:
        """make: gives a column by its name, which is in lower case."""
        self.rows = rows
        self._make = make
        self._columns: dict[str, Column] = {}

    def column(self, name: str) -> Column:
        """A column by its name."""
        if name not in self._columns:
            self._columns[name] = self._make(name)
        return self._columns[name]

    def add(self, name: str, column: Column) -> None:
        """A column that expressions behind this one read."""
        self._columns[name] = column

    def take(self, places: npt.NDArray[np.intp]) -> "Batch":
        """Some of the rows."""
        return self if len(places) == self.rows else Batch(lambda name: self.column(name).take(places), len(places))


Evaluate = Callable[[Batch], Column]


@dataclass(frozen=True)
class Node:
    """An expression: its type and how it is evaluated. `literal` is the value of a number or a text that is written out."""

    type: Type
    evaluate: Evaluate
    literal: int | str | None = None
    is_literal: bool = False


def literal(value: int | str | None, kind: Type) -> Node:
    """A value that is written out."""
    return Node(kind, lambda batch: constant(value, kind, batch.rows), value, True)


def computed(kind: Type, function: Callable[..., Column], *arguments: Node) -> Node:
    """A function of the columns of other nodes."""
    if len(arguments) == 1:
        only = arguments[0].evaluate
        return Node(kind, lambda batch: function(only(batch)))
    if len(arguments) == 2:
        one, other = (argument.evaluate for argument in arguments)
        return Node(kind, lambda batch: function(one(batch), other(batch)))
    parts = [argument.evaluate for argument in arguments]
    return Node(kind, lambda batch: function(*(part(batch) for part in parts)))


def in_type(node: Node, kind: Type, where: str) -> Node:
    """A node cast to a type, as DuckDB does it unasked. Raises UnsupportedError where that is not exact."""
    source = node.type
    if source == kind:
        return node
    if source == NULL:
        return literal(None, kind)
    if not can_cast(source, kind):
        raise UnsupportedError(f"{where}: {source} where {kind} is expected; write a cast")
    return computed(kind, lambda column: cast(column, source, kind), node)


def alike(nodes: list[Node], where: str, or_null: bool = False) -> tuple[list[Node], Type]:
    """Nodes cast to the type that they have in common. A number that is written out takes the type of the others where
    it fits. or_null: a null may be written out. Raises UnsupportedError where they have none in common."""
    kind = NULL
    for node in sorted(nodes, key=lambda node: node.is_literal and node.type.is_integer):
        if node.type == NULL and not or_null:
            raise UnsupportedError(f"{where}: null stands here for good; ask with is null, or leave it out")
        if node.is_literal and node.type.is_integer and kind.is_integer and kind.holds(int(node.literal or 0)):
            continue
        found = common_type(kind, node.type)
        if found is None:
            raise UnsupportedError(f"{where}: {kind} beside {node.type}; write a cast")
        kind = found
    return [in_type(node, kind, where) for node in nodes], kind


def boolean(node: Node, where: str) -> Node:
    """A node that is a condition. Raises UnsupportedError where it is of another type."""
    if node.type != BOOLEAN:
        raise UnsupportedError(f"{where}: {node.type} where BOOLEAN is expected; write a comparison")
    return node
