"""Hints from the folder of VFIO nodes, which the kernel does announce to inotify."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import structlog

from asyncinotify import Inotify, Mask


log = structlog.get_logger()

SOURCE = "inotify"


class VfioNodes:
    """
    Implements the port `HintSource`: ``/dev/vfio/N`` appears when a device of group N goes to vfio-pci.

    It reaches us where uevents do not (a user namespace of our own). On sysfs itself inotify sees nothing
    of what the kernel does. The folder comes and goes with the module, so its parent is watched too.
    """

    def __init__(self, dev: Path) -> None:
        self._dev = dev
        self._vfio = dev / "vfio"

    async def run(self, hint: Callable[[str], None]) -> None:
        try:
            with Inotify() as inotify:
                inotify.add_watch(self._dev, Mask.CREATE | Mask.ONLYDIR)
                self._watch_vfio(inotify)
                async for event in inotify:
                    if Mask.Q_OVERFLOW in event.mask:
                        self._watch_vfio(inotify)
                        hint(SOURCE)
                    elif event.path is not None and (event.path == self._vfio or self._vfio in event.path.parents):
                        if event.path == self._vfio and Mask.CREATE in event.mask:
                            self._watch_vfio(inotify)
                        hint(SOURCE)
        except OSError as error:
            log.warning("inotify.unavailable", path=str(self._dev), error=str(error))

    def _watch_vfio(self, inotify: Inotify) -> None:
        with suppress(FileNotFoundError, NotADirectoryError):  # it comes and goes with the module
            inotify.add_watch(self._vfio, Mask.CREATE | Mask.DELETE | Mask.ONLYDIR)
