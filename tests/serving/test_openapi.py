"""The interface is as its OpenAPI says: schemathesis asks what the document allows and what it does not."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from eiderdown.demonstration import tour

# All checks that schemathesis has by default, but for one: the fields of an instance, a key and a pushed row are of the
# release (GET /models/{model} lists them), which a document for all releases cannot say. So what it allows there may be
# refused, with the field that is wrong.
CHECKS = """
[[operations]]
include-path = ["/predict/{model}", "/features/{view}", "/get-online-features", "/push/{view}", "/feedback/{model}"]
checks.positive_data_acceptance.enabled = false
"""
# Made-up names are not found; with these a request comes further.
KNOWN_NAMES = 'parameters = { model = "flight_delay", view = "plane_activity" }'


@pytest.fixture(scope="module")
def server(served_home: Path) -> Iterator[str]:
    with tour.server() as (url, _):
        yield url


@pytest.mark.parametrize("names", ["", KNOWN_NAMES], ids=["any names", "known names"])
def test_answers_are_as_documented(server: str, tmp_path: Path, names: str) -> None:
    (tmp_path / "schemathesis.toml").write_text(names + CHECKS)
    options = ["--seed", "1", "--max-examples", "100", "--generation-database", "none", "--no-color"]
    run = subprocess.run(
        [sys.executable, "-m", "schemathesis.cli", "run", f"{server}/openapi.json", *options],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert "Tested: 11" in run.stdout
