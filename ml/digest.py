"""A hash of data that is the same in every process."""

import hashlib
import json
from typing import Any


def digest(value: Any) -> str:
    """The SHA-256, in hex, of a JSON value in canonical form (sorted keys, no spaces)."""
    return hashlib.sha256(json.dumps(value, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
