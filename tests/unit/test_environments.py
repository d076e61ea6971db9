"""Environments are made once, whoever asks at the same time, and anew where the making was cut off."""

import subprocess
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests import environments


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A wheel with one module and one program, in place of what an index has."""
    monkeypatch.setattr(environments, "FOLDER", tmp_path / "environments")
    wheel = tmp_path / "kettle-1.0-py3-none-any.whl"
    about = "kettle-1.0.dist-info"
    files = {
        "kettle.py": "def main():\n    print('boils')\n",
        f"{about}/METADATA": "Metadata-Version: 2.1\nName: kettle\nVersion: 1.0\n",
        f"{about}/WHEEL": "Wheel-Version: 1.0\nGenerator: hand\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{about}/entry_points.txt": "[console_scripts]\nkettle = kettle:main\n",
    }
    with zipfile.ZipFile(wheel, "w") as archive:
        for name, text in {**files, f"{about}/RECORD": ""}.items():
            archive.writestr(name, text)
    return str(wheel)


def test_once_for_all_who_ask(package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    installed = []
    run = subprocess.run

    def counted(*given, **settings):
        installed.append(given)
        return run(*given, **settings)

    monkeypatch.setattr(environments.subprocess, "run", counted)
    with ThreadPoolExecutor() as pool:
        asked = [pool.submit(environments.environment, "tea", package) for _ in range(3)]
        (python,) = {one.result() for one in asked}
    assert len(installed) == 1
    # A program finds its interpreter where the environment stays.
    assert run([python.parent / "kettle"], capture_output=True, text=True, check=True).stdout == "boils\n"
    assert environments.environment("tea", package, "--no-deps") != python
    assert len(installed) == 2


def test_what_was_cut_off_is_made_anew(package: str) -> None:
    with pytest.raises(subprocess.CalledProcessError):
        environments.environment("tea", package, "--no-such-option")
    python = environments.environment("tea", package)
    (python.parent.parent / "made").unlink()
    (python.parent / "kettle").write_text("torn")
    assert environments.environment("tea", package) == python
    assert subprocess.run([python.parent / "kettle"], capture_output=True, check=True).stdout == b"boils\n"


def test_pins(tmp_path: Path) -> None:
    file = tmp_path / "pins.txt"
    file.write_text("# All of them.\n--no-deps\n\ntea==1.0  # green\n")
    assert environments.pins(file) == ["--no-deps", "tea==1.0"]
