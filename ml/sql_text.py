"""Text in SQL, where a statement takes no parameter: views, ATTACH and the options of COPY."""


def literal(value: object) -> str:
    """A SQL string literal of a text or path.

    >>> literal("O'Hare")
    "'O''Hare'"
    """
    return "'" + str(value).replace("'", "''") + "'"


def name(identifier: str) -> str:
    """A quoted SQL name.

    >>> print(name('a"b'))
    "a""b"
    """
    return '"' + identifier.replace('"', '""') + '"'
