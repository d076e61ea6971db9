"""What differs between two definitions of one feature view, and whether it breaks those who use it."""

import json
from typing import Any

from ml.meaning.canonical import normal_form
from ml.meaning.definition import Definition, mark, marks_read
from ml.meaning.meaning import Meaning, meaning_of


def changes(old: str, new: str) -> str:
    """Answer of the SQL function `eiderdown_changes`: JSON {kind, what, causes}.

    old, new: JSON of definitions with their declarations. `kind` is 'none', 'additive' (columns were added, and all that
    was there means what it meant) or 'breaking'; `what` says each difference in words; `causes` names the upstream
    relations that they come from. Both sides are brought to normal form here and now, so that a difference between
    versions of sqlglot is none.
    """
    before, after = json.loads(old), json.loads(new)
    added, broken = _declared(before.get("declaration") or {}, after.get("declaration") or {})
    old_tree, new_tree = normal_form(before), normal_form(after)
    old_meaning, new_meaning = meaning_of(old_tree), meaning_of(new_tree)
    added |= {f"column {name} added" for name in new_meaning.columns.keys() - old_meaning.columns.keys()}
    broken |= {f"column {name} removed" for name in old_meaning.columns.keys() - new_meaning.columns.keys()}
    broken |= _changed_columns(old_meaning, new_meaning)
    if old_meaning.rows != new_meaning.rows:
        broken.add("which rows it has (a join, a filter, a grouping or distinct)")
    causes = _causes(before, after)
    marks = marks_read(before, old_tree), marks_read(after, new_tree)
    broken |= {f"upstream {name}" for name in marks[0].keys() & marks[1].keys() if marks[0][name] != marks[1][name]}
    kind = "breaking" if broken else "additive" if added else "none"
    return json.dumps({"kind": kind, "what": sorted(added | broken), "causes": sorted(causes)})


def _meaning(definition: Definition) -> Meaning:
    return meaning_of(normal_form(definition))


def _changed_columns(old: Meaning, new: Meaning) -> set[str]:
    """The columns that are made otherwise; where only rows below differ, those that read them, unless that is all."""
    common = old.columns.keys() & new.columns.keys()
    changed = {name for name in common if old.expressions[name] != new.expressions[name]}
    if not changed:
        changed = {name for name in common if old.columns[name] != new.columns[name]}
        if changed == common and old.rows != new.rows:
            return set()
    return {f"column {name} changed" for name in changed}


def _declared(old: dict[str, Any], new: dict[str, Any]) -> tuple[set[str], set[str]]:
    """What the declarations differ in, {added}, {broken}; `features` maps names to types."""
    old_features, new_features = old.get("features") or {}, new.get("features") or {}
    added = {f"column {name} added" for name in new_features.keys() - old_features.keys()}
    broken = {f"column {name} removed" for name in old_features.keys() - new_features.keys()}
    broken |= {
        f"column {name} is now {new_features[name]}, was {old_features[name]}"
        for name in old_features.keys() & new_features.keys()
        if old_features[name] != new_features[name]
    }
    other = (old.keys() | new.keys()) - {"features"}
    broken |= {f"declared {field}" for field in other if old.get(field) != new.get(field)}
    return added, broken


def _causes(old: Definition, new: Definition) -> set[str]:
    """The relations upstream that changed themselves, and not only through others."""
    found: set[str] = set()
    for name in old["reads"].keys() & new["reads"].keys():
        before, after = old["reads"][name], new["reads"][name]
        if "sql" in before and "sql" in after:
            deeper = _causes(before, after)
            found |= deeper or ({name} if _meaning(before) != _meaning(after) else set())
        elif "sql" in before or "sql" in after or mark(before) != mark(after):
            found.add(name)
    return found
