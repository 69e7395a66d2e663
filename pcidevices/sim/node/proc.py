"""What /proc tells of disks in use, as far as the specification says that they are."""

from __future__ import annotations

from collections.abc import Iterator

from pcidevices.sim.node.spec import NodeSpec
from pcidevices.sim.node.tree import Tree


_SWAP = "swap"
_ALWAYS = ("proc /proc proc rw,relatime 0 0", "sysfs /sys sysfs rw,relatime 0 0")


def make_proc(tree: Tree, spec: NodeSpec) -> None:
    """Written once, at boot: that a disk has lost its driver changes nothing in these files."""
    used = list(_used(tree, spec))
    mounts = [f"{source} {where} ext4 rw,relatime 0 0" for source, where, _ in used if where != _SWAP]
    swaps = [f"{source} partition 1048576 0 -2" for source, where, _ in used if where == _SWAP]
    infos = [
        f"{30 + index} 1 {numbers} / {where} rw,relatime shared:1 - ext4 {source} rw"
        for index, (source, where, numbers) in enumerate(used)
        if where != _SWAP
    ]
    first = tree.folder(tree.proc / "1")
    tree.attribute(first / "mounts", "\n".join([*mounts, *_ALWAYS]))
    tree.attribute(first / "mountinfo", "\n".join(infos))
    (tree.proc / "self").symlink_to("1")
    (tree.proc / "mounts").symlink_to("self/mounts")
    tree.attribute(tree.proc / "swaps", "\n".join(["Filename Type Size Used Priority", *swaps]))
    tree.attribute(tree.proc / "cmdline", "quiet intel_iommu=on" if spec.iommu else "quiet")
    tree.attribute(tree.folder(tree.proc / "sys/kernel") / "osrelease", f"{spec.kernel}.0-simulated")


def _used(tree: Tree, spec: NodeSpec) -> Iterator[tuple[str, str, str]]:
    """Source, place and numbers of each part of a disk that is used."""
    for device in spec.devices.values():
        home = tree.sysfs / "bus/pci/devices" / str(device.address)
        for disk in device.disks:
            name = disk.name or _nvme_name(tree, str(device.address))
            if not home.exists() or not name:
                continue
            for part, where in disk.partitions.items():
                source = _part(name, part)
                numbers = tree.sysfs / "class/block" / source / "dev"
                if where and numbers.exists():
                    yield f"/dev/{source}", where, numbers.read_text().strip()


def _nvme_name(tree: Tree, address: str) -> str:
    for controller in sorted((tree.sysfs / "class/nvme").iterdir()):
        if (controller / "address").read_text().strip() == address:
            return f"{controller.name}n1"
    return ""


def _part(name: str, part: int) -> str:
    if part == 0:
        return name
    return f"{name}p{part}" if name[-1].isdigit() else f"{name}{part}"
