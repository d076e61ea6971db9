"""How long a batch takes, as a line through what batches took: `fixed + each * rows`."""

_MEMORY = 0.95
"""What is left of a batch's weight after the next: about twenty batches count."""
_MOST_RISE = 4.0
"""A batch counts for no more than so many times of what was foreseen: one that the machine held up says little."""


class CostModel:
    """Least squares with weights that fade, so that the line follows a machine or a model that becomes slower.

    Batches of one size say nothing of the slope: until there are others a row more is taken to cost nothing.
    """

    def __init__(self) -> None:
        self.fixed = 0.0
        """Seconds of a batch whatever its size."""
        self.each = 0.0
        """Seconds of each row."""
        self._weight = self._rows = self._seconds = self._rows_rows = self._rows_seconds = 0.0

    def seconds(self, rows: int) -> float:
        """What a batch of so many rows takes; 0 before the first was seen."""
        return self.fixed + self.each * rows

    def rows_within(self, seconds: float) -> float:
        """The most rows of a batch that takes so long; infinite where rows cost nothing that was seen."""
        return (seconds - self.fixed) / self.each if self.each > 0 else float("inf")

    def observe(self, rows: int, seconds: float) -> None:
        """A batch of so many rows took so long."""
        if foreseen := self.seconds(rows):
            seconds = min(seconds, _MOST_RISE * foreseen)
        self._weight = self._weight * _MEMORY + 1
        self._rows = self._rows * _MEMORY + rows
        self._seconds = self._seconds * _MEMORY + seconds
        self._rows_rows = self._rows_rows * _MEMORY + rows * rows
        self._rows_seconds = self._rows_seconds * _MEMORY + rows * seconds
        spread = self._weight * self._rows_rows - self._rows * self._rows
        if spread > 1e-6 * self._rows_rows:
            self.each = max((self._weight * self._rows_seconds - self._rows * self._seconds) / spread, 0.0)
        self.each = min(self.each, self._seconds / self._rows)
        self.fixed = (self._seconds - self.each * self._rows) / self._weight
