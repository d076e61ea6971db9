"""A round of the watch: look, build what is affected, tell people, and carry decisions back."""

import datetime as dt
import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any

from ml import files
from ml.alerts.deliver import Delivered, deliver
from ml.alerts.state import BUILD, read_alerts
from ml.errors import EiderdownError
from ml.events import read_events, write_event
from ml.experiments.decide import promote_full_canaries
from ml.watching.build import Built
from ml.watching.retraining import carry_decisions, due
from ml.watching.sources import States, appended_only, changed_sources, source_states, without_empty

SETTLE_SECONDS = 2.0
MOST_SECONDS = 3600.0

Dbt = Callable[..., Built]


@dataclass(frozen=True)
class Round:
    """What a round did: 'idle', 'waiting' (text says for what), 'built' or 'failed'.

    selection: what dbt was asked to build, empty for the whole project; retrain: models that it was to train anew; goes_on:
    whether what it built is followed by another build, such as that of a decision to retrain.
    """

    state: str
    text: str = ""
    selection: list[str] = field(default_factory=list)
    retrain: list[str] = field(default_factory=list)
    seconds: float = 0.0
    delivered: list[Delivered] = field(default_factory=list)
    goes_on: bool = False


@dataclass
class _Memory:
    """What is known of earlier rounds, in `watch/state.json`. Without it, the whole project is built."""

    sources: States | None = None
    whole_at: float = 0.0
    carried: list[str] = field(default_factory=list)
    """The decisions to retrain that were built."""
    failures: int = 0
    failed_at: float = 0.0
    failed_selection: list[str] = field(default_factory=list)
    failed_sources: States = field(default_factory=dict)

    @classmethod
    def read(cls) -> "_Memory":
        try:
            return cls(**json.loads(cls._path().read_text()))
        except (OSError, ValueError, TypeError):
            return cls()

    def keep(self) -> None:
        files.write_whole(self._path(), json.dumps(asdict(self)).encode())

    @staticmethod
    def _path() -> Any:
        return files.home() / "watch" / "state.json"


@dataclass
class Watch:
    """Builds what new files, decisions and time affect, one build at a time.

    dbt: runs dbt with arguments; manifest: the project as dbt read it last; wait: waits so many seconds, or until the watch is
    to end; every: seconds between rounds, from which the back-off after failures grows; whole_every: seconds after which all is
    built, since time alone changes what is known.

    Each step can be killed: what was read is remembered after the build, so it is built again, and a build that finds nothing
    new changes nothing; events come before what follows from them.
    """

    dbt: Dbt
    manifest: Callable[[], dict[str, Any]]
    wait: Callable[[float], object]
    every: float = 60.0
    whole_every: float = 86_400.0
    say: Callable[[str], None] = lambda _: None
    _is_parsed: bool = False

    def round(self) -> Round:
        """One look, and at most one build."""
        memory = _Memory.read()
        if not self._is_parsed:
            self.say("dbt reads the project")
            parsed = self.dbt("parse")
            if not parsed.is_success:
                return self._failed(memory, parsed, [], {})
            self._is_parsed = True
        manifest = self.manifest()
        carry_decisions()
        self._promote_canaries()
        states = source_states(manifest)
        asked = [one for one in due() if one.event_id not in memory.carried]
        selection = self._select(memory, manifest, states, [one.model for one in asked])
        if selection is None:
            return Round("idle", delivered=self._deliver())
        if memory.failures and self._is_backing_off(memory, states):
            return Round("waiting", f"for another try, after {memory.failures} that failed", delivered=self._deliver())
        if unsettled := self._unsettled(memory, manifest, states):
            return Round("waiting", f"{unsettled} is being written", delivered=self._deliver())
        models = [one.model for one in asked]
        started = time.monotonic()
        self.say(f"dbt builds {', '.join(selection) or 'all'}")
        built = self.dbt("build", *(["--select", *selection] if selection else []))
        if built.is_busy:
            return Round("waiting", "another process holds the warehouse", delivered=self._deliver())
        seconds = time.monotonic() - started
        if not built.is_success:
            return self._failed(memory, built, selection, states, models, seconds)
        is_mended = bool(builds := read_events("builds", BUILD)) and not builds[-1]["is_success"]
        if is_mended:
            write_event("builds", {"is_success": True, "selection": selection, "text": "the build succeeds again"})
        carried = [*memory.carried, *(one.event_id for one in asked)][-1000:]
        whole_at = memory.whole_at if selection else time.time()
        _Memory(without_empty(states), whole_at, carried).keep()
        goes_on = bool(carry_decisions()) or is_mended
        return Round("built", "", selection, models, seconds, self._deliver(), goes_on)

    def _promote_canaries(self) -> None:
        """What a canary has shown becomes a decision, which the next build folds."""
        try:
            for decided in promote_full_canaries():
                self.say(f"{decided.decision.model} {decided.decision.version} is champion: {decided.decision.reason}")
        except EiderdownError as error:
            # The canary goes on having all requests; a decision can be made by hand.
            self.say(f"a canary could not be promoted: {error}")

    def _select(self, memory: _Memory, manifest: dict[str, Any], states: States, models: list[str]) -> list[str] | None:
        """What to build; empty for all, None for nothing."""
        is_whole = memory.sources is None or time.time() - memory.whole_at >= self.whole_every
        if is_whole or (memory.failures and not memory.failed_selection):
            return []
        changed = [f"{selector}+" for selector in changed_sources(memory.sources or {}, states)]
        nodes = [
            f"{node['name']}+"
            for node in manifest["nodes"].values()
            if "model" in (node["config"].get("meta") or {}) and node.get("alias") in models
        ]
        return list(dict.fromkeys([*changed, *nodes, *memory.failed_selection])) or None

    def _is_backing_off(self, memory: _Memory, states: States) -> bool:
        """Whether a build that failed is not tried yet: its time has not come, and nothing has changed since."""
        wait = min(self.every * 2.0**memory.failures, MOST_SECONDS)
        is_same = not [name for name in changed_sources(memory.failed_sources, states) if ".events." not in name]
        return is_same and 0 <= time.time() - memory.failed_at < wait

    def _unsettled(self, memory: _Memory, manifest: dict[str, Any], states: States) -> str:
        """A file that somebody is writing: its size or time is another after a moment. Empty where there is none."""
        before = {path: state for found in states.values() for path, state in found.items() if not appended_only(path)}
        known = {path: state for found in (memory.sources or {}).values() for path, state in found.items()}
        if all(known.get(path) == state for path, state in before.items()):
            return ""
        self.wait(SETTLE_SECONDS)
        after = {path: state for found in source_states(manifest).values() for path, state in found.items()}
        return next((path for path, state in before.items() if after.get(path) != state), "")

    def _failed(
        self,
        memory: _Memory,
        built: Built,
        selection: list[str],
        states: States,
        models: list[str] | None = None,
        seconds: float = 0.0,
    ) -> Round:
        events = read_events("builds", BUILD)
        if not events or events[-1]["is_success"] or events[-1]["text"] != built.text:
            write_event("builds", {"is_success": False, "selection": selection, "text": built.text})
        memory.failures, memory.failed_at = memory.failures + 1, time.time()
        memory.failed_selection, memory.failed_sources = selection, without_empty(states)
        memory.keep()
        return Round("failed", built.text, selection, models or [], seconds, self._deliver())

    def _deliver(self) -> list[Delivered]:
        return deliver(read_alerts(), self.wait)


def say_round(done: Round, at: dt.datetime) -> str:
    """A round as a line of JSON."""
    return json.dumps({"at": at.isoformat(), **asdict(done)})
