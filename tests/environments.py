"""Virtual environments for what runs beside ours with packages of its own: clients, and the peers of the benchmarks."""

import fcntl
import hashlib
import subprocess
import sys
import venv
from pathlib import Path

from tests.conftest import REPOSITORY

FOLDER = REPOSITORY / ".venv" / "environments"


def environment(name: str, *requirements: str) -> Path:
    """The interpreter of an environment with these packages, which is made where it is not there.

    requirements: what pip is given, such as "feast==0.67.0" or "--no-deps". They and the Python decide which environment it
    is; others of the same name stay until `make clean`. It is made where it stays, since programs in `bin` name their
    interpreter in full, and noted as made at the end: one whose making was killed is made anew. Raises CalledProcessError
    where the packages cannot be installed.
    """
    wanted = "\n".join([sys.base_prefix, sys.version, *requirements])
    folder = FOLDER / f"{name}-{hashlib.sha256(wanted.encode()).hexdigest()[:16]}"
    python, made = folder / "bin" / "python", folder / "made"
    FOLDER.mkdir(parents=True, exist_ok=True)
    with folder.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not made.exists():
            venv.create(folder, clear=True, symlinks=True)
            # Most of what is installed is never imported, so it is not compiled beforehand: half of the time.
            pip = [sys.executable, "-m", "pip", "--python", python, "--disable-pip-version-check"]
            subprocess.run([*pip, "install", "-qq", "--no-compile", *requirements], check=True)
            made.touch()
    return python


def pins(file: Path) -> list[str]:
    """The requirements in a file: a package and its version a line, or an option of pip; `#` begins a comment."""
    lines = (line.partition("#")[0].strip() for line in file.read_text().splitlines())
    return [line for line in lines if line]
