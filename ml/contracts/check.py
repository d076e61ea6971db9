"""The contract where data crosses between DuckDB and Python: the same types, nulls and columns on both sides.

pandas and pandera are imported where they are used: a run that reads no dataset need not wait for them.
"""

from typing import Any

import duckdb
import pyarrow as pa

from ml.errors import ContractError
from ml.field_types import arrow_type


def hold_rows(session: duckdb.DuckDBPyConnection, rows: Any, name: str, table: str) -> None:
    """Keep what a Python model returns in the temporary table `name`, for the materialization to write.

    Raises ContractError where the model returned something else than a DuckDB relation: other frames would be read
    through another cursor, and guess at types.
    """
    if not isinstance(rows, duckdb.DuckDBPyRelation):
        raise ContractError(
            f"{table}: the model returned {type(rows).__name__}. Return a DuckDB relation: "
            "session.from_arrow(table), session.sql(query) or dbt.ref(...)."
        )
    session.register(f"{name}_view", rows)
    session.execute(f'create or replace temporary table "{name}" as select * from "{name}_view"')
    session.unregister(f"{name}_view")


def check_table(table: pa.Table, name: str, columns: dict[str, str], not_null: list[str]) -> pa.Table:
    """A table that keeps its contract, with the columns of the contract in its order.

    columns: name to SQL type; not_null: the columns that hold no null. Checked by pandera over Arrow-backed columns, so
    that no value passes through a float. Raises ContractError with every column that differs.
    """
    import pandas as pd
    import pandera.pandas as pandera
    from pandera.errors import SchemaErrors

    schema = pandera.DataFrameSchema(
        {
            column: pandera.Column(pd.ArrowDtype(arrow_type(sql_type)), nullable=column not in not_null)
            for column, sql_type in columns.items()
        },
        strict="filter",
        name=name,
    )
    frame = table.to_pandas(types_mapper=pd.ArrowDtype, self_destruct=False)
    missing = [column for column in columns if column not in table.column_names]
    if missing:
        raise ContractError(
            f"{name} does not keep its contract: it lacks {', '.join(missing)}. Mend the model that builds it."
        )
    try:
        schema.validate(frame, lazy=True)
    except SchemaErrors as error:
        cases = error.failure_cases.groupby(["column", "check"], dropna=False, sort=True).size()
        found = "; ".join(f"{column or 'table'}: {check} ({count} rows)" for (column, check), count in cases.items())
        raise ContractError(f"{name} does not keep its contract: {found}. Mend the model that builds it.") from error
    return table.select(list(columns))
