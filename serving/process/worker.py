"""A worker process, which serving/process/workers.py starts: `python -m serving.process.worker <socket> <pipe of the parent>`."""

import socket
import sys

from serving.process.server import serve


def main() -> int:
    """Serve on an inherited socket. Returns the exit status."""
    listener, parent = map(int, sys.argv[1:])
    return serve(socket.socket(fileno=listener), parent=parent)


if __name__ == "__main__":
    sys.exit(main())
