"""What a request-time expression is made of."""

import json

import sqlglot
from sqlglot import exp


def expression_columns(expression: str) -> str:
    """The columns that a SQL expression reads, in lower case, as a JSON list.

    >>> expression_columns("epoch(Sched_Dep_At - expected_at) / 3600")
    '["expected_at", "sched_dep_at"]'
    """
    columns = sqlglot.parse_one(expression, read="duckdb").find_all(exp.Column)
    return json.dumps(sorted({column.name.lower() for column in columns}))
