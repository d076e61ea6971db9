"""What the server counts and measures, for Prometheus. The names of all metrics are in this file."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram


class Metrics:
    """The metrics of one server process."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "eiderdown_requests", "Requests by route and status.", ["route", "status"], registry=self.registry
        )
        self.seconds = Histogram(
            "eiderdown_request_seconds",
            "Seconds from a request's arrival to its answer, by route.",
            ["route"],
            buckets=(0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5),
            registry=self.registry,
        )
        self.predictions = Counter(
            "eiderdown_predictions",
            "Predictions by model, version and status.",
            ["model", "version", "status"],
            registry=self.registry,
        )
        self.release = Gauge(
            "eiderdown_release", "1 for the release that is served.", ["release"], registry=self.registry
        )
        self.release_failures = Counter(
            "eiderdown_release_failures", "Releases that could not be loaded.", registry=self.registry
        )
        self.event_failures = Counter(
            "eiderdown_event_failures",
            "Predictions that could not be appended to the event log.",
            registry=self.registry,
        )
        self.events_refused = Counter(
            "eiderdown_events_refused",
            "Pushed rows and outcomes that the disk did not take, by folder of the event log.",
            ["kind"],
            registry=self.registry,
        )
        self.pushed_rows = Counter(
            "eiderdown_pushed_rows",
            "Rows that this process was sent, by view and version.",
            ["view", "version"],
            registry=self.registry,
        )
        self.push_lines_skipped = Counter(
            "eiderdown_push_lines_skipped",
            "Lines of pushes, of any worker, that hold no row of their view, at each reading.",
            registry=self.registry,
        )
        self.outcomes = Counter("eiderdown_outcomes", "Outcomes taken, by model.", ["model"], registry=self.registry)

    def release_loaded(self, name: str) -> None:
        """Say which release is served."""
        self.release.clear()
        self.release.labels(name).set(1)
