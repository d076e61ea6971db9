"""A thread that scores, of which nobody waits for the end: one that hangs keeps no process from ending."""

import weakref
from collections.abc import Callable
from concurrent.futures import Executor, Future
from queue import SimpleQueue
from threading import Thread
from typing import Any, TypeVar

T = TypeVar("T")
_Tasks = SimpleQueue[Callable[[], None] | None]


class DaemonExecutor(Executor):
    """Does one thing after another. concurrent.futures.ThreadPoolExecutor's threads are waited for when Python ends."""

    def __init__(self, name: str) -> None:
        self._tasks: _Tasks = SimpleQueue()
        self._thread = Thread(target=_work, args=(self._tasks,), name=name, daemon=True)
        self._thread.start()
        # The thread goes with whoever had it, as with the model of a release that is replaced.
        weakref.finalize(self, self._tasks.put, None)

    def submit(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> Future[T]:
        """Have a function called after those before it."""
        future: Future[T] = Future()

        def call() -> None:
            if not future.set_running_or_notify_cancel():
                return
            try:
                result = fn(*args, **kwargs)
            except BaseException as error:
                future.set_exception(error)
            else:
                future.set_result(result)

        self._tasks.put(call)
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """End the thread after what it has to do."""
        self._tasks.put(None)
        if wait:
            self._thread.join()


def _work(tasks: _Tasks) -> None:
    while (task := tasks.get()) is not None:
        task()
        # What it holds is freed, also while nothing follows.
        del task
