"""What monitoring says of each planted fault, and docs/faults.md of that."""

from collections.abc import Iterable
from dataclasses import dataclass

from tests.conftest import Project
from tests.functional.faults.planted import DAYS, FAULTS, FAULTY_DAYS, FIRST_DAY, REFERENCE_DAYS, ROWS, PlantedFault
from tests.functional.faults.project import relation_of
from tests.functional.faults.served import INSTANCES, REQUESTS, SERVED, TORN

# `day` counts from 0; a window after the clock is there from the day on that brought its rows.
SIGNALS = f"""
select place, if(day >= {DAYS}, {FAULTY_DAYS[0]}, day) as day, feature, method
from (
    select relation as place, datediff('day', timestamptz '{FIRST_DAY}', window_at) as day, feature, kind as method
    from monitoring.anomalies where kind not in ('drift', 'skew')
    union all
    select relation, datediff('day', timestamptz '{FIRST_DAY}', window_at), feature, method from monitoring.drift where is_drifted
    union all
    select model, datediff('day', timestamptz '{FIRST_DAY}', window_at), metric, basis || ' ' || metric
    from monitoring.model_performance where is_degraded
    union all
    select model, datediff('day', timestamptz '{FIRST_DAY}', window_at), feature, 'served <> recomputed'
    from monitoring.serving_consistency where mismatch_count + missing_count + extra_count > 0
    union all
    select 'events/' || kind, {FAULTY_DAYS[0]}, 'events/' || kind, 'torn_count' from monitoring.event_files where torn_count > 0
)
"""
ALERTS = f"select rule, subject, datediff('day', timestamptz '{FIRST_DAY}', opened_at) - 1 from monitoring.alerts"
BEYOND = f"""
select count(distinct (relation, window_at)) filter (is_beyond), count(distinct (relation, window_at))
from monitoring.drift
where datediff('day', timestamptz '{FIRST_DAY}', window_at) not in {FAULTY_DAYS} and row_count > 0
"""


@dataclass(frozen=True)
class Finding:
    """What was said of one fault."""

    fault: PlantedFault
    methods: frozenset[str]
    """What found it: kinds of anomalies, methods of drift and the like."""
    windows: int | None
    """In which of its windows it was found first, from 1; None: it was not."""
    rules: frozenset[str]
    """The rules whose alerts opened."""
    alert_windows: int | None
    """In which of its windows the first of these opened."""
    false_alarms: int
    """Rows that alarm in windows without the fault, or of other features."""
    echoes: int
    """Rows that alarm in the first window after it."""
    false_alerts: int
    """Alerts that opened in windows without it."""


def find(project: Project) -> list[Finding]:
    """What the built project says, of every fault."""
    signals, alerts = project.query(SIGNALS), project.query(ALERTS)
    places = {fault: [f"orders.{relation_of(fault)}"] for fault in FAULTS}
    places |= {fault: [model, f"monitoring.{model}_served"] for model, fault in SERVED.items()}
    places[TORN] = list(TORN.features)
    return [_finding(fault, names, signals, alerts) for fault, names in places.items()]


def _finding(fault: PlantedFault, places: list[str], signals: list[tuple], alerts: list[tuple]) -> Finding:
    own = [signal[1:] for signal in signals if signal[0] in places]
    right = [signal for signal in own if signal[1] in (*fault.features, "(all)") and fault.features]
    found = [(day, method) for day, _, method in right if day in FAULTY_DAYS]
    echoes = [signal for signal in right if signal[0] == FAULTY_DAYS[-1] + 1]
    opened = [(rule, day) for rule, subject, day in alerts if any(_is_about(subject, place) for place in places)]
    if {"torn_count", "future_rows"} & fault.found_by:
        # What has no window opens when it is seen, here with the one run after all the days; so do rows after the clock.
        opened = [(rule, FAULTY_DAYS[0] if day == DAYS - 1 else day) for rule, day in opened]
    in_time = [(rule, day) for rule, day in opened if day in FAULTY_DAYS and fault.features]
    return Finding(
        fault,
        frozenset(method for _, method in found),
        _first(day for day, _ in found),
        frozenset(rule for rule, _ in in_time),
        _first(day for _, day in in_time),
        len(own) - len(found) - len(echoes),
        len(echoes),
        len(opened) - len(in_time),
    )


def _first(days: Iterable[int]) -> int | None:
    """Of the fault's windows, from 1."""
    return min((day - FAULTY_DAYS[0] + 1 for day in days), default=None)


def _is_about(subject: str, place: str) -> bool:
    return subject == place or subject.startswith((f"{place}.", f"{place} ", f"{place}:"))


def page(findings: list[Finding], beyond: tuple[int, int]) -> str:
    """docs/faults.md. beyond: windows without a fault with a row of drift beyond its threshold, and all that were judged."""
    found = [finding for finding in findings if finding.windows]
    faults = [finding for finding in findings if finding.fault.features]
    lines = [
        "# Planted faults",
        "",
        "What monitoring says of faults that were planted, each in a relation of its own with rows of its own. Made by",
        "`EIDERDOWN_WRITE_DOCS=1 pytest tests/functional/test_fault_matrix.py`; without the variable that fails where page and",
        "findings differ.",
        "",
        f"{DAYS} days of {ROWS} orders, of a served model of {REQUESTS * INSTANCES} predictions. Days are the windows;",
        f"the fault is on the seventh and eighth, and they are compared with the first {REFERENCE_DAYS}. Declared are domains,",
        "ranges, presence, a pattern, the sizes of lists, a least number of rows and the key; alerts follow the default rules.",
        "",
        f"- Found: {len(found)} of {len(faults)} faults.",
        "- False alarms, rows that alarm on days without the fault or for other columns: "
        f"{sum(finding.false_alarms for finding in findings)}; alerts that opened for them: "
        f"{sum(finding.false_alerts for finding in findings)}.",
        f"- Of {beyond[1]} windows without a fault {beyond[0]} have drift beyond its threshold (the level is 5 %), "
        "which alarms when it is so twice in a row.",
        "- Echoes are rows that alarm on the first day after the fault, since what is right differs from what was wrong.",
        "",
        "`found` and `alert` say on which day of the fault: drift alarms on the second.",
        "",
        "| fault | found by | found | alerts | alert | false alarms | echoes | why it is not found |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for one in findings:
        cells = [
            one.fault.name,
            ", ".join(f"`{method}`" for method in sorted(one.methods)) or "-",
            str(one.windows or "-"),
            ", ".join(f"`{rule}`" for rule in sorted(one.rules)) or "-",
            str(one.alert_windows or "-"),
            str(one.false_alarms),
            str(one.echoes),
            one.fault.reason,
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"
