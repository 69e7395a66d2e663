"""What /proc tells of the machine, and the use of its disks that the specification asks for."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from pcidevices.sim.node.spec import MAPPED, NodeSpec
from pcidevices.sim.node.storage import Storage
from pcidevices.sim.node.tree import Tree


_SWAP = "swap"


def make_proc(tree: Tree, spec: NodeSpec, storage: Storage) -> None:
    """Once, at boot."""
    (tree.proc / "self").symlink_to("1")
    (tree.proc / "mounts").symlink_to("self/mounts")
    (tree.proc / "net").symlink_to("self/net")
    tree.attribute(tree.proc / "cmdline", "quiet intel_iommu=on" if spec.iommu else "quiet")
    tree.attribute(tree.folder(tree.proc / "sys/kernel") / "osrelease", f"{spec.kernel}.0-simulated")
    mapped: defaultdict[str, list[str]] = defaultdict(list)
    for name, use in _used(tree, spec):
        if use == _SWAP:
            storage.swap_on(name)
        elif use.startswith(MAPPED):
            mapped[use.removeprefix(MAPPED)].append(name)
        else:
            storage.mount(name, use)
    for label, names in mapped.items():
        storage.map(label, *names)


def _used(tree: Tree, spec: NodeSpec) -> Iterator[tuple[str, str]]:
    """The name and the use of each part of a disk that is used."""
    for device in spec.devices.values():
        home = tree.sysfs / "bus/pci/devices" / str(device.address)
        for disk in device.disks:
            name = disk.name or _nvme_name(tree, str(device.address))
            if not home.exists() or not name:
                continue
            for part, use in disk.partitions.items():
                source = _part(name, part)
                if use and (tree.sysfs / "class/block" / source / "dev").exists():
                    yield source, use


def _nvme_name(tree: Tree, address: str) -> str:
    for controller in sorted((tree.sysfs / "class/nvme").iterdir()):
        if (controller / "address").read_text().strip() == address:
            return f"{controller.name}n1"
    return ""


def _part(name: str, part: int) -> str:
    if part == 0:
        return name
    return f"{name}p{part}" if name[-1].isdigit() else f"{name}{part}"
