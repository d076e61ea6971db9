"""Change one value in a YAML file of dbt: all else stays byte for byte, comments, order and quotes included.

The places of values come from the parser's marks; a general writer of YAML would lay the file out anew.
"""

import math
import re
from typing import Any

import yaml

from ml.errors import DeclarationError

_Steps = list[str]


def edited(text: str, model: str, column: str | None, path: _Steps, value: Any) -> str:
    """The text of a file with one value set: below the `config.meta` of a model's column, or the model's `config.meta.schema`.

    path: the keys from there; they are made where they are missing. `["data_type"]` is a column's own, and adds the column
    where there is none. value: a number, text, boolean or list of these; of a list only the items that differ are touched.
    Raises DeclarationError where the file has no such model or column, or the change cannot be made so that it alone changes.
    """
    where = f"model {model}" + (f", column {column}" if column else "")
    document = _load(text)
    steps: list[str | int] = ["models", _place(document, ["models"], model, where)]
    if column is None:
        steps += ["config", "meta", "schema", *path]
    else:
        columns = _get(document, [*steps, "columns"]) or []
        names = [one.get("name") for one in columns]
        if column not in names:
            if path != ["data_type"]:
                raise DeclarationError(f"{where}: the YAML declares no such column; declare it, and accept again.")
            steps += ["columns", len(names)]
            value = {"name": column, "data_type": value}
        else:
            steps += ["columns", names.index(column), *([] if path == ["data_type"] else ["config", "meta"]), *path]
            if isinstance(_get(document, steps[:-1]), list) and path[:1] == ["domain"]:
                steps.pop()  # `domain: [a, b]` is short for `domain: {values: [a, b]}`.
    changed = _set(text, steps, value)
    if _load(changed) != _with(document, steps, value):
        raise DeclarationError(
            f"{where}: {'.'.join(path)} cannot be set without changing more, such as an alias; edit it by hand."
        )
    return changed


def value_at(text: str, model: str, column: str | None, path: _Steps) -> Any:
    """What a file has where `edited` would write; None where there is nothing."""
    document = _load(text)
    found = _get(document, ["models", _place(document, ["models"], model, f"model {model}")])
    if column is not None:
        found = next((one for one in found.get("columns") or [] if one.get("name") == column), {})
    steps = path if path == ["data_type"] else ["config", "meta", *([] if column else ["schema"]), *path]
    parent = _get(found, [*steps[:-1]])
    return parent if isinstance(parent, list) and path[0] == "domain" else _get(found, [*steps])


def _load(text: str) -> Any:
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise DeclarationError(f"the file is no YAML: {error}. Mend it first.") from None


def _place(document: Any, steps: list[str | int], name: str, where: str) -> int:
    names = [one.get("name") for one in _get(document, steps) or []]
    if name not in names:
        raise DeclarationError(
            f"{where}: the file declares no such model; it has {', '.join(map(str, names)) or 'none'}."
        )
    return names.index(name)


def _get(document: Any, steps: list[str | int]) -> Any:
    for step in steps:
        if isinstance(document, dict):
            document = document.get(step)
        elif isinstance(document, list) and isinstance(step, int) and step < len(document):
            document = document[step]
        else:
            return None
    return document


def _with(document: Any, steps: list[str | int], value: Any) -> Any:
    """A copy of a document with one value set."""
    if not steps:
        return value
    step, rest = steps[0], steps[1:]
    if isinstance(step, int):
        items = list(document or [])
        items[step:] = [_with(items[step] if step < len(items) else None, rest, value), *items[step + 1 :]]
        return items
    return (document or {}) | {step: _with((document or {}).get(step), rest, value)}


def _set(text: str, steps: list[str | int], value: Any) -> str:
    """The text with a value set, by the marks of the deepest node on the way that is there."""
    node = yaml.compose(text, yaml.SafeLoader)
    for place, step in enumerate(steps):
        child = _child(node, step)
        if child is None or (isinstance(child, yaml.ScalarNode) and place + 1 < len(steps)):
            for missing in reversed(steps[place + 1 :]):
                value = {missing: value}
            return _replace(text, child, value) if child is not None else _insert(text, node, step, value)
        node = child
    if isinstance(node, yaml.SequenceNode) and isinstance(value, list):
        return _set_items(text, node, value)
    return _replace(text, node, value)


def _child(node: Any, step: str | int) -> Any:
    if isinstance(step, int):
        return node.value[step] if step < len(node.value) else None
    return next((child for key, child in node.value if key.value == step), None)


def _replace(text: str, node: Any, value: Any) -> str:
    start, end = node.start_mark.index, _end(node)
    # Of an empty value, as in `meta:`, the mark stands behind the colon or at the next line.
    space = " " if start == end and not text[start - 1].isspace() else ""
    return text[:start] + space + _flow(value) + text[end:]


def _insert(text: str, node: Any, step: str | int, value: Any) -> str:
    """A new entry at the end of a mapping or a list."""
    entry = _flow(value) if isinstance(step, int) else f"{step}: {_flow(value)}"
    if node.flow_style:
        end = node.end_mark.index - 1
        last = _end(_parts(node)[-1]) if node.value else end
        return text[:last] + (", " if node.value else "") + entry + text[last:]
    end = _line_end(text, _end(node))
    first = node.value[0] if isinstance(step, int) else node.value[0][0]
    indent: int = first.start_mark.column
    if isinstance(step, int):
        indent = text.rindex("-", 0, first.start_mark.index) - text.rfind("\n", 0, first.start_mark.index) - 1
        entry = f"- {entry}"
    return text[:end] + ("" if text[:end].endswith("\n") else "\n") + " " * indent + entry + "\n" + text[end:]


def _set_items(text: str, node: Any, value: list[Any]) -> str:
    """A list that loses items and gets others at its end; in another order it is written anew."""
    old = [yaml.safe_load(text[one.start_mark.index : _end(one)]) for one in node.value]
    kept = [one for one in old if one in value]
    added = value[len(kept) :]
    if value[: len(kept)] != kept or not kept or any(one in old for one in added):
        return _replace(text, node, value)
    for place, (item, one) in reversed(list(enumerate(zip(node.value, old, strict=True)))):
        if one not in value:
            text = _without(text, node, place, item)
    node = _again(text, node)
    for one in added:
        text = _insert(text, node, len(node.value), one)
        node = _again(text, node)
    return text


def _without(text: str, node: Any, place: int, item: Any) -> str:
    if not node.flow_style:
        start = text.rfind("\n", 0, item.start_mark.index) + 1
        return text[:start] + text[_line_end(text, _end(item)) :]
    if place + 1 < len(node.value):
        return text[: item.start_mark.index] + text[node.value[place + 1].start_mark.index :]
    return text[: _end(node.value[place - 1])] + text[_end(item) :]


def _again(text: str, node: Any) -> Any:
    """The list that begins where a node began."""
    open_nodes = [yaml.compose(text, yaml.SafeLoader)]
    while open_nodes:
        one = open_nodes.pop()
        if isinstance(one, yaml.SequenceNode) and one.start_mark.index == node.start_mark.index:
            return one
        open_nodes += _parts(one) if isinstance(one, yaml.CollectionNode) else []
    raise DeclarationError("a list cannot be changed in its place; edit it by hand.")


def _parts(node: Any) -> list[Any]:
    return [one[1] for one in node.value] if isinstance(node, yaml.MappingNode) else list(node.value)


def _end(node: Any) -> int:
    """Where a node's text ends. The mark of a block stands behind the comments that follow it."""
    if isinstance(node, yaml.CollectionNode) and not node.flow_style and node.value:
        return _end(_parts(node)[-1])
    return int(node.end_mark.index)


def _line_end(text: str, index: int) -> int:
    found = text.find("\n", max(index - 1, 0) if text[index - 1 : index] == "\n" else index)
    return len(text) if found < 0 else found + 1


def _flow(value: Any) -> str:
    """A value on one line, with quotes only where YAML would read it otherwise."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {_flow(one)}" for key, one in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_flow, value)) + "]"
    plain = (
        isinstance(value, str)
        and re.fullmatch(r"[A-Za-z](\w|[- ]*\w)*", value, re.ASCII)
        and yaml.safe_load(value) == value
    )
    style = '"' if isinstance(value, str) and not plain else None
    return (
        str(yaml.safe_dump(value, default_style=style, allow_unicode=True, width=math.inf))
        .removesuffix("...\n")
        .strip()
    )
