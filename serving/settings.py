"""Settings of the server, from the environment."""

import math
import os
from dataclasses import dataclass, fields
from typing import Any

from ml.errors import DeclarationError


@dataclass(frozen=True)
class Settings:
    """Each field is read from `EIDERDOWN_<FIELD>`, in capitals."""

    poll_seconds: float = 0.5
    """How often the server looks for a new release."""
    max_body_bytes: int = 4 * 1024 * 1024
    """The greatest size of a request's body."""
    max_body_seconds: float = 10.0
    """The longest that a request's body may take to arrive."""
    max_instances: int = 1000
    """The most instances, keys, pushed rows or outcomes in one request."""
    max_pushed_rows: int = 100_000
    """The most pushed rows that a worker holds beside its release, of about a kilobyte each; past it a push is refused."""

    @classmethod
    def from_environment(cls) -> "Settings":
        """Read the environment. Raises DeclarationError with the variable's name where a value is no positive number."""
        values: dict[str, Any] = {}
        for field in fields(cls):
            variable = f"EIDERDOWN_{field.name.upper()}"
            default: Any = field.default
            text = os.environ.get(variable)
            if text is None:
                continue
            try:
                value = type(default)(text)
            except ValueError:
                value = math.nan
            if not 0 < value < math.inf:
                raise DeclarationError(f"{variable} must be a number greater than zero, such as {default}.")
            values[field.name] = value
        return cls(**values)
