"""A disk that is full while predictions are logged: they are answered, counted, and nothing is left torn in between."""

import json
import resource
import signal
from pathlib import Path

import pytest

from serving.event_log import EventLog
from serving.metrics import Metrics


@pytest.fixture
def small_disk() -> object:
    """A limit on the size of files, which makes writes fall short as a full disk does."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (200, before[1]))
    yield lambda: resource.setrlimit(resource.RLIMIT_FSIZE, before)
    resource.setrlimit(resource.RLIMIT_FSIZE, before)
    signal.signal(signal.SIGXFSZ, handler)


def test_a_full_disk_is_counted_and_what_comes_next_is_whole(tmp_path: Path, small_disk) -> None:  # type: ignore[no-untyped-def]
    metrics = Metrics()
    log = EventLog(tmp_path, metrics)
    for number in range(4):
        log.append([{"event_id": f"before-{number}", "padding": "x" * 60}])
    assert log.problem is not None
    assert metrics.registry.get_sample_value("eiderdown_event_failures_total", {"kind": "predictions"}) >= 1
    small_disk()
    log.append([{"event_id": "after"}])
    assert log.problem is None
    log.close()
    whole = []
    for line in log.path.read_text().splitlines():
        try:
            whole.append(json.loads(line)["event_id"])
        except ValueError:
            continue
    assert whole[0] == "before-0"
    assert whole[-1] == "after"


def test_each_process_has_a_file_of_its_own(tmp_path: Path) -> None:
    logs = [EventLog(tmp_path, Metrics()) for _ in range(3)]
    assert len({log.path for log in logs}) == 3
    for log in logs:
        log.close()
