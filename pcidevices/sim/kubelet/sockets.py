"""The kubelet's two sockets, and what becomes of them when it ends."""

from __future__ import annotations

import stat

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from .listening import Listening


if TYPE_CHECKING:
    from grpclib._typing import IServable


SOCKET = "kubelet.sock"


class Sockets:
    """For device plugins, and for those who ask for pods' resources."""

    def __init__(self, folder: Path) -> None:
        self.device_plugins = folder / "device-plugins"
        self.pod_resources = folder / "pod-resources" / SOCKET
        self._places = (self.device_plugins / SOCKET, self.pod_resources)
        self._aside = folder / "aside"
        self._servers: tuple[Listening, ...] = ()

    def make_folders(self) -> None:
        for folder in (self.device_plugins, self.pod_resources.parent, self._aside):
            folder.mkdir(parents=True, exist_ok=True)

    async def listen(self, *services: IServable) -> None:
        """Remove every socket, those of plugins too, then serve one service at each place."""
        _remove_sockets(self.device_plugins)
        _remove_sockets(self.pod_resources.parent)
        if self._servers:
            for server, service, place in zip(self._servers, services, self._places, strict=True):
                server.answer_with([service])
                self._set_aside(place).rename(place)
            return
        self._servers = tuple(Listening([service]) for service in services)
        for server, place in zip(self._servers, self._places, strict=True):
            await server.listen(place)

    async def die(self, *, keep_inodes: bool) -> None:
        """
        End all connections; the sockets stay where they are, and nobody listens.

        With *keep_inodes* they vanish, and come back by `listen` as the same files with another time of change.
        """
        if keep_inodes:
            for server, place in zip(self._servers, self._places, strict=False):
                place.rename(self._set_aside(place))
                server.cut()
            return
        servers, self._servers = self._servers, ()
        for server in servers:
            await server.die()

    def _set_aside(self, place: Path) -> Path:
        return self._aside / f"{place.parent.name}.sock"


def _remove_sockets(folder: Path) -> None:
    """Other people's too; other files stay. Their owners may be removing them at the same time."""
    for path in folder.iterdir():
        with suppress(FileNotFoundError):
            if stat.S_ISSOCK(path.lstat().st_mode):
                path.unlink()
