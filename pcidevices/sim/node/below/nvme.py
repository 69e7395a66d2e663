from __future__ import annotations

from pathlib import Path

from pcidevices.sim.node.below.disk import Disk
from pcidevices.sim.node.below.ground import Ground
from pcidevices.sim.node.class_device import ClassDevice
from pcidevices.sim.node.spec import DiskSpec


_MAJOR = 243


class NvmeDisk:
    """
    An NVMe controller with one namespace.

    With multipath, which is the rule, the disk that is used stands under /devices/virtual; below the device is
    only a hidden path to it. A controller gets the lowest free number, which need not be the one it had.
    """

    def __init__(self, ground: Ground, parent: Path, spec: DiskSpec, *, address: str) -> None:
        self._ground = ground
        self._number = number = ground.controllers.take()
        name = f"nvme{number}"
        words: dict[str, str | int] = {"model": spec.model, "serial": spec.serial}
        words["subsysnqn"] = f"nqn.2014-08.org.example:{spec.serial}"
        self._controller = ClassDevice(
            ground.tree,
            ground.uevents,
            parent / "nvme" / name,
            subsystem="nvme",
            properties={"MAJOR": _MAJOR, "MINOR": number, "DEVNAME": name, "NVME_TRTYPE": "pcie"},
            node_mode=0o600,
        )
        about: dict[str, str | int] = {"address": address, "state": "live", "transport": "pcie", "cntlid": number}
        self._controller.describe(words | about, device=parent)
        self._controller.announce("add")
        self._system = ClassDevice(
            ground.tree,
            ground.uevents,
            ground.tree.sysfs / f"devices/virtual/nvme-subsystem/nvme-subsys{number}",
            subsystem="nvme-subsystem",
        )
        self._system.describe(words)
        ground.tree.link(self._system.folder / name, self._controller.folder)
        self._system.announce("add")
        owner = self._system if spec.multipath else self._controller
        self._path = self._hidden_path(number) if spec.multipath else None
        self._disk = Disk(ground, owner.folder / f"{name}n1", spec, device=owner.folder)

    def remove(self) -> None:
        self._disk.remove()
        if self._path is not None:
            self._path.remove(quietly=True)
        self._controller.remove()
        self._system.remove()
        self._ground.controllers.give_back(self._number)

    def _hidden_path(self, number: int) -> ClassDevice:
        path = ClassDevice(
            self._ground.tree,
            self._ground.uevents,
            self._controller.folder / f"nvme{number}c{number}n1",
            subsystem="block",
        )
        path.describe({"hidden": 1, "size": 0, "ro": 0, "removable": 0}, device=self._controller.folder)
        path.link_from(self._ground.tree.sysfs / "block" / path.folder.name)
        return path
