"""A listening socket that takes no new connection, and still gives those that have begun."""

import contextlib
import socket
import sys

import pytest

from ml.errors import EiderdownError
from serving.process.listening import listen, refuse_connections


@pytest.mark.skipif(sys.platform != "linux", reason="the filter is Linux's")
def test_what_has_begun_is_accepted_and_nothing_begins() -> None:
    with listen("127.0.0.1", 0) as listener:
        address = listener.getsockname()
        with socket.create_connection(address) as before:
            before.sendall(b"asked")
            refuse_connections(listener)
            late = socket.socket()
            late.settimeout(0.2)
            with late, contextlib.suppress(TimeoutError):
                late.connect(address)
                pytest.fail("a connection began")
            accepted, _ = listener.accept()
            before.sendall(b" more")
            before.shutdown(socket.SHUT_WR)
            with accepted, accepted.makefile("rb") as received:
                assert received.read() == b"asked more"
            listener.setblocking(False)
            with pytest.raises(BlockingIOError):
                listener.accept()


def test_an_address_that_is_taken_is_named() -> None:
    with listen("127.0.0.1", 0) as listener:
        port = listener.getsockname()[1]
        with pytest.raises(EiderdownError, match=f"127.0.0.1 port {port}"):
            listen("127.0.0.1", port)
