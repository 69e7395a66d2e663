from __future__ import annotations

from pathlib import Path

from pcidevices.sim.node.below.ground import Ground
from pcidevices.sim.node.class_device import ClassDevice


class Virtio:
    """The device between a virtio function on the PCI bus and what it is good for: `virtioN`, with its own driver."""

    def __init__(self, ground: Ground, parent: Path, *, kind: str) -> None:
        self._ground = ground
        self._number = ground.virtio.take()
        self._device = ClassDevice(
            ground.tree,
            ground.uevents,
            parent / f"virtio{self._number}",
            subsystem="virtio",
            is_on_a_bus=True,
        )
        self._device.describe({"vendor": "0x1af4", "status": "0x0000000f"})
        driver = ground.tree.folder(ground.tree.sysfs / f"bus/virtio/drivers/virtio_{kind}")
        ground.tree.link(self.folder / "driver", driver)
        self._device.announce("add")

    @property
    def folder(self) -> Path:
        return self._device.folder

    def remove(self) -> None:
        self._device.remove()
        self._ground.virtio.give_back(self._number)
