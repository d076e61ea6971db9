"""A server process that finishes what it accepted before it ends."""

import asyncio
import signal
import socket
import time
from types import FrameType
from typing import Any

import uvicorn

from serving.process.http_protocol import LimitedProtocol
from serving.process.json_logs import LOG_CONFIG
from serving.process.listening import BACKLOG, refuse_connections

GRACE_SECONDS = 30
"""The longest that requests in flight may take once the server is to end; a body arrives within less."""
HANDSHAKE_SECONDS = 0.05
"""How long a connection that a client has begun to open may take to be there, once no other can be opened."""
LINGER_SECONDS = 0.5
"""How long a connection on which nothing is asked stays open then, for a request that is on its way."""
KEEP_ALIVE_SECONDS = 75
"""More than what load balancers keep a connection for, so that they are the ones who close it."""
FORCED = 1
"""The exit status of a server that was ended at once."""


def serve(listener: socket.socket, parent: int | None = None) -> int:
    """Serve in this process until a signal ends it. Returns the exit status.

    parent: a pipe whose other end closes with the process that
    started this one.
    """
    config = uvicorn.Config(
        "serving.app:create_app",
        factory=True,
        loop="uvloop",
        http=LimitedProtocol,
        proxy_headers=False,
        ws="none",
        lifespan="on",
        access_log=False,
        server_header=False,
        backlog=BACKLOG,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=GRACE_SECONDS,
        log_config=LOG_CONFIG,
    )
    server = GracefulServer(config, parent)
    server.run([listener])
    return FORCED if server.force_exit else 0


class GracefulServer(uvicorn.Server):
    """Ends on SIGTERM or SIGINT: what was accepted is answered, nothing more is accepted. A second signal ends it at once.

    What uvicorn lacks: connections that the kernel has accepted are answered too, and one that is kept alive is closed with
    its next answer, or after LINGER_SECONDS in which nothing was asked. A request's `state` says `is_stopping` then.
    """

    def __init__(self, config: uvicorn.Config, parent: int | None = None) -> None:
        super().__init__(config)
        self._parent = parent

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Take a signal. It is not raised again at the end, as uvicorn does, so that the exit status is 0."""
        self.force_exit = self.should_exit
        self.should_exit = True

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to accept; end with the parent process."""
        await super().startup(sockets)
        if self._parent is not None:
            asyncio.get_running_loop().add_reader(self._parent, self._lose_parent)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop accepting, answer what was accepted, and end."""
        self.lifespan.state["is_stopping"] = True
        self.server_state.default_headers = [*self.server_state.default_headers, (b"connection", b"close")]
        waiting = [listener.dup() for listener in sockets or []]
        for listener in waiting:
            refuse_connections(listener)
        await asyncio.sleep(HANDSHAKE_SECONDS)
        for server in self.servers:
            server.close()
        for listener in waiting:
            await self._accept_rest(listener)
        for connection in list(self.server_state.connections):
            if connection.cycle is not None and not connection.cycle.response_complete:  # type: ignore[union-attr]
                connection.shutdown()
        until = time.monotonic() + LINGER_SECONDS
        while self.server_state.connections and time.monotonic() < until and not self.force_exit:
            await asyncio.sleep(0.01)
        await super().shutdown(sockets)

    async def _accept_rest(self, listener: socket.socket) -> None:
        """Take the connections that the kernel has accepted on a listening socket, and close it."""
        loop = asyncio.get_running_loop()
        listener.setblocking(False)
        with listener:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                await loop.connect_accepted_socket(self._protocol, connection)

    def _protocol(self) -> asyncio.Protocol:
        protocol: Any = self.config.http_protocol_class
        made: asyncio.Protocol = protocol(
            config=self.config, server_state=self.server_state, app_state=self.lifespan.state
        )
        return made

    def _lose_parent(self) -> None:
        assert self._parent is not None
        asyncio.get_running_loop().remove_reader(self._parent)
        self.handle_exit(signal.SIGTERM, None)
