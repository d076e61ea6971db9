"""Settings of the server, from the environment."""

import os
from dataclasses import dataclass


@dataclass(frozen=True)
class Settings:
    """Each field is read from `EIDERDOWN_<FIELD>`, in capitals."""

    poll_seconds: float = 0.5
    """How often the server looks for a new release."""
    max_body_bytes: int = 4 * 1024 * 1024
    """The greatest size of a request's body."""
    max_instances: int = 1000
    """The most instances, or keys, in one request."""

    @classmethod
    def from_environment(cls) -> "Settings":
        """Read the environment. Raises ValueError with the variable's name where a value is no positive number."""
        values: dict[str, float | int] = {}
        for name, default in (("poll_seconds", 0.5), ("max_body_bytes", 4 * 1024 * 1024), ("max_instances", 1000)):
            variable = f"EIDERDOWN_{name.upper()}"
            text = os.environ.get(variable)
            if text is None:
                continue
            try:
                values[name] = type(default)(text)
            except ValueError:
                raise ValueError(f"{variable} must be a number, such as {default}.") from None
            if values[name] <= 0:
                raise ValueError(f"{variable} must be greater than zero.")
        return cls(**values)  # type: ignore[arg-type]
