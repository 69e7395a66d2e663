from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from pcidevices.sim.node.below.disk import Disk
from pcidevices.sim.node.below.ground import Ground
from pcidevices.sim.node.below.net import Interface, make_virtual
from pcidevices.sim.node.below.nvme import NvmeDisk
from pcidevices.sim.node.below.virtio import Virtio
from pcidevices.sim.node.device import Child, Device
from pcidevices.sim.node.network import Network
from pcidevices.sim.node.spec import DiskSpec, NetSpec
from pcidevices.sim.node.storage import Storage
from pcidevices.sim.node.tree import Tree
from pcidevices.sim.node.uevents import Uevents


class Below:
    """
    Makes what a host driver makes when it binds, and takes it away when it goes.

    Nobody is asked whether an interface or a disk is in use: the kernel does not ask either.
    """

    def __init__(self, tree: Tree, uevents: Uevents, storage: Storage, network: Network) -> None:
        self._ground = Ground(tree, uevents, storage, network)
        self._booted = False
        for name in ("net", "block", "nvme", "nvme-subsystem"):
            tree.folder(tree.sysfs / "class" / name)
        tree.folder(tree.sysfs / "block")
        make_virtual(tree, "lo")

    def boot(self) -> None:
        """From now on interfaces are used only by hand."""
        self._booted = True

    def make(self, device: Device) -> None:
        for net in device.spec.nets:
            device.children.extend(self._net(device, net))
        for number, disk in enumerate(device.spec.disks):
            device.children.extend(self._disk(device, disk, number))

    def remove(self, device: Device) -> None:
        for child in reversed(device.children):
            child.remove()
        device.children.clear()

    def _net(self, device: Device, spec: NetSpec) -> Iterator[Child]:
        parent = device.home
        if spec.virtio:
            virtio = Virtio(self._ground, parent, kind="net")
            yield virtio
            parent = virtio.folder
        yield Interface(self._ground, parent, spec, is_boot=not self._booted)

    def _disk(self, device: Device, spec: DiskSpec, number: int) -> Iterator[Child]:
        match spec.kind:
            case "nvme":
                yield NvmeDisk(self._ground, device.home, spec, address=device.address)
            case "virtio":
                virtio = Virtio(self._ground, device.home, kind="blk")
                yield virtio
                yield Disk(self._ground, virtio.folder / "block" / spec.name, spec, device=virtio.folder)
            case _:
                host = device.home / f"ata{number + 1}/host{number}"
                target = host / f"target{number}:0:0/{number}:0:0:0"
                yield _Folder(self._ground.tree, device.home / f"ata{number + 1}")
                yield Disk(self._ground, target / "block" / spec.name, spec, device=target)


class _Folder:
    """A folder that goes after what was made in it."""

    def __init__(self, tree: Tree, path: Path) -> None:
        self._tree = tree
        self._path = path

    def remove(self) -> None:
        self._tree.fell(self._path)
