"""The listening socket, which all workers share."""

import contextlib
import ctypes
import socket
import struct
import sys

from ml.errors import EiderdownError

BACKLOG = 2048
_SO_ATTACH_FILTER = 26
_FLAGS_AT, _SYN, _ACK = 13, 0x02, 0x10
_PASS_ALL = 0xFFFFFFFF


def listen(host: str, port: int) -> socket.socket:
    """A listening socket; port 0 takes a free one. Raises EiderdownError where the address cannot be had."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=BACKLOG)
    except OSError as error:
        raise EiderdownError(
            f"cannot listen at {host} port {port} ({error.strerror}); choose another with --host and --port."
        ) from None


def refuse_connections(listener: socket.socket) -> None:
    """Let no connection begin on a listening socket from now on, in any process; those that have begun are accepted still.

    Otherwise a connection that comes between the last accept and the close is reset by the kernel, after the client was told
    that it is there, and perhaps has asked. Segments that begin a connection are dropped by a filter of the classic Berkeley
    packet filter (Linux, Documentation/networking/filter.rst); the client tries again, and is refused then. Where
    the system has none, nothing is done.
    """
    if sys.platform != "linux":
        return
    program = [
        (0x30, 0, 0, _FLAGS_AT),  # load the byte of the TCP flags
        (0x54, 0, 0, _SYN | _ACK),  # and it with SYN and ACK
        (0x15, 0, 1, _SYN),  # SYN alone: the next, otherwise the one after it
        (0x06, 0, 0, 0),  # drop
        (0x06, 0, 0, _PASS_ALL),  # pass
    ]
    code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *step) for step in program))
    with contextlib.suppress(OSError):
        listener.setsockopt(
            socket.SOL_SOCKET, _SO_ATTACH_FILTER, struct.pack("HP", len(program), ctypes.addressof(code))
        )
