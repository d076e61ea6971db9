"""Request-time features: a signature's SQL expressions, compiled once and computed over a batch of requests."""

import pyarrow as pa

from ml.errors import EiderdownError
from ml.expressions.column import RowError, from_arrow, to_arrow
from ml.expressions.compiler import compile_expression
from ml.expressions.node import Batch, Node
from ml.expressions.types import Type, parse_type
from ml.scoring.signature import Signature


class ExpressionError(EiderdownError):
    """A request for which an expression has no value, such as a number out of its type's range. `row` is its place."""

    def __init__(self, row: int) -> None:
        super().__init__(
            f"instance {row}: its request-time features cannot be computed; check the range of its fields."
        )
        self.row = row


class RequestFeatures:
    """A signature's expressions as functions over columns. Safe to call from many threads."""

    def __init__(self, signature: Signature) -> None:
        """Compile. Raises UnsupportedError for an expression outside of the supported set."""
        types = {field.name: field.type for field in signature.request} | {signature.at: "TIMESTAMPTZ"}
        for view in signature.views:
            types |= view.features
        self._nodes: dict[str, Node] = {}
        for expression in signature.expressions:
            self._nodes[expression.name] = compile_expression(expression.expression, types)
            types[expression.name] = expression.type
        self._inputs: dict[str, Type] = {
            name: kind
            for name, sql_type in types.items()
            if name not in self._nodes and (kind := parse_type(sql_type)) is not None
        }

    def compute(self, requests: pa.Table) -> pa.Table:
        """Requests (fields, the prediction time, stored features) with the request-time features beside them.

        The count and order of rows are kept. Raises ExpressionError for the first row that has no value.
        """
        batch = Batch(lambda name: from_arrow(requests.column(name), self._inputs[name]), requests.num_rows)
        for name, node in self._nodes.items():
            try:
                column = node.evaluate(batch)
            except RowError as error:
                raise ExpressionError(error.row) from error
            batch.add(name, column)
            requests = requests.append_column(name, to_arrow(column, node.type))
        return requests
