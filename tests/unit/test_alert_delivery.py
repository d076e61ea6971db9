"""Delivery to a server that fails, hangs or refuses; to a file; and kills in between."""

import http.server
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from eiderdown.cli import app
from ml.alerts import deliver as delivery
from ml.alerts.declaration import WEBHOOK, alert_rules
from ml.alerts.deliver import deliver
from ml.alerts.state import Alerts, acknowledge, read_alerts
from ml.errors import DeclarationError
from ml.events import write_event

PLACES = [{"file": "alerts.jsonl", "min_severity": "warning"}, {"url_env": WEBHOOK, "min_severity": "error"}]


class Receiver:
    """A server that takes webhooks. answers: the status of each answer in turn, 0 for none; then 204."""

    def __init__(self) -> None:
        self.answers: list[int] = []
        self.received: list[tuple[str, Any]] = []
        self.ends = threading.Event()
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                receiver.received.append((self.headers["Idempotency-Key"], body))
                status = receiver.answers.pop(0) if receiver.answers else 204
                if not status:
                    receiver.ends.wait(300)
                    return
                self.send_response(status)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, args=[0.01], daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_address[1]}/secret"

    @property
    def keys(self) -> list[str]:
        return [key for key, _ in self.received]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("EIDERDOWN_HOME", str(tmp_path))
    monkeypatch.delenv(WEBHOOK, raising=False)
    return tmp_path


@pytest.fixture
def receiver(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    receiver = Receiver()
    monkeypatch.setenv(WEBHOOK, receiver.url)
    yield receiver
    receiver.ends.set()
    receiver.server.shutdown()
    receiver.server.server_close()


def alerts(*named: tuple[str, str, bool]) -> Alerts:
    """Alerts by name, severity, and whether they are resolved."""
    rows = [
        {
            "alert": name,
            "severity": severity,
            "subject": "orders",
            "text": "too few",
            "resolved_at": "2024-01-02 00:00:00+00" if is_resolved else None,
        }
        for name, severity, is_resolved in named
    ]
    return Alerts(rows, PLACES, None)


def lines(home: Path) -> list[str]:
    return [json.loads(line)["key"] for line in (home / "alerts" / "alerts.jsonl").read_text().splitlines()]


def test_each_notice_is_sent_once(home: Path, receiver: Receiver) -> None:
    """What was resolved before a place was there is not news for it; what came and went since the last time is."""
    first = alerts(("a", "error", False), ("b", "warning", False), ("c", "error", True))
    assert [(one.count, one.left) for one in deliver(first)] == [(2, 0), (1, 0)]
    assert [(one.count, one.left) for one in deliver(first)] == [(0, 0), (0, 0)]
    later = alerts(("a", "error", True), ("b", "warning", True), ("c", "error", True), ("d", "error", True))
    assert [one.count for one in deliver(later)] == [3, 2]
    assert lines(home) == ["a-opened", "b-opened", "a-resolved", "b-resolved", "d-resolved"]
    assert receiver.keys == ["a-opened", "a-resolved", "d-resolved"]
    assert receiver.received[0][1]["text"] == "error opened: orders: too few"
    assert receiver.received[0][1]["alert"]["alert"] == "a"


def test_a_server_that_fails_for_a_while_is_asked_again_with_the_same_key(receiver: Receiver) -> None:
    receiver.answers = [500, 503, 429]
    waits: list[float] = []
    assert [one.count for one in deliver(alerts(("a", "error", False)), waits.append)] == [1, 1]
    assert receiver.keys == ["a-opened"] * 4
    assert waits == [1, 2, 4]


@pytest.mark.parametrize(
    ("answers", "asked", "problem"), [([500] * 4, 4, "answered 500"), ([404], 1, "answered 404"), ([302], 1, "302")]
)
def test_what_was_not_taken_is_shown_and_sent_the_next_time(
    home: Path, receiver: Receiver, answers: list[int], asked: int, problem: str
) -> None:
    receiver.answers = answers
    said = alerts(("a", "error", False), ("b", "error", False))
    file, webhook = deliver(said, lambda _: None)
    assert (file.count, file.problem) == (2, None)
    assert (webhook.count, webhook.left) == (0, 2)
    assert problem in str(webhook.problem)
    assert receiver.url not in str(webhook.problem)
    assert receiver.keys == ["a-opened"] * asked
    assert [one.count for one in deliver(said)] == [0, 2]
    assert receiver.keys[asked:] == ["a-opened", "b-opened"]
    assert lines(home) == ["a-opened", "b-opened"]


def test_a_server_that_hangs_or_is_not_there_is_left_after_a_time(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivery, "TIMEOUT_SECONDS", 0.2)
    receiver.answers = [0] * 4
    _, webhook = deliver(alerts(("a", "error", False)), lambda _: None)
    assert webhook.left == 1
    assert "does not answer (ReadTimeout)" in str(webhook.problem)
    monkeypatch.setenv(WEBHOOK, "http://127.0.0.1:9/nobody")
    _, webhook = deliver(alerts(("a", "error", False)), lambda _: None)
    assert "does not answer (ConnectError)" in str(webhook.problem)
    monkeypatch.setenv(WEBHOOK, "nonsense")
    _, webhook = deliver(alerts(("a", "error", False)), lambda _: None)
    assert "holds no URL" in str(webhook.problem)
    monkeypatch.setenv(WEBHOOK, receiver.url)
    monkeypatch.setattr(delivery, "TIMEOUT_SECONDS", 60)
    assert deliver(alerts(("a", "error", False)))[1].count == 1


@pytest.mark.parametrize("kept_bytes", [0, 10, -1])
def test_a_record_that_was_torn_by_a_kill(home: Path, receiver: Receiver, kept_bytes: int) -> None:
    """Of the webhook's record: the notice is sent again, with its key. Of the file: its line is written anew."""
    said = alerts(("a", "error", False))
    deliver(said)
    for name in ("alerts.jsonl", "delivered.jsonl"):
        *before, last = (home / "alerts" / name).read_bytes().splitlines(keepends=True)
        (home / "alerts" / name).write_bytes(b"".join(before) + last[:kept_bytes])
    is_whole = kept_bytes == -1
    assert [one.count for one in deliver(said)] == ([0, 0] if is_whole else [1, 1])
    assert receiver.keys == ["a-opened"] * (1 if is_whole else 2)
    assert [one.count for one in deliver(said)] == [0, 0]
    whole = [line for line in (home / "alerts" / "alerts.jsonl").read_text().splitlines() if line.endswith("}")]
    assert len(whole) == 1


def test_without_an_address_nothing_is_sent_and_nothing_lost(
    home: Path, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(WEBHOOK)
    said = alerts(("a", "error", False))
    assert f"{WEBHOOK} is not set" in str(deliver(said)[1].problem)
    monkeypatch.setenv(WEBHOOK, receiver.url)
    assert deliver(said)[1].count == 1


def test_a_failed_build_is_an_alert_at_once(home: Path) -> None:
    """Before any run: from the events, until one says that a build succeeded."""
    for is_success in (False, False):
        write_event("builds", {"is_success": is_success, "selection": None, "text": "staging.flights broke"})
    (home / "events" / "builds" / "20240101T000000-x.jsonl").write_text('{"torn')
    [alert] = read_alerts().alerts
    assert (alert["rule"], alert["status"], alert["subject"]) == ("failed_build", "open", "dbt build")
    seen = acknowledge(alert["alert"][:6], by="ada", note="on it")
    assert (seen["status"], seen["acknowledged_by"], seen["note"]) == ("acknowledged", "ada", "on it")
    with pytest.raises(DeclarationError, match="is acknowledged by ada already"):
        acknowledge(alert["alert"])
    with pytest.raises(DeclarationError, match="there is no alert 'zzz'"):
        acknowledge("zzz")
    runner = CliRunner()
    assert json.loads(runner.invoke(app, ["alerts", "list", "--json"]).stdout) == [seen]
    assert "staging.flights broke" in runner.invoke(app, ["alerts", "show", alert["alert"]]).stdout
    delivered = json.loads(runner.invoke(app, ["alerts", "deliver", "--json"]).stdout)
    assert [one["count"] for one in delivered] == [1, 0]
    write_event("builds", {"is_success": True, "selection": None, "text": "the build succeeds again"})
    assert runner.invoke(app, ["alerts", "list"]).stdout == "no alert is open\n"
    assert json.loads(runner.invoke(app, ["alerts", "deliver", "--json"]).stdout)[0]["count"] == 1
    assert lines(home) == [f"{alert['alert']}-opened", f"{alert['alert']}-resolved"]


TABLES = {"drift": {"relation": "varchar", "feature": "varchar", "comparison": "varchar", "value": "double"}}


@pytest.mark.parametrize(
    ("declared", "problem"),
    [
        ({"rule": []}, "config.meta.alerts has the unknown field 'rule'. Did you mean 'rules'?"),
        ({"rules": {"name": "x"}}, "rules must be a list"),
        ({"rules": [{"table": "drift"}]}, "rules[0] lacks 'name'"),
        ({"rules": [{"name": "x", "table": "drift"}]}, "rules[0] ('x') lacks 'where'"),
        ({"rules": [{"name": "x", "table": "drfit", "where": "true"}]}, "('x').table is 'drfit'"),
        ({"rules": [{"name": "x", "table": "anomalies", "where": "true"}]}, "add ref('anomalies') to its list"),
        ({"rules": [{"name": "x", "table": "drift", "where": "valu > 1"}]}, "('x').where: Binder Error"),
        ({"rules": [{"name": "x", "table": "drift", "where": "value >"}]}, "('x').where: Parser Error"),
        ({"rules": [{"name": "x", "table": "drift", "where": "true", "text": "sum(value"}]}, "('x').text: "),
        ({"rules": [{"name": "x", "table": "drift", "where": "true", "severity": "bad"}]}, "('x').severity is 'bad'"),
        ({"rules": [{"name": "x", "table": "drift", "where": "true", "for_windows": 0}]}, "('x').for_windows is '0'"),
        ({"rules": [{"name": "x", "table": "drift", "where": "true", "text": "feature"}] * 2}, "'x' is there twice"),
        ({"deliver": [{"file": "../x.jsonl"}]}, "deliver[0].file is '../x.jsonl'"),
        ({"deliver": [{"file": "x.jsonl", "webhook": {}}]}, "one of them alone"),
        ({"deliver": [{"webhook": {"url": "http://x"}}]}, "deliver[0].webhook has the unknown field 'url'"),
        ({"deliver": [{"file": "x.jsonl", "min_severity": "info"}]}, "min_severity is 'info'"),
    ],
)
def test_a_mistake_in_a_rule_says_where_it_is(declared: dict[str, Any], problem: str) -> None:
    asked = json.dumps({"where": "monitoring.alerts", "declared": declared, "tables": TABLES})
    assert problem in json.loads(alert_rules(asked))["problems"]


def test_an_expression_may_be_anything_that_sql_takes() -> None:
    rule = {"name": "x", "table": "drift", "where": "value > 0.5 -- much", "text": "format('{}', as_of)"}
    asked = {"where": "monitoring.alerts", "declared": {"rules": [rule]}, "tables": TABLES}
    answer = json.loads(alert_rules(json.dumps(asked)))
    assert answer["problems"] == ""
    assert answer["rules"][0]["subject"] == "relation || ' against ' || comparison"
