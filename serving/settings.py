"""Settings of the server, from the environment."""

import math
import os
from dataclasses import dataclass, fields
from typing import Any

from ml.errors import DeclarationError


@dataclass(frozen=True)
class Settings:
    """Each field is read from `EIDERDOWN_<FIELD>`, in capitals."""

    poll_seconds: float = 0.1
    """How often the server looks for a new release."""
    slo_ms: float = 50.0
    """Within how many milliseconds a model that declares no `serving.slo_ms` is to answer."""
    max_body_bytes: int = 4 * 1024 * 1024
    """The greatest size of a request's body."""
    max_body_seconds: float = 10.0
    """The longest that a request's body may take to arrive."""
    max_instances: int = 1000
    """The most instances, or keys, in one request."""

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
