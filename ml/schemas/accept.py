"""Give in: the changes that anomalies suggest, put into the YAML files of the project."""

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ml import files
from ml.errors import DeclarationError
from ml.schemas.yaml_edit import edited, value_at


@dataclass(frozen=True)
class Change:
    """One value of a schema: at `path` below a column's config.meta or, without a column, the model's config.meta.schema."""

    model: str
    column: str | None
    path: tuple[str, ...]
    was: Any
    value: Any

    @property
    def where(self) -> str:
        """For messages."""
        return f"model {self.model}" + (f", column {self.column}" if self.column else "") + f": {'.'.join(self.path)}"


def merged(suggestions: Iterable[dict[str, Any]]) -> list[Change]:
    """Suggestions of several windows as one change for each value: what all of them ask for.

    suggestions: {model, column, path, was, value}, of the first window first. Of least bounds the least counts, of greatest
    the greatest; a list loses and gains what any of them takes away and adds; of others the last counts.
    """
    grouped: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
    for one in suggestions:
        grouped.setdefault((one["model"], one["column"], tuple(one["path"])), []).append(one)
    changes = []
    for (model, column, path), group in grouped.items():
        was = group[-1]["was"]
        values = [one["value"] for one in group]
        if isinstance(was, list):
            gone = {item for one in values for item in was if item not in one}
            value: Any = [item for item in was if item not in gone]
            value += dict.fromkeys(item for one in values for item in one if item not in was)
        elif path[-1].startswith("min"):
            value = min(map(_number, values))
        elif path[-1].startswith("max"):
            value = max(map(_number, values))
        else:
            value = values[-1]
        changes.append(Change(model, column, path, was, value))
    return changes


def applied(changes: Iterable[Change], files_of_models: dict[str, Path]) -> dict[Path, tuple[str, str]]:
    """The YAML files that changes concern: path to (text as it is, text as it will be). Nothing is written.

    Raises DeclarationError where a model has no YAML file, or the file has another value than that which a suggestion changes.
    """
    texts: dict[Path, tuple[str, str]] = {}
    for change in changes:
        if change.model not in files_of_models:
            raise DeclarationError(
                f"{change.where}: the model has no YAML; write one, for example with `eiderdown schema infer`."
            )
        path = files_of_models[change.model]
        old, new = texts.get(path) or (path.read_bytes().decode(),) * 2
        found = value_at(old, change.model, change.column, list(change.path))
        if not _is_same(change, found):
            raise DeclarationError(
                f"{change.where} is {json.dumps(found, default=str)} in {path}, and the suggestion was made from "
                f"{json.dumps(change.was)}. Run `dbt run -s anomalies`, and accept what is suggested then."
            )
        texts[path] = (old, edited(new, change.model, change.column, list(change.path), _typed(change.value, found)))
    return {path: (old, new) for path, (old, new) in texts.items() if old != new}


def write(path: Path, old: str, new: str) -> None:
    """Put a text in the place of another, whole or not at all. Raises DeclarationError where the file has changed meanwhile."""
    # dbt reads every file that ends in .yml, also one that a killed run leaves.
    written = files.aside(path).with_suffix(".tmp")
    written.write_bytes(new.encode())
    if path.read_bytes().decode() != old:
        written.unlink()
        raise DeclarationError(f"{path} was changed meanwhile; accept again.")
    files.adopt(written, path)


def _number(value: Any) -> Any:
    """A bound, which SQL gives as text where it is of any type, as YAML has it."""
    if isinstance(value, str) and re.fullmatch(r"-?\d+(\.\d+)?(e[+-]?\d+)?", value):
        number = float(value)
        return (
            int(number)
            if number.is_integer() and abs(number) < 2**53
            else number
            if "." in value or "e" in value
            else int(value)
        )
    return value


def _typed(value: Any, found: Any) -> Any:
    """Values of a domain as the file has them: numbers where it has numbers."""
    if isinstance(value, list) and isinstance(found, list) and found:
        if all(isinstance(one, bool) for one in found):
            return [one == "true" for one in value]
        if all(isinstance(one, int) for one in found):
            return [int(one) for one in value]
    return value


def _is_same(change: Change, found: Any) -> bool:
    was = change.was
    if change.path[-1] in ("nan", "infinite"):
        return not found
    if change.path == ("lifecycle",):
        return bool((was or "production") == (found or "production"))
    if isinstance(was, list):
        return (
            isinstance(found, list)
            and [str(one).lower() if isinstance(one, bool) else str(one) for one in found] == was
        )
    if isinstance(was, str) and (time := re.match(r"cast\('(.*)' as ", was)):
        return str(found) == time[1]
    return bool(_number(was) == found)
