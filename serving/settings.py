"""Settings of the server, from the environment."""

import math
import os
from dataclasses import dataclass, fields
from typing import Any

from ml.errors import DeclarationError


@dataclass(frozen=True)
class Settings:
    """Each field is read from `EIDERDOWN_<FIELD>`, in capitals; a list is separated by commas."""

    poll_seconds: float = 0.5
    """How often the server looks for a new release."""
    max_body_bytes: int = 4 * 1024 * 1024
    """The greatest size of a request's body."""
    max_body_seconds: float = 10.0
    """The longest that a request's body may take to arrive."""
    max_instances: int = 1000
    """The most instances, or keys, in one request."""
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
        for field in fields(cls):
            variable = f"EIDERDOWN_{field.name.upper()}"
            text = os.environ.get(variable)
            if text is not None:
                values[field.name] = _value(variable, text, field.default)
        return cls(**values)


def _value(variable: str, text: str, default: Any) -> Any:
    """A text as a value of the default's type."""
    if isinstance(default, str):
        return text
    if isinstance(default, tuple):
        return tuple(entry.strip() for entry in text.split(",") if entry.strip())
    try:
        value = type(default)(text)
    except ValueError:
        value = math.nan
    if not 0 < value < math.inf:
        raise DeclarationError(f"{variable} must be a number greater than zero, such as {default}.")
    return value
