"""Request-time features: the dataset's own SQL expressions, evaluated over a batch of requests in an in-memory DuckDB."""

import threading

import duckdb
import pyarrow as pa

from ml.errors import EiderdownError
from ml.signature import Signature

_ORDER = "_row"


class ExpressionError(EiderdownError):
    """A request for which an expression has no value, such as a number out of its type's range. `row` is its place."""

    def __init__(self, row: int) -> None:
        super().__init__(
            f"instance {row}: its request-time features cannot be computed; check the range of its fields."
        )
        self.row = row


class RequestFeatures:
    """Evaluates a signature's expressions. One database for the model, one cursor for each thread that asks."""

    def __init__(self, signature: Signature) -> None:
        computed = [
            f'cast(({expression.expression}) as {expression.type}) as "{expression.name}"'
            for expression in signature.expressions
        ]
        self._query = f"select {', '.join(['*', *computed])} from request order by {_ORDER}"
        self._database = duckdb.connect(":memory:", config={"threads": 1, "memory_limit": "1GB"})
        for setting in ("TimeZone = 'UTC'", "enable_external_access = false", "lock_configuration = true"):
            self._database.execute(f"set global {setting}")
        self._local = threading.local()

    def compute(self, requests: pa.Table) -> pa.Table:
        """Requests (fields, the prediction time, stored features) with the request-time features beside them.

        The count and order of rows are kept. Raises ExpressionError for the first row that has no value.
        """
        try:
            return self._evaluate(requests)
        except duckdb.Error:
            for row in range(requests.num_rows):
                try:
                    self._evaluate(requests.slice(row, 1))
                except duckdb.Error as error:
                    raise ExpressionError(row) from error
            raise

    def _evaluate(self, requests: pa.Table) -> pa.Table:
        cursor = getattr(self._local, "cursor", None)
        if cursor is None:
            cursor = self._local.cursor = self._database.cursor()
        numbered = requests.append_column(_ORDER, pa.array(range(requests.num_rows), pa.int64()))
        cursor.register("request", numbered)
        try:
            return cursor.sql(self._query).to_arrow_table()
        finally:
            cursor.unregister("request")
