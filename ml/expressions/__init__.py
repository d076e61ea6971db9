"""Request-time expressions: SQL that is compiled once to functions over columns and gives exactly DuckDB's values."""
