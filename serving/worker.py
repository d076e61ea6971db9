"""A worker process: `python -m serving.worker <listening socket> <pipe of the parent>`, started by serving/workers.py."""

import socket
import sys

from serving.server import serve


def main() -> int:
    """Serve on an inherited socket. Returns the exit status."""
    listener, parent = map(int, sys.argv[1:])
    return serve(socket.socket(fileno=listener), parent=parent)


if __name__ == "__main__":
    sys.exit(main())
