"""The environments that the peers run in."""

from pathlib import Path

from tests import environments

_TFDV = Path(__file__).parent / "tfdv.txt"
PEERS = {
    "evidently": ["evidently==0.7.23", "pandas==2.3.3", "numpy==2.4.6", "scipy==1.17.1", "pyarrow==26.0.1"],
    "tfdv": ["--no-deps", *environments.pins(_TFDV)],
    "snorkel": ["snorkel==0.10.0", "torch==2.13.0", "numpy==2.4.6", "pandas==3.1.1", "scipy==1.17.1"],
}
"""What pip is given. Evidently 0.7 does not import with pandas 3. TFDV's packages are listed in whole (without those of Google's
cloud), since pip looks for more than ten minutes for versions that agree; they are for Python 3.9 to 3.11."""


def environment(peer: str) -> Path:
    """The interpreter of a peer's environment. Raises CalledProcessError where it cannot be installed."""
    return environments.environment(peer, *PEERS[peer])
