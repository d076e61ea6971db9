"""Scores again what was answered, by arms that are tried in the shadow: from the event log, so that no request knows of it."""

import json
import logging
import os
import threading
import time
from pathlib import Path
from typing import Any

import orjson

from ml import files
from ml.experiments.declaration import CONTROL
from ml.experiments.released import CurrentExperiments, ReleasedExperiment, experiments_of
from serving.events.appended_lines import AppendedLines, Line
from serving.events.event_file import EventFile
from serving.experiments.beside import folder
from serving.experiments.experiment import assignment
from serving.metrics.metrics import Metrics
from serving.predictions.event_lines import EventLines
from serving.predictions.predictor import Predictor, Stages
from serving.problems import Problem
from serving.pushes.follow import Pushes
from serving.releases.current import RETRY_SECONDS
from serving.releases.loaded import LoadedParts
from serving.releases.release import Release

SECONDS_TO_SCORE = 30.0
"""A request that takes longer ends this process; the next one goes on behind it."""
_LINES = 200
"""That are scored before what was read is noted again."""
_SINCE_SECONDS = 3600.0
"""Where nothing was noted yet: files to which nobody has written for longer hold none of a new experiment's requests."""
_ANSWER = b'"arm":"control","role":"answer"'

logger = logging.getLogger("serving")


class _ShadowArm:
    """An arm of a release that is scored in the shadow."""

    def __init__(self, experiment: ReleasedExperiment, name: str, predictor: Predictor, release: str) -> None:
        self.predictor = predictor
        self.lines = EventLines.of(predictor, release)
        self.at = predictor.signature.at
        self.assignment = assignment(experiment, name, "shadow")


class _Loaded:
    """A release with its shadows, by fingerprint."""

    def __init__(self, release: Release) -> None:
        self.release = release
        self.shadows = {
            experiment.fingerprint: [
                _ShadowArm(experiment, name, release.predictors[experiment.versions[name]], release.name)
                for name in experiment.spec.arms
                if name != CONTROL
            ]
            for experiment in experiments_of(release.manifest)
            if experiment.spec.policy == "shadow"
        }


class Shadow:
    """Reads what is new about five times a second. One a home at a time (serving/experiments/beside.py).

    How far it has read is noted before it scores, so that a request which ends the process is not scored again.
    """

    def __init__(self) -> None:
        events = files.home() / "events"
        self._note = folder() / "shadow.json"
        self._current = CurrentExperiments()
        self._parts = LoadedParts()
        self._pushes = Pushes(events / "pushes", Metrics())
        self._loaded: dict[str, _Loaded] = {}
        self._latest: Release | None = None
        self._failed: Path | None = None
        self._retry_at = 0.0
        self._read, since = self._read_note()
        self._lines = AppendedLines(events / "predictions", self._read, since)
        self._file = EventFile(events / "predictions")
        self._problem = ""
        self._began: float | None = None
        threading.Thread(target=self._watch, name="watchdog", daemon=True).start()

    def round(self) -> None:
        """Score what is new. Raises OSError where the disk refuses."""
        self._follow()
        self._pushes.read()
        try:
            self._read_new()
        except OSError:
            # What was read and not scored is read again.
            self._lines = AppendedLines(self._lines.folder, self._read)
            raise

    def _read_new(self) -> None:
        batch: list[Line] = []
        for line in self._lines.read_lines():
            # Cheap, and false of most lines.
            if _ANSWER in line.text:
                batch.append(line)
            if len(batch) == _LINES:
                self._score(batch)
                batch = []
        self._score(batch)
        self._keep_note(self._lines.bytes_read)

    def _follow(self) -> None:
        """Load the release that is current now; the one before stays for what it has answered.

        One that does not load is not served either, so the one before goes on, and it is tried again.
        """
        self._current.refresh()
        folder = self._current.folder
        is_latest = self._latest is not None and folder is not None and folder.name == self._latest.name
        if folder is None or is_latest or (folder == self._failed and time.monotonic() < self._retry_at):
            return
        try:
            release = Release(folder, self._parts)
            self._pushes.adopt(release, self._latest)
        except Exception as error:
            self._failed, self._retry_at = folder, time.monotonic() + RETRY_SECONDS
            logger.error({"event": "release_not_loaded", "problem": str(error)})
            return
        before = {self._latest.name: self._loaded[self._latest.name]} if self._latest else {}
        self._latest = release
        self._loaded = before | {release.name: _Loaded(release)}
        self._parts.forget_others(folder)

    def _score(self, batch: list[Line]) -> None:
        """Score lines, and log what came of it with one write."""
        if not batch:
            return
        # Who answered may have taken another release since this round began.
        self._follow()
        self._keep_note(self._read | {line.file: line.next_at for line in batch})
        found = []
        for line in batch:
            self._began = time.monotonic()
            try:
                found += self._lines_of(orjson.loads(line.text))
            except Exception as error:
                # Whatever a line holds, or a shadow makes of it, the next is scored.
                problem = error.message if isinstance(error, Problem) else str(error)
                if problem != self._problem:
                    self._problem = problem
                    logger.error({"event": "shadow_failed", "problem": f"{type(error).__name__}: {problem}"})
            finally:
                self._began = None
        if found:
            self._file.write(b"".join(found))

    def _lines_of(self, event: dict[str, Any]) -> list[bytes]:
        """What the shadows say of a request, as lines of the event log; none of one that an earlier release answered."""
        loaded = self._loaded.get(event["release"])
        if loaded is None:
            return []
        names = event["fields"][:-1]
        lines = []
        for shadow in loaded.shadows.get(event["assignment"]["fingerprint"], ()):
            known = [
                (place, name) for place, name in enumerate([*names, shadow.at]) if name in shadow.predictor.fields.types
            ]
            instances = [{name: values[place] for place, name in known} for values in event["instances"]]
            rows = shadow.predictor.check(instances, len(instances), loaded.release.as_of)
            start = time.perf_counter()
            predictions = shadow.predictor.predict(rows, Stages())
            more = b'%s"seconds":%.6f,' % (shadow.assignment, time.perf_counter() - start)
            for field in ("places", "units"):
                if field in event:
                    more += b'"%s":%s,' % (field.encode(), orjson.dumps(event[field]))
            lines.append(shadow.lines.line(event["request_id"], rows, predictions, more))
        return lines

    def _read_note(self) -> tuple[dict[str, int], float]:
        """How far the files were read; and since when they may hold what was not."""
        try:
            return json.loads(self._note.read_bytes()), 0.0
        except (OSError, ValueError):
            return {}, time.time() - _SINCE_SECONDS

    def _keep_note(self, read: dict[str, int]) -> None:
        if read != self._read:
            self._read = dict(read)
            files.write_whole(self._note, json.dumps(self._read).encode())

    def _watch(self) -> None:
        """End this process where a request takes too long: a thread that hangs cannot be ended alone."""
        while True:
            time.sleep(1)
            began = self._began
            if began is not None and time.monotonic() - began > SECONDS_TO_SCORE:
                logger.error(
                    {"event": "shadow_hangs", "problem": f"a request took more than {SECONDS_TO_SCORE:.0f} seconds"}
                )
                os._exit(1)
