"""Log lines: one JSON object each, whatever is in a message."""

import json
import logging
import logging.config
import sys
import unicodedata
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from serving.process.json_logs import LOG_CONFIG, MAX_PATH, JsonLines

values = st.text() | st.integers() | st.binary()


def _line(message: Any, *args: Any, name: str = "serving", exc_info: Any = None) -> str:
    return JsonLines().format(logging.LogRecord(name, logging.WARNING, "x.py", 1, message, args, exc_info))


@given(st.text() | st.dictionaries(st.text(min_size=1), values, max_size=4))
@example("\x00\r\n\x1b[31m\x7f\x9b\u2028\u202e")
def test_a_record_is_one_line_without_control_characters(message: Any) -> None:
    line = _line(message) if isinstance(message, dict) else _line("%s", message)
    assert not [character for character in line if unicodedata.category(character) in ("Cc", "Cf", "Zl", "Zp")]
    read = json.loads(line)
    if isinstance(message, dict):
        assert {name: value for name, value in message.items() if not isinstance(value, bytes)}.items() <= read.items()
    else:
        assert read["message"] == message


def test_a_record_says_when_and_where() -> None:
    read = json.loads(_line({"event": "release_loaded", "release": "x"}))
    assert read.pop("at").endswith("Z")
    assert read == {"level": "warning", "logger": "serving", "event": "release_loaded", "release": "x"}


def test_a_trace_is_in_the_same_line() -> None:
    try:
        raise ValueError("two\nlines")
    except ValueError:
        line = _line("it broke", exc_info=sys.exc_info())
    assert "\n" not in line
    assert "ValueError: two\nlines" in json.loads(line)["trace"]


def test_of_a_request_nothing_but_method_path_and_status() -> None:
    path = "/models/" + "a" * 500 + "?token=zqxjk"
    line = _line('%s - "%s %s HTTP/%s" %d', "10.0.0.7:1", "GET", path, "1.1", 404, name="uvicorn.access")
    read = json.loads(line)
    assert read["path"] == path[:MAX_PATH]
    assert (read["method"], read["status"]) == ("GET", 404)
    assert "zqxjk" not in line
    assert "10.0.0.7" not in line


def test_the_configuration_is_for_both_loggers(capsys: pytest.CaptureFixture[str]) -> None:
    loggers = [logging.getLogger(name) for name in LOG_CONFIG["loggers"]]
    before = [(logger.handlers[:], logger.level, logger.propagate) for logger in loggers]
    try:
        logging.config.dictConfig(LOG_CONFIG)
        logging.getLogger("serving").info({"event": "a"})
        logging.getLogger("uvicorn.error").warning("b\r\nc")
        lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    finally:
        for logger, (handlers, level, propagates) in zip(loggers, before, strict=True):
            logger.handlers, logger.level, logger.propagate = handlers, level, propagates
    assert [line.get("event") or line.get("message") for line in lines] == ["a", "b\r\nc"]
