"""The server's metrics: over workers, over a worker's death, and beside prometheus_client's own."""

import random
from pathlib import Path

import prometheus_client
import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from serving.metrics.metrics import DECLARED, Metrics
from serving.metrics.snapshots import Snapshots, mark_dead


def samples(metrics: Metrics) -> dict[tuple[str, frozenset], float]:
    """What a scrape reads."""
    families = text_string_to_metric_families(metrics.exposition().decode())
    return {(one.name, frozenset(one.labels.items())): one.value for family in families for one in family.samples}


class Worker:
    """A worker's metrics."""

    def __init__(self, folder: Path, process: int) -> None:
        self.process = process
        self.snapshots = Snapshots(folder, process)
        self.metrics = Metrics(self.snapshots)
        self.snapshots.write(self.metrics.numbers())


@given(st.lists(st.floats(0, 20), max_size=50))
def test_a_histogram_is_that_of_prometheus_client(values: list[float]) -> None:
    metrics = Metrics()
    ours = metrics.durations("eiderdown_request_seconds", route="/x")
    registry = prometheus_client.CollectorRegistry()
    declared = DECLARED["eiderdown_request_seconds"]
    theirs = prometheus_client.Histogram(
        "eiderdown_request_seconds", declared.help, ["route"], buckets=declared.buckets, registry=registry
    )
    for value in [*values, *declared.buckets]:
        ours.observe(value)
        theirs.labels("/x").observe(value)
    said = metrics.exposition().decode().splitlines()
    for line in prometheus_client.generate_latest(registry).decode().splitlines():
        assert line in said or "_created" in line


def test_an_undeclared_name_or_other_labels_are_refused() -> None:
    metrics = Metrics()
    with pytest.raises(KeyError):
        metrics.counter("eiderdown_surprises")
    for labels in ({}, {"reason": "queue", "more": "x"}, {"route": "queue"}):
        with pytest.raises(ValueError, match="eiderdown_refused is a counter with the labels reason"):
            metrics.counter("eiderdown_refused", **labels)
    with pytest.raises(ValueError, match="is a gauge"):
        metrics.counter("eiderdown_workers")


def test_every_scrape_of_any_worker_counts_all_and_never_goes_back(tmp_path: Path) -> None:
    chance = random.Random(4)
    workers = [Worker(tmp_path, process) for process in range(3)]
    counted = dict.fromkeys(("a", "b"), 0)
    before: dict[tuple[str, frozenset], float] = {}
    for step in range(300):
        worker = chance.choice(workers)
        reason = chance.choice(["a", "b"])
        worker.metrics.counter("eiderdown_refused", reason=reason).add(2)
        worker.metrics.durations("eiderdown_batch_rows", model="m", version="1").observe(chance.choice([1, 40, 5000]))
        counted[reason] += 2
        if step % 50 == 49:
            # It dies with what it wrote last, and another takes its place.
            worker.snapshots.write(worker.metrics.numbers())
            mark_dead(tmp_path, worker.process)
            workers[workers.index(worker)] = Worker(tmp_path, 1000 + step)
        if step % 7 == 0:
            now = samples(chance.choice(workers).metrics)
            assert all(now[key] >= value for key, value in before.items() if "refused" in key[0] or "batch" in key[0])
            before = now
    for worker in workers:
        worker.snapshots.write(worker.metrics.numbers())
    for worker in workers:
        now = samples(worker.metrics)
        assert {
            reason: now["eiderdown_refused_total", frozenset({("reason", reason)})] for reason in counted
        } == counted
        model = {("model", "m"), ("version", "1")}
        assert now["eiderdown_batch_rows_count", frozenset(model)] == 300
        assert now["eiderdown_batch_rows_bucket", frozenset({*model, ("le", "+Inf")})] == 300
        assert now["eiderdown_workers", frozenset()] == 3


def test_gauges_are_of_those_who_live(tmp_path: Path) -> None:
    dead, other = Worker(tmp_path, 1), Worker(tmp_path, 2)
    for worker, rows in ((dead, 7), (other, 5)):
        worker.metrics.level("eiderdown_queue_rows", model="m").set(rows)
        worker.metrics.release_loaded("r1")
    dead.snapshots.write(dead.metrics.numbers())
    assert samples(other.metrics)["eiderdown_queue_rows", frozenset({("model", "m")})] == 12
    assert samples(other.metrics)["eiderdown_release", frozenset({("release", "r1")})] == 1
    mark_dead(tmp_path, dead.process)
    born = Worker(tmp_path, 3)
    other.metrics.release_loaded("r2")
    other.snapshots.write(other.metrics.numbers())
    now = samples(born.metrics)
    assert now["eiderdown_queue_rows", frozenset({("model", "m")})] == 5
    assert now["eiderdown_workers", frozenset()] == 2
    assert {key for key in now if key[0] == "eiderdown_release"} == {
        ("eiderdown_release", frozenset({("release", "r2")}))
    }


def test_a_folder_that_is_gone_leaves_the_worker_serving(tmp_path: Path) -> None:
    worker = Worker(tmp_path / "gone", 1)
    worker.metrics.counter("eiderdown_refused", reason="queue").add()
    assert samples(worker.metrics)["eiderdown_refused_total", frozenset({("reason", "queue")})] == 1
