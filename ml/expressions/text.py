"""Functions of text. A character is a code point, as for DuckDB."""

import re
from collections.abc import Callable
from typing import Any

import numpy as np

from ml.expressions.column import Column, objects

# Where Python has more than one character, as Unicode's table of single ones has it.
_ODD_LOWER = {"\u0130": "i"}
_ODD_UPPER = {"\u00df": "\u1e9e"}


def per_value(function: Callable[[str], Any], dtype: Any = object) -> Callable[[Column], Column]:
    """A function of one text at a time."""

    def operate(column: Column) -> Column:
        found = [function(value) for value in column.values]
        return Column(objects(found) if dtype is object else np.array(found, dtype), column.null)

    return operate


def per_pair(function: Callable[[str, str], bool]) -> Callable[[Column, Column], Column]:
    """A question about two texts."""

    def operate(one: Column, other: Column) -> Column:
        found = [function(a, b) for a, b in zip(one.values, other.values, strict=True)]
        return Column(np.array(found, bool), one.null | other.null)

    return operate


def lower(text: str) -> str:
    """Character by character: no character becomes two, and no place in a word changes one."""
    return text.lower() if text.isascii() else "".join(_ODD_LOWER.get(one) or one.lower() for one in text)


def upper(text: str) -> str:
    """Character by character; a letter whose capital has two characters stays."""
    return text.upper() if text.isascii() else "".join(_capital(one) for one in text)


def _capital(character: str) -> str:
    candidates = [_ODD_UPPER.get(character, ""), character.upper(), character.title(), character]
    return next(one for one in candidates if len(one) == 1)


def concatenated(one: Column, other: Column) -> Column:
    """`||`: null where a side is."""
    return Column(one.values + other.values, one.null | other.null)


def joined(columns: list[Column]) -> Column:
    """`concat`: nulls are passed over."""
    parts = [np.where(column.null, "", column.values).astype(object) for column in columns]
    values = parts[0]
    for part in parts[1:]:
        values = values + part
    return Column(values, np.zeros(len(values), bool))


def matcher(pattern: str) -> Callable[[str], bool]:
    """`like` a pattern: % is any text, _ any character, and nothing escapes them."""
    parts = [".*" if one == "%" else "." if one == "_" else re.escape(one) for one in pattern]
    compiled = re.compile("".join(parts), re.DOTALL)
    return lambda text: compiled.fullmatch(text) is not None
