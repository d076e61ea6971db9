"""Identifiers of requests: 128 random bits each, so that only who was answered knows them."""

import os
from collections.abc import Iterator

_AT_A_TIME = 256


def _random_ids() -> Iterator[str]:
    # A call of the kernel costs more than all else here, so it gives many at a time.
    while True:
        digits = os.urandom(16 * _AT_A_TIME).hex()
        for start in range(0, len(digits), 32):
            yield digits[start : start + 32]


REQUEST_IDS = _random_ids()
"""32 hex digits each. For the event loop's thread alone."""
