"""The interface is as its OpenAPI says: schemathesis asks what the document allows and what it does not."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from eiderdown.demonstration import tour

# All checks that schemathesis has by default, but for one: the fields of an instance, a key and a pushed row are of the
# release (GET /models/{model} lists them), which a document for all releases cannot say. So what it allows there may be
# refused, with the field that is wrong. So may the tensors that hold the fields.
CHECKS = """
[generation]
max-examples = 100

[[operations]]
include-path = [
    "/predict/{model}", "/features/{view}", "/get-online-features", "/push/{view}", "/feedback/{model}",
    "/v2/models/{model}/infer", "/v2/models/{model}/versions/{version}/infer",
]
checks.positive_data_acceptance.enabled = false

# What says the same in many places needs fewer questions.
[[operations]]
include-path-regex = "^/v2(?!/models/{model}/infer)"
generation.max-examples = 10
"""
# Made-up names are not found; with these a request comes further.
KNOWN_NAMES = 'parameters = { model = "flight_delay", view = "plane_activity", version = "1" }'


@pytest.fixture(scope="module")
def server(served_home: Path) -> Iterator[str]:
    with tour.server() as (url, _):
        yield url


@pytest.mark.parametrize("names", ["", KNOWN_NAMES], ids=["any names", "known names"])
def test_answers_are_as_documented(server: str, tmp_path: Path, names: str) -> None:
    (tmp_path / "schemathesis.toml").write_text(names + CHECKS)
    options = ["--seed", "1", "--generation-database", "none", "--no-color"]
    run = subprocess.run(
        [sys.executable, "-m", "schemathesis.cli", "run", f"{server}/openapi.json", *options],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert "Tested: 26" in run.stdout
