"""A client of HTTP/2 alone: what gRPC hides can be seen, and what it would never send can be sent."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeVar

from anyio import BrokenResourceError, EndOfStream, connect_unix, fail_after
from anyio.abc import SocketStream
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import Event


E = TypeVar("E", bound=Event)

PATIENCE = 10.0


class RawClient:
    """One connection."""

    def __init__(self, stream: SocketStream) -> None:
        self.events: list[Event] = []
        self.h2 = H2Connection(H2Configuration(client_side=True, header_encoding="ascii"))
        self._stream = stream

    async def start(self) -> None:
        self.h2.initiate_connection()
        await self.flush()

    async def flush(self) -> None:
        await self._stream.send(self.h2.data_to_send())

    async def send(self, wire: bytes) -> None:
        """Anything at all."""
        await self._stream.send(wire)

    async def call(self, method: str, body: bytes | None = b"", *, end: bool = True) -> int:
        """Begin a call; with None only its headers. The stream's number."""
        number = self.h2.get_next_available_stream_id()
        headers = [
            (":method", "POST"),
            (":scheme", "http"),
            (":authority", "localhost"),
            (":path", f"/v1beta1.DevicePlugin/{method}"),
            ("te", "trailers"),
            ("content-type", "application/grpc"),
        ]
        self.h2.send_headers(number, headers)
        if body is not None:
            self.h2.send_data(number, b"\0" + len(body).to_bytes(4) + body, end_stream=end)
        await self.flush()
        return number

    async def write(self, number: int, body: bytes, *, end: bool = False) -> None:
        """Send *body*, as fast as the server takes it."""
        while body:
            room = min(self.h2.local_flow_control_window(number), self.h2.max_outbound_frame_size)
            if not room:
                await self._receive()
                continue
            part, body = body[:room], body[room:]
            self.h2.send_data(number, part, end_stream=end and not body)
            await self.flush()

    async def until(self, kind: type[E], true: Callable[[E], bool] = lambda _: True) -> E:
        """Read until such an event came."""
        with fail_after(PATIENCE):
            while True:
                for event in self.events:
                    if isinstance(event, kind) and true(event):
                        return event
                await self._receive()

    async def _receive(self) -> None:
        self.events += self.h2.receive_data(await self._stream.receive())
        await self.flush()

    async def until_closed(self) -> None:
        """Read until the server has closed the connection."""
        with fail_after(PATIENCE):
            while True:
                try:
                    self.events += self.h2.receive_data(await self._stream.receive())
                except (EndOfStream, BrokenResourceError):
                    return


@asynccontextmanager
async def connected(path: Path) -> AsyncIterator[RawClient]:
    """A client that has greeted the server."""
    async with await connect_unix(path) as stream:
        client = RawClient(stream)
        await client.start()
        yield client
