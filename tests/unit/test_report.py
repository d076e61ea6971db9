"""The report as HTML: whole, harmless, small, and right about what the tables hold."""

import datetime as dt
import html.parser
import itertools
import json
import math
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import duckdb
import pytest
from typer.testing import CliRunner

from eiderdown.cli import app
from ml.errors import DeclarationError
from ml.reports import svg
from ml.reports.page import render
from ml.reports.rows import Monitoring, read
from tests.conftest import REPOSITORY
from tests.made_up_monitoring import MONTHS, everything, tables, warehouse

FEATURES = [f"feature_{place}" for place in range(10)]
HOSTILE = (
    "<script>alert(1)</script>\"'&amp;</svg></title><img src=x onerror=alert(1)>\u202eetirw\u0000\ud7ff" + "x" * 10_000
)
VOID = {"meta", "br", "wbr"}
SECTIONS = {
    "summary": "monitored_relations",
    "alerts": "alerts",
    "quality": "monitored_relations",
    "drift": "drift",
    "models": "model_performance",
    "consistency": "serving_consistency",
    "retraining": "retraining",
    "torn": "event_files",
}


class Page(html.parser.HTMLParser):
    """A page whose tags are closed in their order, and what it holds. sections: the text of each, by id."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.sections: dict[str, str] = {}
        self.section = ""
        self.text = ""
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag == "section":
            self.section = dict(attrs)["id"] or ""
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert "svg" in self.open, tag
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag
        self.handle_data(" " if tag in ("td", "th") else "")
        self.section = "" if tag == "section" else self.section

    def handle_data(self, data: str) -> None:
        self.text += data
        if self.section:
            self.sections[self.section] = self.sections.get(self.section, "") + data


def pictures(page: str) -> list[ElementTree.Element]:
    return [ElementTree.fromstring(one) for one in re.findall(r"<svg.*?</svg>", page, re.DOTALL)]


def assert_harmless(page: str) -> Page:
    """Nothing runs and nothing is fetched; pictures are XML with a title and finite coordinates."""
    parsed = Page(page)
    ids = [attributes["id"] for _, attributes in parsed.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    for tag, attributes in parsed.tags:
        assert tag not in {"script", "img", "iframe", "link", "object", "embed", "base", "form", "use", "image"}
        assert not [
            name for name in attributes if name.startswith("on") or name in ("src", "srcset", "style", "xlink:href")
        ]
        if "href" in attributes:
            assert (attributes["href"] or "").removeprefix("#") in ids
        if tag == "th":
            assert attributes["scope"] in ("col", "row")
    assert not re.search(r"url\(|@import|javascript:|https?:", page)
    for picture in pictures(page):
        assert picture.get("aria-hidden") or (picture.get("role") == "img" and picture.findtext("title"))
        box = [float(number) for number in picture.attrib["viewBox"].split()]
        for part in picture.iter():
            for number in re.findall(r"-?[\d.]+|nan|inf", part.get("d", "")):
                assert math.isfinite(float(number)) and abs(float(number)) <= max(box), part.get("d")
    return parsed


@pytest.fixture(scope="module")
def filled() -> Iterator[duckdb.DuckDBPyConnection]:
    with warehouse() as connection:
        everything(connection, FEATURES, windows=6)
        yield connection


@pytest.fixture
def changed(filled: duckdb.DuckDBPyConnection) -> Iterator[duckdb.DuckDBPyConnection]:
    """The same, to change; it is put back."""
    filled.execute("begin")
    yield filled
    filled.execute("rollback")


def section(monitoring: Monitoring, name: str) -> str:
    return " ".join(assert_harmless(render(monitoring)[0]).sections[name].split())


def test_each_section_shows_its_rows(filled: duckdb.DuckDBPyConnection) -> None:
    page, lights = render(read(filled))
    shown = {name: " ".join(text.split()) for name, text in assert_harmless(page).sections.items()}
    assert set(shown) == set(SECTIONS)
    assert [(light.name, light.state) for light in lights] == [
        ("monitoring.churn_served", "warning"),
        ("sales.orders", "error"),
        ("churn", "error"),
    ]
    assert lights[1].findings == [
        "1 open alert",
        "2 anomalies",
        "2 drifted features",
        "2 features beyond a threshold for the first time",
        "no rows after 2014-10",
    ]
    assert "open ■ error drift sales.orders as it should not be" in shown["alerts"]
    assert "acknowledged by as it should not be" in shown["alerts"]
    assert "1,000 rows in window 2014-10" in shown["quality"] and "■ unknown_value" in shown["quality"]
    assert (
        "2 drifted, 2 beyond a threshold for the first time, 6 steady. Outlined: 2014-05 to 2014-07, 3 windows."
        in shown["drift"]
    )
    assert "churn version 1, champion" in shown["models"] and "■ degraded" not in shown["models"]
    assert '3 0 0 {"logged": "as it should not be"}' in shown["consistency"]
    assert "↻ retrain" in shown["retraining"]
    assert "as it should not be.jsonl 1 90" in shown["torn"]


@pytest.mark.parametrize("name", [name for name in SECTIONS if name != "summary"])
def test_a_section_without_rows_says_what_to_do(changed: duckdb.DuckDBPyConnection, name: str) -> None:
    changed.execute(f"delete from monitoring.{SECTIONS[name]}")
    assert re.search(r"dbt run|No alert is open|every logged line is whole", section(read(changed), name))


def test_a_warehouse_without_rows_or_tables() -> None:
    connection = warehouse()
    page, lights = render(read(connection))
    assert lights == []
    assert "Nothing is monitored. Give a dbt model config.meta.monitor" in assert_harmless(page).sections["summary"]
    for table in tables():
        connection.execute(f"drop table monitoring.{table}")
    shown = assert_harmless(render(read(connection))[0]).sections
    for name, table in SECTIONS.items():
        assert f"no table monitoring.{table}. Build it: dbt run -s {table}" in shown[name]


def test_what_data_say_is_text() -> None:
    connection = warehouse()
    everything(connection, [HOSTILE, *FEATURES, f"{HOSTILE}2"], windows=4, text=HOSTILE)
    hostile = [{"value": HOSTILE, "row_count": 400}]
    connection.execute("update monitoring.feature_statistics set top_values = ?, type = ?", [hostile, HOSTILE])
    connection.execute("update monitoring.model_performance set metric = metric || ?", [HOSTILE])
    connection.execute("update monitoring.drift set method = method || ?", [HOSTILE])
    connection.execute("update monitoring.serving_consistency set example = ?", [json.dumps(HOSTILE)])
    page, _ = render(read(connection))
    parsed = assert_harmless(page)
    assert "<script>alert(1)</script>" in parsed.text and "\\u202e" in parsed.text and "\\u0000" in parsed.text
    assert not set(page) & {"\u202e", "\u0000"}
    assert len(page.encode()) < 500_000


def test_numbers_that_are_none_are_not_drawn(changed: duckdb.DuckDBPyConnection) -> None:
    for table, columns in (
        ("drift", ("value", "threshold", "adjusted_p_value")),
        ("model_performance", ("value", "low", "high", "reference_value")),
        ("feature_statistics", ("mean", "stddev")),
    ):
        for column, value in zip(columns, itertools.cycle(["nan", "inf", "-inf"])):
            is_checked = column == "adjusted_p_value"
            changed.execute(f"update monitoring.{table} set {column} = {'null' if is_checked else repr(value)}")
    changed.execute(
        "update monitoring.feature_statistics set quantiles = map([0.5, 0.05], ['nan'::double, 'inf']), min = 'inf'"
    )
    changed.execute(
        "update monitoring.feature_statistics set histogram = [{low: -1.7e308, high: 1.7e308, row_count: 3}, "
        "{low: 'nan'::double, high: 'inf'::double, row_count: 2}] where feature <> 'feature_1'"
    )
    changed.execute(
        "update monitoring.feature_statistics set missing_count = 0, row_count = 0 where feature = 'feature_2'"
    )
    assert_harmless(render(read(changed))[0])


def test_200_features_in_24_windows_stay_below_a_megabyte() -> None:
    connection = warehouse()
    everything(connection, [f"feature_{place}" for place in range(200)], windows=24)
    page, _ = render(read(connection))
    assert len(page.encode()) < 1_000_000
    assert len(assert_harmless(page).sections) == 8


def test_what_came_later_is_left_out(filled: duckdb.DuckDBPyConnection) -> None:
    until = dt.datetime(2014, 9, 15, tzinfo=dt.UTC)
    monitoring = read(filled, until)
    assert [relation.windows[-1] for relation in monitoring.relations] == [dt.datetime(2014, 8, 1, tzinfo=dt.UTC)] * 2
    assert {row["window_at"] for row in monitoring.drift} == set(monitoring.relations[0].windows)
    assert not monitoring.alerts and not monitoring.anomalies and not monitoring.retraining
    assert not any("no rows" in finding for light in render(monitoring)[1] for finding in light.findings)


def test_anomalies_of_a_window_without_rows_count(changed: duckdb.DuckDBPyConnection) -> None:
    changed.execute("update monitoring.anomalies set window_at = '2014-11-01T00:00:00Z'")
    light = next(light for light in render(read(changed))[1] if light.name == "sales.orders")
    assert "2 anomalies" in light.findings and "no rows after 2014-10" in light.findings


def test_a_feed_that_stops_is_said(changed: duckdb.DuckDBPyConnection) -> None:
    changed.execute(
        "update monitoring.feature_statistics set row_count = 0, missing_count = 0 where window_at >= '2014-09-01'"
    )
    monitoring = read(changed)
    findings = {light.name: light.findings for light in render(monitoring)[1]}
    assert "no rows after 2014-08" in findings["sales.orders"]
    assert "▲ no rows after 2014-08, up to 2014-11" in section(monitoring, "quality")


def test_one_relation_or_model(filled: duckdb.DuckDBPyConnection) -> None:
    orders = read(filled, relations=["sales.orders"])
    assert ([relation.name for relation in orders.relations], orders.models) == (["sales.orders"], [])
    assert [alert["alert"] for alert in orders.alerts] == ["1"]
    churn = read(filled, models=["churn"])
    assert ([relation.name for relation in churn.relations], churn.models) == (["monitoring.churn_served"], ["churn"])
    assert [alert["alert"] for alert in churn.alerts] == ["2", "3"]
    with pytest.raises(
        DeclarationError, match=r"sales\.order is no relation that is monitored; those are .*sales\.orders"
    ):
        read(filled, relations=["sales.order"])


def test_the_reference_is_what_the_declaration_says(changed: duckdb.DuckDBPyConnection) -> None:
    def windows(of: str, comparison: str) -> list[dt.datetime]:
        rows = [row for row in read(changed).reference if (row["relation"], row["comparison"]) == (of, comparison)]
        assert {row["feature"] for row in rows} == set(FEATURES)
        return [rows[0]["first_window_at"], rows[0]["last_window_at"]]

    months = MONTHS[-8:-2]
    assert windows("sales.orders", "reference") == [months[0], months[2]]
    assert windows("monitoring.churn_served", "training") == [months[0], months[5]]
    declaration = json.dumps({"split": {"by": "time", "validation_from": months[4].isoformat()}})
    changed.execute("insert into registry.model_versions values ('churn', 1, ?)", [declaration])
    assert windows("monitoring.churn_served", "training") == [months[0], months[3]]
    changed.execute(
        "update monitoring.monitored_relations set comparisons = ['previous'] where relation = 'sales.orders'"
    )
    assert windows("sales.orders", "previous") == [months[4], months[4]]


def test_a_line_breaks_where_windows_are_missing() -> None:
    whole = str(svg.line([(0.0, 1.0), (0.25, 2.0), (0.5, 1.0), (0.75, 2.0)], "t"))
    broken = str(svg.line([(0.0, 1.0), (0.25, 2.0), (0.75, 1.0), (1.0, 2.0)], "t"))
    empty = str(svg.line([(0.0, 1.0), (0.25, None), (0.5, 1.0)], "t"))
    assert [one.count("M") for one in (whole, broken, empty)] == [1, 2, 2]


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
def test_text_has_contrast(scheme: int) -> None:
    style = (REPOSITORY / "ml" / "reports" / "templates" / "style.css").read_text()
    colours = dict(re.findall(r"--(\w+): (#\w{6})", style.split(":root")[scheme + 1]))

    def luminance(colour: str) -> float:
        """Relative luminance, as WCAG 2.2 defines it."""
        parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))

    for ground, text in itertools.product(("paper", "panel"), ("ink", "soft", "model", "error", "warning", "good")):
        low, high = sorted([luminance(colours[ground]), luminance(colours[text])])
        assert (high + 0.05) / (low + 0.05) >= 4.5, (ground, text)


def report(home: Path, *arguments: str, code: int = 0) -> str:
    answer = CliRunner().invoke(app, ["report", *arguments], env={"EIDERDOWN_HOME": str(home), "COLUMNS": "200"})
    assert answer.exit_code == code, answer.output
    return answer.output


def test_the_command(filled: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    database, to = tmp_path / "eiderdown.duckdb", tmp_path / "out" / "report.html"
    filled.execute(f"attach '{database}' as copied")
    filled.execute("copy from database memory to copied")
    filled.execute("detach copied")
    assert "written" in report(tmp_path, "--to", str(to))
    told = json.loads(report(tmp_path, "--to", str(to), "--model", "churn", "--as-of", "2014-09-15", "--json"))
    assert told["size_bytes"] == to.stat().st_size and told["as_of"] == "2014-09-15T00:00:00+00:00"
    assert [light["name"] for light in told["summary"]] == ["monitoring.churn_served", "churn"]
    assert "--as-of is no time" in report(tmp_path, "--to", str(to), "--as-of", "yesterday", code=1)
    held = subprocess.Popen(
        [
            sys.executable,
            "-c",
            f"import duckdb; c = duckdb.connect({str(database)!r}); print('held', flush=True); input()",
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert held.stdin and held.stdout and held.stdout.readline() == "held\n"
    assert "is held by another process" in report(tmp_path, "--to", str(to), code=1)
    held.stdin.write("\n")
    held.stdin.close()
    assert "written" in report(tmp_path, "--to", str(to), "--wait", "300")
    assert held.wait() == 0
    held.stdout.close()
