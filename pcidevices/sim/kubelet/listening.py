"""A gRPC server on a Unix socket that ends as a process does: at once, and without a word."""

from __future__ import annotations

import logging
import socket

from asyncio import BaseTransport, Transport
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, cast

from anyio import CancelScope
from grpclib.protocol import H2Protocol
from grpclib.server import Server


if TYPE_CHECKING:
    from grpclib._typing import IServable


# grpclib tells of what clients send, as errors with tracebacks; without a handler Python would print that.
logging.getLogger("grpclib").addHandler(logging.NullHandler())


class Listening(Server):
    """Its socket stays behind, and nobody listens there."""

    def __init__(self, services: Collection[IServable]) -> None:
        super().__init__(services)
        self._transports: set[Transport] = set()

    async def listen(self, path: Path) -> None:
        """Make the socket at *path*, where there must be none."""
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            listener.bind(str(path))
            await self.start(sock=listener)
        except BaseException:
            listener.close()
            raise

    def answer_with(self, services: Collection[IServable]) -> None:
        """Connections that come from now on find these services."""
        self._mapping = {path: handler for service in services for path, handler in service.__mapping__().items()}

    def cut(self) -> None:
        """End all connections; calls that are under way are cancelled."""
        for transport in tuple(self._transports):
            transport.abort()

    async def die(self) -> None:
        """Listen no more, and end all connections."""
        self.close()
        self.cut()
        with CancelScope(shield=True):
            await self.wait_closed()

    def _protocol_factory(self) -> _Protocol:
        return _Protocol(super()._protocol_factory(), self._transports)


class _Protocol(H2Protocol):
    def __init__(self, plain: H2Protocol, transports: set[Transport]) -> None:
        super().__init__(plain.handler, plain.config, plain.h2_config)
        self._transports = transports

    def connection_made(self, transport: BaseTransport) -> None:
        self._transport = cast("Transport", transport)
        self._transports.add(self._transport)
        super().connection_made(transport)

    def connection_lost(self, exc: BaseException | None) -> None:
        self._transports.discard(self._transport)
        super().connection_lost(exc)
