"""Which plugins are connected, and the race that begins when a resource is registered twice."""

from __future__ import annotations

from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path

from anyio.abc import TaskGroup

from .devices import Devices
from .plugin import PluginConnection, RpcError, dial
from .quoting import quoted


class ConnectError(Exception):
    """A plugin that cannot be connected; the text is the kubelet's."""


@dataclass(frozen=True, slots=True)
class Dialling:
    """
    How plugins are called back.

    *patience* is how long a socket may stay without an answer, and *retry_every* how long the pause between two
    attempts is, in seconds. With *one_per_path* a path that is still connected is refused, and the end of a stream
    ends its own connection and no other.
    """

    patience: float = 10.0
    retry_every: float = 1.0
    one_per_path: bool = False


@dataclass(eq=False, slots=True)
class Client:
    """One registration."""

    resource: str
    path: Path
    connection: PluginConnection | None = None


class Clients:
    """
    The clients of one kubelet process.

    Released kubelets know them by the name of the resource alone. So whoever's stream ends, it is the client under
    that name, the newest one, that is disconnected; and a registration that fails leaves no client under the name.
    """

    def __init__(self, devices: Devices, tasks: TaskGroup, dialling: Dialling) -> None:
        self._devices = devices
        self._tasks = tasks
        self._dialling = dialling
        self._registered: dict[object, Client] = {}
        self._connections: set[PluginConnection] = set()
        self._dead = False

    async def connect(self, resource: str, path: Path) -> None:
        """
        Call a plugin back, and follow its devices from then on.

        Raises:
            DialError: nobody answered.
            ConnectError: the plugin did not want to, or a path is refused.
        """
        client = Client(resource, path)
        key = self._key(client)
        if self._dialling.one_per_path and key in self._registered:
            raise ConnectError(f"device plugin {quoted(resource)} is still connected at {path}")
        self._registered[key] = client
        try:
            connection, offers_preferences = await self._reach(path)
        except BaseException:
            self._registered.pop(key, None)
            raise
        client.connection = connection
        self._devices.connected(resource, connection, offers_preferences=offers_preferences)
        self._tasks.start_soon(self._follow, client, connection)

    def die(self) -> None:
        """The process is gone, and all connections with it."""
        self._dead = True
        for connection in self._connections:
            connection.close()

    async def _reach(self, path: Path) -> tuple[PluginConnection, bool]:
        connection = await dial(path, patience=self._dialling.patience, retry_every=self._dialling.retry_every)
        self._connections.add(connection)
        try:
            options = await connection.options()
        except BaseException as error:
            self._close(connection)
            if isinstance(error, RpcError):
                raise ConnectError(f"failed to get device plugin options: {error}") from error
            raise
        if self._dead:
            self._close(connection)
            raise ConnectError("the kubelet is gone")
        return connection, options.get_preferred_allocation_available

    async def _follow(self, client: Client, connection: PluginConnection) -> None:
        try:
            async with aclosing(connection.lists()) as lists:  # type: ignore[type-var]  # it is a generator
                async for devices in lists:
                    if not self._dead:
                        self._devices.listed(client.resource, devices)
        except RpcError:
            pass  # the end of a stream, in order or not, is the same
        ended = self._registered.pop(self._key(client), None)
        if ended is None or self._dead:
            return
        if ended.connection is not None:
            self._close(ended.connection)
        if not self._dialling.one_per_path or self._devices.speaks_for(ended.resource, connection):
            self._devices.disconnected(ended.resource)

    def _close(self, connection: PluginConnection) -> None:
        self._connections.discard(connection)
        connection.close()

    def _key(self, client: Client) -> object:
        return (client.resource, client.path) if self._dialling.one_per_path else client.resource
