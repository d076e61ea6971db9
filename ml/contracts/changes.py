"""What changed between the contracts of two versions of a feature view, from the point of view of those who read it."""

from dataclasses import dataclass
from typing import Any

from ml.field_types import canonical

ADDITIVE, BREAKING = "additive", "breaking"


@dataclass(frozen=True)
class Change:
    """One difference. `what`: such as 'column airport'; `old` and `new`: as they are declared, None where there is none."""

    what: str
    change: str
    old: Any
    new: Any
    kind: str


def contract_changes(old: dict[str, Any], new: dict[str, Any]) -> list[Change]:
    """The changes from one contract to another, in the order of the columns.

    old, new: {columns: {name: {type, constraints: [text]}}, constraints: [text], feature_view: {field: value}}.
    A reader of the old version is served by the new one after additive changes: a column more, a promise more. A column
    that goes or changes its type, a promise that is withdrawn or changed, another entity, time or ttl is breaking.
    """
    found = []
    for name in [*old["columns"], *(name for name in new["columns"] if name not in old["columns"])]:
        before, after = old["columns"].get(name), new["columns"].get(name)
        what = f"column {name}"
        if before is None or after is None:
            found.append(_of_presence(what, before and before["type"], after and after["type"]))
            continue
        if _type(before["type"]) != _type(after["type"]):
            found.append(Change(what, "retyped", before["type"], after["type"], BREAKING))
        found += _of_constraints(what, before["constraints"], after["constraints"])
    found += _of_constraints("the table", old["constraints"], new["constraints"])
    declared, declares = old["feature_view"], new["feature_view"]
    for field in sorted(declared | declares):
        before, after = declared.get(field), declares.get(field)
        if before != after:
            kind = ADDITIVE if field == "online" and after else BREAKING
            found.append(Change(field, "changed", before, after, kind))
    return found


def category(changes: list[Change]) -> str:
    """'none', 'additive' or 'breaking': the gravest of the changes."""
    kinds = {change.kind for change in changes}
    return BREAKING if BREAKING in kinds else ADDITIVE if kinds else "none"


def _type(declared: str) -> str:
    """Two spellings of one type are no change."""
    try:
        return canonical(declared)
    except TypeError:
        return declared


def _of_presence(what: str, old: Any, new: Any) -> Change:
    return Change(what, "added", None, new, ADDITIVE) if old is None else Change(what, "removed", old, None, BREAKING)


def _of_constraints(what: str, old: list[str], new: list[str]) -> list[Change]:
    """A single constraint in the place of a single one of its kind, such as a check, has changed."""
    gone = [text for text in old if text not in new]
    come = [text for text in new if text not in old]
    found = []
    for text in gone:
        kind = text.split()[0]
        same = [other for other in come if other.split()[0] == kind]
        if len(same) == 1 and sum(other.split()[0] == kind for other in gone) == 1:
            come.remove(same[0])
            found.append(Change(what, "constraint changed", text, same[0], BREAKING))
        else:
            found.append(Change(what, "constraint removed", text, None, BREAKING))
    return found + [Change(what, "constraint added", None, text, ADDITIVE) for text in come]
