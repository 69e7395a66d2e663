from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from pcidevices.sim.node.tree import BOTH, Tree
from pcidevices.sim.node.uevents import Uevents


class ClassDevice:
    """
    A device of a class (or of a bus other than PCI): a folder, a link to it in its class, its node, its uevents.

    A folder named after the class around it goes with the last one in it.
    """

    def __init__(
        self,
        tree: Tree,
        uevents: Uevents,
        folder: Path,
        *,
        subsystem: str,
        properties: Mapping[str, str | int] | None = None,
        node_mode: int = 0o660,
        is_on_a_bus: bool = False,
    ) -> None:
        self.folder = folder
        self._tree = tree
        self._uevents = uevents
        self._subsystem = subsystem
        self._properties = dict(properties or {})
        home = tree.sysfs / ("bus" if is_on_a_bus else "class") / subsystem
        self._links = [(home / "devices" if is_on_a_bus else home) / folder.name]
        tree.folder(folder)
        tree.link(folder / "subsystem", tree.folder(home))
        tree.link(tree.folder(self._links[0].parent) / folder.name, folder)
        lines = "".join(f"{key}={value}\n" for key, value in self._properties.items())
        tree.attribute(folder / "uevent", lines.encode(), BOTH)
        if "MAJOR" in self._properties:
            tree.attribute(folder / "dev", f"{self._properties['MAJOR']}:{self._properties['MINOR']}")
        if "DEVNAME" in self._properties:
            tree.node(str(self._properties["DEVNAME"]), node_mode)

    def describe(self, attributes: Mapping[str, str | int], *, device: Path | None = None) -> None:
        """Its files, and the link to what it belongs to."""
        if device is not None:
            self._tree.link(self.folder / "device", device)
        self._tree.attributes(self.folder, attributes)

    def announce(self, action: str) -> None:
        self._uevents.emit(action, self._tree.path_of(self.folder), self._subsystem, **self._properties)

    def link_from(self, path: Path) -> None:
        """One more link to it, which goes with it."""
        self._tree.link(path, self.folder)
        self._links.append(path)

    def remove(self, *, quietly: bool = False) -> None:
        for link in self._links:
            self._tree.fell(link)
        if "DEVNAME" in self._properties:
            self._tree.fell(self._tree.dev / str(self._properties["DEVNAME"]))
        if not quietly:
            self.announce("remove")
        self._tree.fell(self.folder)
        if self.folder.parent.name == self._subsystem:
            self._tree.prune(self.folder.parent)
