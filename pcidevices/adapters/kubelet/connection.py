"""
One client's connection to a server of ours: it survives whatever the client sends, and can be ended in order.

grpclib has neither. What is used here beyond its documentation is in this file and stands in `PRIVATE`; the
version is pinned exactly, and a test looks whether all of it is still there.
"""

from __future__ import annotations

from asyncio import BaseTransport, Transport
from collections.abc import Callable, Iterator
from typing import cast

import anyio
import grpclib.protocol
import grpclib.server
import structlog

from grpclib.protocol import AbstractHandler, EventsProcessor, H2Protocol
from grpclib.protocol import Connection as H2Link
from grpclib.protocol import Stream as H2Stream
from h2.errors import ErrorCodes
from h2.events import DataReceived, Event, RequestReceived, StreamReset
from h2.exceptions import ProtocolError


log = structlog.get_logger()

REQUEST_LIMIT = 256 * 1024
"""Bytes of one request: enough for 18,000 addresses."""
UNREAD_LIMIT = 1024 * 1024
"""Bytes that may wait for a client that does not read, beyond what flow control allows."""
CONNECTION_LIMIT = 128

PRIVATE = (
    (grpclib.server.Server, "_protocol_factory"),
    (grpclib.protocol.Stream, "__terminated__"),
    (grpclib.protocol.H2Protocol, "connection_made"),
    (grpclib.protocol.EventsProcessor, "process_request_received"),
    (grpclib.protocol.EventsProcessor, "process_data_received"),
    (grpclib.protocol.EventsProcessor, "process_stream_reset"),
    (grpclib.server.Handler, "wait_closed"),
)


class Connections:
    """All connections of one server, and whether they shall end."""

    def __init__(self) -> None:
        self.ending = False
        self._all: dict[Connection, None] = {}
        self._stirred = anyio.Event()

    def __len__(self) -> int:
        return len(self._all)

    def __iter__(self) -> Iterator[Connection]:
        return iter(tuple(self._all))

    @property
    def idle(self) -> bool:
        """There is no call under way."""
        return not any(connection.busy for connection in self._all)

    def add(self, connection: Connection) -> None:
        """Admit it; when there are too many, at the cost of the oldest without a call, or of itself."""
        self._all[connection] = None
        if self.ending:
            connection.abort()
        elif len(self._all) > CONNECTION_LIMIT:
            next((other for other in self._all if not other.busy and not other.closing), connection).abort()

    def discard(self, connection: Connection) -> None:
        self._all.pop(connection, None)
        self.stir()

    def stir(self) -> None:
        """Wake who waits for calls or connections to end."""
        self._stirred.set()
        self._stirred = anyio.Event()

    async def wait_until(self, true: Callable[[], bool]) -> None:
        """Wait until *true* holds; it is asked again whenever a call or a connection has ended."""
        while not true():
            await self._stirred.wait()


class Connection(H2Protocol):
    """One of them."""

    _transport: Transport

    def __init__(self, plain: H2Protocol, connections: Connections) -> None:
        super().__init__(plain.handler, plain.config, plain.h2_config)
        self._connections = connections

    @property
    def busy(self) -> bool:
        """A call is under way."""
        return bool(self.processor.streams)

    @property
    def calls(self) -> grpclib.server.Handler:
        """The tasks of its calls."""
        return cast("grpclib.server.Handler", self.handler)

    @property
    def closing(self) -> bool:
        return self._transport.is_closing()

    def connection_made(self, transport: BaseTransport) -> None:
        self._transport = cast("Transport", transport)
        super().connection_made(transport)
        self.processor = _Processor(self.handler, self.connection, self._connections)
        self._connections.add(self)

    def connection_lost(self, exc: BaseException | None) -> None:
        super().connection_lost(exc)
        self._connections.discard(self)

    def data_received(self, data: bytes) -> None:
        try:
            super().data_received(data)
        except Exception as error:  # noqa: BLE001  junk finds many ways, and concerns nobody but its sender
            log.debug("connection.dropped", error=repr(error))
            self.abort()
        if self._transport.get_write_buffer_size() > UNREAD_LIMIT:
            log.debug("connection.dropped", error="the client does not read its answers")
            self.abort()

    def go_away(self) -> None:
        """Tell the client that this is over (GOAWAY), and close when it has been told."""
        try:
            if not self.closing:
                self.connection._connection.close_connection()  # noqa: SLF001  see the module
                self.connection.flush()
        except ProtocolError:
            pass  # the client has ended it already
        self.processor.close("the server ends")

    def abort(self) -> None:
        """Close now, whether the client reads or not."""
        self._transport.abort()


class _Processor(EventsProcessor):
    def __init__(self, handler: AbstractHandler, connection: H2Link, connections: Connections) -> None:
        super().__init__(handler, connection)
        self._connections = connections

    def process(self, event: Event) -> None:
        if type(event) in getattr(self, "processors", ()):  # what HTTP/2 does not know is to be ignored
            super().process(event)

    def register(self, stream: H2Stream) -> Callable[[], None]:
        release = super().register(stream)

        def release_once() -> None:
            if stream.id in self.streams:
                release()
            self._connections.stir()

        return release_once

    def process_request_received(self, event: RequestReceived) -> None:
        if self._connections.ending:
            self._reset(event.stream_id, ErrorCodes.REFUSED_STREAM)
        else:
            super().process_request_received(event)

    def process_data_received(self, event: DataReceived) -> None:
        super().process_data_received(event)
        stream = self.streams.get(event.stream_id)
        if stream is not None and stream.data_received > REQUEST_LIMIT:
            self._reset(event.stream_id, ErrorCodes.ENHANCE_YOUR_CALM)
            stream.__terminated__("the request is too large")
            self.handler.cancel(stream)

    def process_stream_reset(self, event: StreamReset) -> None:
        super().process_stream_reset(event)
        # A call that is reset before its task has begun would never be released.
        self.streams.pop(event.stream_id, None)
        self._connections.stir()

    def _reset(self, stream_id: int, code: ErrorCodes) -> None:
        self.connection._connection.reset_stream(stream_id, error_code=code)  # noqa: SLF001  see the module
