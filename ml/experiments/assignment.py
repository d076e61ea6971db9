"""Who gets which arm: a number for each unit, held against the weights of the arms."""

import hashlib
from bisect import bisect_right
from collections.abc import Mapping
from functools import lru_cache
from itertools import accumulate

_WHOLE = 2.0**64


def bucket(fingerprint: str, unit: str) -> float:
    """A number from 0 up to 1 that belongs to a unit in an experiment, evenly spread over units, and another in each experiment.

    In SQL: `('0x' || left(md5(fingerprint || ':' || unit), 16))::ubigint / 2^64`.

    >>> bucket("00c0ffee00c0ffee", '["N529JB"]')
    0.1539014145595426
    """
    # A copy costs less than to begin: OpenSSL looks its algorithm up then.
    hashed = _begun(fingerprint).copy()
    hashed.update(unit.encode())
    # Rounding could give 1, which no arm has.
    return min(int.from_bytes(hashed.digest()[:8], "big") / _WHOLE, 1 - 2**-53)


def bucket_of_request(request_id: str) -> float:
    """The same of a request that is a unit of its own: its identifier is random already.

    In SQL: `('0x' || left(request_id, 16))::ubigint / 2^64`.

    >>> bucket_of_request("80000000000000000000000000000000")
    0.5
    """
    return min(int(request_id[:16], 16) / _WHOLE, 1 - 2**-53)


@lru_cache(maxsize=64)
def _begun(fingerprint: str) -> "hashlib._Hash":
    return hashlib.md5(f"{fingerprint}:".encode(), usedforsecurity=False)


class Draw:
    """Arms by their weights. The control has the last buckets, so that another arm keeps whom it has as it widens."""

    def __init__(self, weights: Mapping[str, float]) -> None:
        """weights: arm -> weight, the control first; they add up to 1, but for rounding."""
        control, *others = weights
        self._arms = [*others, control]
        self._up_to = list(accumulate(weights[arm] for arm in others))
        self.weights = dict(weights)
        self.logged = {arm: b"%.9g" % weight for arm, weight in weights.items()}
        """As the event log has them, rendered once."""

    def __call__(self, bucket: float) -> str:
        """The arm of a bucket."""
        return self._arms[bisect_right(self._up_to, bucket)]
