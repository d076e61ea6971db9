"""Promote version 2 of flight_delay, killed at a file operation under the home folder: `python -m` this, with its number.

Without a number, print how many operations there are. A module of its own, since it is run often and imports little.
"""

import os
import signal
import sys
from typing import Any

from ml import files
from ml.promotion.decide import promote

CHANGING = ("os.rename", "os.remove", "os.mkdir", "os.rmdir", "shutil.rmtree", "os.chmod", "os.link")


def main(kill_at_operation: int | None) -> None:
    operations = 0

    def count(event: str, arguments: tuple[Any, ...]) -> None:
        nonlocal operations
        is_write = event == "open" and isinstance(arguments[1], str) and set(arguments[1]) & set("wax+")
        if (is_write or event in CHANGING) and str(arguments[0]).startswith(str(files.home())):
            operations += 1
            if operations == kill_at_operation:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(count)
    promote("flight_delay", 2)
    print(operations)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else None)
