"""What the server counts and measures, for Prometheus. The names of all metrics are in this file.

A series costs its caller an addition: it is resolved once, held, and added to. prometheus_client makes the text, at a scrape.
All numbers are of one process, which adds to them from one thread at a time; those of the other workers come from their
snapshots (serving/metrics/snapshots.py).
"""

from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from serving.metrics.snapshots import Numbers, Snapshots

_SECONDS = (0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)
_STAGE_SECONDS = (0.000005, 0.00001, 0.00002, 0.00005, *_SECONDS[:13])
_ROWS = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0, 1024.0)


@dataclass(frozen=True)
class Declared:
    """A metric: what it says, by which labels, and the upper bounds of a histogram's buckets."""

    kind: Literal["counter", "histogram", "gauge"]
    help: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()
    over_workers: Literal["sum", "max"] = "sum"
    """Of a gauge: what the value of several workers is."""


_MODEL = ("model", "version")
DECLARED = {
    "eiderdown_requests": Declared("counter", "Requests by route and status.", ("route", "status")),
    "eiderdown_request_seconds": Declared(
        "histogram", "Seconds from a request's arrival to its answer, by route.", ("route",), _SECONDS
    ),
    "eiderdown_predictions": Declared("counter", "Predictions by model, version and status.", (*_MODEL, "status")),
    "eiderdown_stage_seconds": Declared(
        "histogram",
        "Seconds of a stage of a prediction: parse, look_up, features, queue, predict, serialise, log.",
        (*_MODEL, "stage"),
        _STAGE_SECONDS,
    ),
    "eiderdown_batch_rows": Declared("histogram", "Rows that were predicted together.", _MODEL, _ROWS),
    "eiderdown_cache": Declared(
        "counter", "Look-ups in the cache of predictions: hit, miss, or joined to one in flight.", (*_MODEL, "outcome")
    ),
    "eiderdown_arm_failures": Declared(
        "counter", "Requests that an arm of an experiment could not score, by its version.", _MODEL
    ),
    "eiderdown_arm_late": Declared(
        "counter", "Requests for which an arm of an ensemble was not ready by the deadline, by its version.", _MODEL
    ),
    "eiderdown_queue_rows": Declared("gauge", "Rows that wait for a model.", ("model",)),
    "eiderdown_refused": Declared("counter", "Requests that were refused, by reason.", ("reason",)),
    "eiderdown_release": Declared("gauge", "1 for the release that is served.", ("release",), over_workers="max"),
    "eiderdown_release_failures": Declared("counter", "Releases that could not be loaded."),
    "eiderdown_events": Declared("counter", "Events that were appended to the event log, by kind.", ("kind",)),
    "eiderdown_event_failures": Declared(
        "counter", "Events that could not be appended to the event log, by kind.", ("kind",)
    ),
    "eiderdown_torn_lines": Declared("counter", "Lines of event files that could not be read, by kind.", ("kind",)),
    "eiderdown_pushed_rows": Declared("counter", "Pushed feature rows that were applied, by view.", ("view",)),
    "eiderdown_workers": Declared("gauge", "Worker processes that serve."),
}


class Count:
    """A counter's series."""

    __slots__ = ("value",)

    def __init__(self) -> None:
        self.value: float = 0

    def add(self, n: float = 1) -> None:
        """Count n more."""
        self.value += n

    def numbers(self) -> list[float]:
        """The series as a snapshot holds it."""
        return [self.value]


class Durations:
    """A histogram's series: of seconds, or of another quantity that its metric names."""

    __slots__ = ("_bounds", "counts", "total")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self._bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.total = 0.0

    def observe(self, value: float) -> None:
        """Count a value into the bucket whose upper bound is the least that it does not pass."""
        self.counts[bisect_left(self._bounds, value)] += 1
        self.total += value

    def numbers(self) -> list[float]:
        """The series as a snapshot holds it: the count of each bucket alone, and the sum of the values."""
        return [*self.counts, self.total]


class Level:
    """A gauge's series."""

    __slots__ = ("value",)

    def __init__(self) -> None:
        self.value: float = 0

    def set(self, value: float) -> None:
        """Say what the value is now."""
        self.value = value

    def numbers(self) -> list[float]:
        """The series as a snapshot holds it."""
        return [self.value]


class Metrics(Collector):
    """The metrics of one server process, and with `snapshots` those of the workers beside it."""

    def __init__(self, snapshots: Snapshots | None = None) -> None:
        self._series: dict[tuple[str, tuple[str, ...]], Count | Durations | Level] = {}
        self._snapshots = snapshots
        self.registry = CollectorRegistry()
        self.registry.register(self)
        for name, declared in DECLARED.items():
            if not declared.labels:
                self._find(name, declared.kind, {})
        self.level("eiderdown_workers").set(1)

    def counter(self, name: str, **labels: str) -> Count:
        """The series of a counter. Raises KeyError for an undeclared name, ValueError for other labels or another kind."""
        found = self._find(name, "counter", labels)
        assert isinstance(found, Count)
        return found

    def durations(self, name: str, **labels: str) -> Durations:
        """The series of a histogram. Raises as `counter` does."""
        found = self._find(name, "histogram", labels)
        assert isinstance(found, Durations)
        return found

    def level(self, name: str, **labels: str) -> Level:
        """The series of a gauge. Raises as `counter` does."""
        found = self._find(name, "gauge", labels)
        assert isinstance(found, Level)
        return found

    def release_loaded(self, name: str) -> None:
        """Say which release is served."""
        for key in [key for key in self._series if key[0] == "eiderdown_release"]:
            del self._series[key]
        self.level("eiderdown_release", release=name).set(1)

    def numbers(self) -> Numbers:
        """What this process counted, by metric and labels."""
        return {key: series.numbers() for key, series in list(self._series.items())}

    def exposition(self) -> bytes:
        """All workers' metrics as Prometheus text."""
        return generate_latest(self.registry)

    def collect(self) -> Iterable[Metric]:
        """The metrics, for prometheus_client."""
        own = self.numbers()
        workers = self._snapshots.with_others(own) if self._snapshots else [(own, True)]
        merged: dict[str, dict[tuple[str, ...], list[float]]] = {name: {} for name in DECLARED}
        for numbers, is_live in workers:
            for (name, labels), values in numbers.items():
                declared = DECLARED[name]
                if declared.kind == "gauge" and not is_live:
                    continue
                before = merged[name].get(labels)
                merge = max if declared.over_workers == "max" else _add
                merged[name][labels] = values if before is None else list(map(merge, before, values))
        for name, series in merged.items():
            yield _family(name, DECLARED[name], series)

    def _find(self, name: str, kind: str, labels: dict[str, str]) -> Count | Durations | Level:
        declared = DECLARED[name]
        if declared.kind != kind or labels.keys() != set(declared.labels):
            raise ValueError(f"{name} is a {declared.kind} with the labels {', '.join(declared.labels) or 'none'}")
        key = (name, tuple(str(labels[label]) for label in declared.labels))
        found = self._series.get(key)
        if found is None:
            found = Durations(declared.buckets) if kind == "histogram" else Count() if kind == "counter" else Level()
            self._series[key] = found
        return found


def _add(one: float, other: float) -> float:
    return one + other


def _family(name: str, declared: Declared, series: dict[tuple[str, ...], list[float]]) -> Metric:
    if declared.kind == "histogram":
        histogram = HistogramMetricFamily(name, declared.help, labels=declared.labels)
        bounds = [*map(str, declared.buckets), "+Inf"]
        for labels, (*counts, total) in series.items():
            up_to, buckets = 0.0, []
            for bound, count in zip(bounds, counts, strict=True):
                up_to += count
                buckets.append((bound, up_to))
            histogram.add_metric(labels, buckets, total)
        return histogram
    family: Any = {"counter": CounterMetricFamily, "gauge": GaugeMetricFamily}[declared.kind](
        name, declared.help, labels=declared.labels
    )
    for labels, (value,) in series.items():
        family.add_metric(labels, value)
    return family  # type: ignore[no-any-return]
