"""Request-time features: a signature's SQL expressions, compiled once and computed over a batch of requests."""

from ml.errors import EiderdownError
from ml.expressions.column import Column, RowError
from ml.expressions.compiler import columns_of, compile_expression
from ml.expressions.node import Batch, Node
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
        self.reads: set[str] = set()
        """The names, in lower case, of the columns that the expressions read."""
        for expression in signature.expressions:
            self._nodes[expression.name] = compile_expression(expression.expression, types)
            types[expression.name] = expression.type
            self.reads |= columns_of(expression.expression)

    def compute(self, columns: dict[str, Column], rows: int) -> None:
        """Add the request-time features to the request's fields, the prediction time and the stored features.

        Raises ExpressionError for the first row that has no value.
        """
        if not self._nodes:
            return
        # SQL does not tell the case of names.
        batch = Batch({name.lower(): column for name, column in columns.items()}.__getitem__, rows)
        for name, node in self._nodes.items():
            try:
                column = node.evaluate(batch)
            except RowError as error:
                raise ExpressionError(error.row) from error
            batch.add(name.lower(), column)
            columns[name] = column
