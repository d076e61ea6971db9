"""A thread that looks for what is new, again and again."""

import threading
from collections.abc import Callable


class Repeating:
    """Calls a function, which raises nothing, so many seconds after it last returned, until it is stopped."""

    def __init__(self, name: str, seconds: float, function: Callable[[], None]) -> None:
        self._seconds = seconds
        self._function = function
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._repeat, name=name, daemon=True)

    def start(self) -> None:
        """Begin, with a pause."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread, when the function returns."""
        self._stop.set()
        self._thread.join()

    def _repeat(self) -> None:
        while not self._stop.wait(self._seconds):
            self._function()
