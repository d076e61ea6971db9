"""Choices between nodes: a row evaluates what it reaches and nothing else."""

from ml.expressions import comparison
from ml.expressions.column import Column
from ml.expressions.node import Batch, Node, UnsupportedError, alike
from ml.expressions.types import BOOLEAN, NULL, Type


def logic(by: bool, one: Node, other: Node) -> Node:
    """`or` (by True) or `and` (by False)."""
    return Node(BOOLEAN, lambda batch: comparison.decided(one.evaluate(batch), _branch(other, batch), by))


def choice(conditions: list[Node], results: list[Node], otherwise: Node, where: str) -> Node:
    """`case`: the result of the first condition that is true."""
    (*results, otherwise), kind = alternatives([*results, otherwise], where)

    def evaluate(batch: Batch) -> Column:
        branches = [[_branch(node, batch) for node in nodes] for nodes in (conditions, results, [otherwise])]
        return comparison.choose(branches[0], branches[1], branches[2][0], kind, batch.rows)

    return Node(kind, evaluate)


def alternatives(nodes: list[Node], where: str) -> tuple[list[Node], Type]:
    """Nodes of which a row takes one. The type of a small integer beside two that are written out hangs on their order."""
    found, kind = alike(nodes, where, or_null=True)
    if kind.name in ("TINYINT", "SMALLINT") and sum(node.is_literal and node.type != NULL for node in nodes) > 1:
        raise UnsupportedError(f"{where}: {kind} beside several numbers that are written out; cast it to INTEGER")
    return found, kind


def first_known(nodes: list[Node], where: str) -> Node:
    """`coalesce`: the first that is not null."""
    nodes, kind = alternatives(nodes, where)
    return Node(kind, lambda batch: comparison.coalesce([_branch(node, batch) for node in nodes], kind, batch.rows))


def _branch(node: Node, batch: Batch) -> comparison.Branch:
    return lambda rows: node.evaluate(batch.take(rows))
