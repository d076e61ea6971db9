"""Pages of docs/ that tests make."""

import os

from ml import files
from tests.conftest import REPOSITORY


def check_page(name: str, text: str) -> None:
    """Fail where docs/<name> is not this text. With EIDERDOWN_WRITE_DOCS=1 it is written first."""
    page = REPOSITORY / "docs" / name
    if os.environ.get("EIDERDOWN_WRITE_DOCS") == "1":
        files.write_whole(page, text.encode())
    assert page.read_text() == text, f"docs/{name} is not what its test makes: run it with EIDERDOWN_WRITE_DOCS=1"
