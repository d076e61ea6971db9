"""The files that a dbt project's sources read, and what has changed of them. No content is read, no warehouse opened."""

import re
from pathlib import Path
from typing import Any

from ml import files

States = dict[str, dict[str, list[int]]]
"""{selector of a source: {path: [bytes, time of the last change in nanoseconds]}}"""

_QUOTED = re.compile(r"'((?:[^']|'')*)'")


def source_states(manifest: dict[str, Any]) -> States:
    """The files of each source under the home folder, as they are now. manifest: dbt's manifest.json.

    They are found by the paths, also patterns, that stand in quotes where the source reads (`external_location`). A source that
    is a table, or lies elsewhere, is none of them: what is new there, time finds.
    """
    states: States = {}
    for source in manifest["sources"].values():
        quoted = [text.replace("''", "'") for text in _QUOTED.findall(source["relation_name"] or "")]
        patterns = [path for text in quoted if (path := Path(text)).is_relative_to(files.home())]
        if patterns:
            selector = f"source:{source['package_name']}.{source['source_name']}.{source['name']}"
            states[selector] = {path: state for pattern in patterns for path, state in _states(pattern).items()}
    return states


def changed_sources(before: States, now: States) -> list[str]:
    """The selectors of the sources whose files are not what they were. An empty file is none: it holds nothing."""
    held = without_empty(now)
    return [selector for selector in held if held[selector] != before.get(selector, {})]


def without_empty(states: States) -> States:
    """The states that `changed_sources` compares with."""
    return {selector: {path: state for path, state in found.items() if state[0]} for selector, found in states.items()}


def appended_only(path: str) -> bool:
    """Whether a file is one of events, which servers append to while it is read: a line that is not whole yet waits."""
    return Path(path).is_relative_to(files.home() / "events")


def _states(pattern: Path) -> dict[str, list[int]]:
    found = {}
    for path in Path(pattern.anchor).glob(str(pattern.relative_to(pattern.anchor))):
        try:
            status = path.stat()
        except FileNotFoundError:
            # Removed between the two looks.
            continue
        found[str(path)] = [status.st_size, status.st_mtime_ns]
    return found
