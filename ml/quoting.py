"""Names and texts as SQL reads them back."""

import re

import duckdb

_PLAIN = re.compile(r"[a-z_][a-z0-9_]*\Z", re.ASCII)


def quote(name: str) -> str:
    """A name in quotes.

    >>> quote('a"b')
    '"a""b"'
    """
    return '"' + name.replace('"', '""') + '"'


def literal(text: object) -> str:
    """A text or a path as a SQL literal.

    >>> literal("it's")
    "'it''s'"
    """
    return "'" + str(text).replace("'", "''") + "'"


class Names:
    """Writes names as a person would: quoted only where they have to be."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        """connection: any; it is asked for DuckDB's keywords."""
        rows = connection.execute(
            "select keyword_name from duckdb_keywords() where keyword_category <> 'unreserved'"
        ).fetchall()
        self._keywords = {keyword for (keyword,) in rows}

    def need_quotes(self, name: str) -> bool:
        """Whether a name is a keyword, or has more than small letters, digits and underscores."""
        return name in self._keywords or not _PLAIN.match(name)

    def write(self, name: str) -> str:
        """A name, quoted where it has to be."""
        return quote(name) if self.need_quotes(name) else name
