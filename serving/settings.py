"""Settings of the server, from the environment."""

import math
import os
from dataclasses import dataclass, field, fields
from typing import Any

from ml.errors import DeclarationError

_OR_ZERO = {"may be": 0}


@dataclass(frozen=True)
class Settings:
    """Each field is read from `EIDERDOWN_<FIELD>`, in capitals; a list is separated by commas."""

    poll_seconds: float = 0.1
    """How often the server looks for a new release."""
    slo_ms: float = 50.0
    """Within how many milliseconds a model that declares no `serving.slo_ms` is to answer."""
    max_body_bytes: int = 4 * 1024 * 1024
    """The greatest size of a request's body."""
    max_body_seconds: float = 10.0
    """The longest that a request's body may take to arrive."""
    max_instances: int = 1000
    """The most instances, keys, pushed rows or outcomes in one request."""
    max_pushed_rows: int = 100_000
    """The most pushed rows that a worker holds beside its release, of about a kilobyte each; past it a push is refused."""
    max_seconds: float = 10.0
    """The longest that a prediction may wait for the ones before it, unless its request says less."""
    max_arrow_bytes: int = 64 * 1024 * 1024
    """The greatest size of a body in Arrow, and of its texts once each row has its own."""
    max_arrow_rows: int = 1_000_000
    """The most rows of a body in Arrow."""
    max_arrow_seconds: float = 120.0
    """The longest that a request in Arrow may take, unless it says less."""
    cache_rows: int = field(default=10_000, metadata=_OR_ZERO)
    """The most predictions that are kept of each version of a model; 0 keeps none."""
    fixed_batch: int = field(default=0, metadata=_OR_ZERO)
    """The most rows of a batch, in place of a number that adapts, where it is not 0: for measurements."""
    tokens_file: str = ""
    """The file that lists who may call (`eiderdown tokens`); without one, whoever reaches the loopback address may."""
    allowed_hosts: tuple[str, ...] = ()
    """Names that the header Host may carry, without a port, beside those of the loopback address."""
    allowed_origins: tuple[str, ...] = ()
    """Origins of web pages that may call, such as https://console.example; none by default."""

    @classmethod
    def from_environment(cls) -> "Settings":
        """Read the environment. Raises DeclarationError with the variable's name where a value cannot be."""
        values: dict[str, Any] = {}
        for one in fields(cls):
            variable = f"EIDERDOWN_{one.name.upper()}"
            text = os.environ.get(variable)
            if text is not None:
                values[one.name] = _value(variable, text, one.default, 0 if one.metadata else math.ulp(0))
        return cls(**values)


def _value(variable: str, text: str, default: Any, least: float) -> Any:
    """A text as a value of the default's type."""
    if isinstance(default, str):
        return text
    if isinstance(default, tuple):
        return tuple(entry.strip() for entry in text.split(",") if entry.strip())
    try:
        value = type(default)(text)
    except ValueError:
        value = math.nan
    if not least <= value < math.inf:
        raise DeclarationError(
            f"{variable} must be a number {'from zero on' if least == 0 else 'greater than zero'}, such as {default}."
        )
    return value
