"""A gRPC server on a Unix socket whose end is an end: nothing listens, nothing streams, nothing is connected."""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import socket
import stat

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import NamedTuple

import grpclib.server

from anyio import CancelScope, move_on_after, to_thread

from pcidevices.errors import SocketUnusable
from pcidevices.kubeletapi import v1beta1

from .codec import Codec
from .connection import Connection, Connections


GRACE = 1.0
"""Seconds that calls have to end by themselves, and then connections to be closed by their clients."""
_BACKLOG = 100

# grpclib tells of what clients send, as errors with tracebacks; without a handler Python would print that.
logging.getLogger("grpclib").addHandler(logging.NullHandler())


class Listening:
    """A server that listens."""

    def __init__(self, path: Path, bound: socket.socket, inode: tuple[int, int]) -> None:
        self.path = path
        self.connections = Connections()
        self._socket = bound
        self._inode = inode

    async def is_there(self) -> bool:
        """Whether the socket's file is (still) ours."""
        return await to_thread.run_sync(self._is_ours)

    def unlink(self) -> None:
        """Remove the file, unless it is somebody else's. Before the socket is closed: then its inode can be reused."""
        with suppress(FileNotFoundError):
            if self._is_ours():
                self.path.unlink()

    def _is_ours(self) -> bool:
        return _inode(self.path) == self._inode


class _Server(grpclib.server.Server):
    """Makes connections of our kind. Of grpclib's server nothing else is used: it cannot end them."""

    def __init__(self, service: v1beta1.DevicePluginBase, connections: Connections) -> None:
        super().__init__([service], codec=Codec())
        self._connections = connections

    def _protocol_factory(self) -> Connection:
        return Connection(super()._protocol_factory(), self._connections)


class Made(NamedTuple):
    """Which file stands at a path: inode numbers come back at once, so its last change belongs to it."""

    device: int
    inode: int
    changed: int


async def made(path: Path) -> Made | None:
    """What stands at *path* now; None while there is nothing."""
    return await to_thread.run_sync(_made, path)


@asynccontextmanager
async def serving(service: v1beta1.DevicePluginBase, path: Path, *, grace: float = GRACE) -> AsyncIterator[Listening]:
    """
    Serve *service* on a socket at *path*, in place of one that somebody left there; not of one that is in use.

    When the block is left the file is gone unless it is another's, calls have had *grace* seconds to end by
    themselves, and every client has been told (GOAWAY) and disconnected. Calls that come meanwhile are refused.

    Raises:
        SocketUnusable: there can be no socket at *path*, or somebody listens there.
    """
    try:
        listening = await to_thread.run_sync(_bind, path)
    except OSError as error:
        raise SocketUnusable(f"{path}: cannot listen there: {error.strerror or error}") from error
    server = _Server(service, listening.connections)
    listener: asyncio.Server | None = None
    try:
        factory = server._protocol_factory  # noqa: SLF001  our own class
        listener = await asyncio.get_running_loop().create_unix_server(
            factory,
            sock=listening._socket,  # noqa: SLF001  our own class
            backlog=_BACKLOG,
        )
        yield listening
    finally:
        with CancelScope(shield=True):
            await to_thread.run_sync(listening.unlink)
            if listener is not None:
                listener.close()
            listening._socket.close()  # noqa: SLF001  our own class
            await _end(listening.connections, grace)


async def _end(connections: Connections, grace: float) -> None:
    connections.ending = True
    with move_on_after(grace):
        await connections.wait_until(lambda: connections.idle)
    handlers = [connection.calls for connection in connections]
    for connection in connections:
        connection.go_away()
    with move_on_after(grace):
        await connections.wait_until(lambda: not connections)
    for connection in connections:
        connection.abort()
    with move_on_after(grace):
        await connections.wait_until(lambda: not connections)
        for handler in handlers:
            await handler.wait_closed()


def _bind(path: Path) -> Listening:
    with suppress(FileNotFoundError):
        if stat.S_ISSOCK(path.lstat().st_mode):
            _be_sure_that_nobody_listens(path)
            path.unlink()
    bound = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        bound.bind(str(path))
        bound.setblocking(False)  # noqa: FBT003  that is its name
        inode = _inode(path)
    except BaseException:
        bound.close()
        raise
    if inode is None:
        bound.close()
        raise FileNotFoundError(f"{path} is gone as soon as it was made")
    return Listening(path, bound, inode)


def _be_sure_that_nobody_listens(path: Path) -> None:
    """A connection that is refused is the only proof; whoever is hindered from asking has none."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        client.setblocking(False)  # noqa: FBT003  that is its name
        answer = client.connect_ex(str(path))
    if answer in {0, errno.EAGAIN}:  # one whose backlog is full listens as well
        raise OSError("another device plugin listens there; end it first (does a second agent run here?)")
    if answer not in {errno.ECONNREFUSED, errno.ENOENT}:
        why = f"nobody can tell whether somebody listens there ({os.strerror(answer)}); remove it if nobody does"
        raise OSError(answer, why)


def _inode(path: Path) -> tuple[int, int] | None:
    found = _made(path)
    return None if found is None else found[:2]


def _made(path: Path) -> Made | None:
    try:
        found = path.lstat()
    except OSError:
        return None
    return Made(found.st_dev, found.st_ino, found.st_ctime_ns)
