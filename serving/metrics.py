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
        self.events = Counter(
            "eiderdown_events", "Events that were appended to the event log, by kind.", ["kind"], registry=self.registry
        )
        self.event_failures = Counter(
            "eiderdown_event_failures",
            "Events that could not be appended to the event log, by kind.",
            ["kind"],
            registry=self.registry,
        )
        self.torn_lines = Counter(
            "eiderdown_torn_lines",
            "Lines of event files that could not be read, by kind.",
            ["kind"],
            registry=self.registry,
        )
        self.pushed_rows = Counter(
            "eiderdown_pushed_rows", "Feature rows that were pushed, by view.", ["view"], registry=self.registry
        )

    def release_loaded(self, name: str) -> None:
        """Say which release is served."""
        self.release.clear()
        self.release.labels(name).set(1)
