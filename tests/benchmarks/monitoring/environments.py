"""The environments that the peers run in, made under `warehouse/benchmarks/peers` where they are not there."""

import subprocess
import venv
from pathlib import Path

from tests.conftest import REPOSITORY

_TFDV = Path(__file__).parent / "tfdv.txt"
PEERS = {
    "evidently": ["evidently==0.7.23", "pandas==2.3.3", "numpy==2.4.6", "scipy==1.17.1", "pyarrow==26.0.1"],
    "tfdv": ["--no-deps", *(line for line in _TFDV.read_text().splitlines() if line)],
    "snorkel": ["snorkel==0.10.0", "torch==2.13.0", "numpy==2.4.6", "pandas==3.1.1", "scipy==1.17.1"],
}
"""What pip is given. Evidently 0.7 does not import with pandas 3. TFDV's packages are listed in whole (without those of Google's
cloud), since pip looks for more than ten minutes for versions that agree; they are for Python 3.9 to 3.11."""


def environment(peer: str) -> Path:
    """The interpreter of a peer's environment. Raises CalledProcessError where it cannot be installed."""
    folder, packages = REPOSITORY / "warehouse" / "benchmarks" / "peers" / peer, "\n".join(PEERS[peer])
    python, stamp = folder / "bin" / "python", folder / "installed.txt"
    if not stamp.exists() or stamp.read_text() != packages:
        venv.create(folder, with_pip=True, clear=True)
        pip = [python, "-m", "pip", "--disable-pip-version-check", "install", "-qq"]
        subprocess.run([*pip, *PEERS[peer]], check=True)
        stamp.write_text(packages)
    return python
