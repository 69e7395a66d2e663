"""A PCI function as the simulated kernel knows it, and its folder in sysfs."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from pcidevices.sim.node.config_space import config_space
from pcidevices.sim.node.locks import Mutex
from pcidevices.sim.node.spec import DeviceSpec, Ids, NodeSpec
from pcidevices.sim.node.tree import BOTH, READ, WRITE, Tree


_VGA = 0x0300
_LINES_OF_RESOURCES, _LINES_OF_A_BRIDGE = 13, 17


class Child(Protocol):
    """What a host driver has made below its device."""

    def remove(self) -> None: ...


@dataclass(slots=True, eq=False)
class Driver:
    """*new_ids* are those that it has learned through the file of that name."""

    name: str
    module: str
    folder: Path
    new_ids: set[Ids] = field(default_factory=set)


@dataclass(slots=True, eq=False, kw_only=True)
class Device:
    """
    *driver* is the one that the kernel counts as bound. It outlives the link `driver` while an unbind sleeps.

    *owner* is the physical function, *functions* are the virtual ones of a physical one.
    """

    spec: DeviceSpec
    home: Path
    path: str
    parent: Device | None
    mutex: Mutex
    owner: Device | None = None
    functions: list[Device] = field(default_factory=list)
    functions_probe: bool = True
    override: str | None = None
    driver: Driver | None = None
    held: bool = False
    left_enabled: int = 0
    """How often `enable` was written while it had no driver, or a driver that went did not take that back."""
    present: bool = True
    group_key: str = ""
    group: int | None = None
    children: list[Child] = field(default_factory=list)

    @property
    def address(self) -> str:
        return str(self.spec.address)

    @property
    def modalias(self) -> str:
        spec = self.spec
        base, sub, interface = spec.class_code.to_bytes(3, "big")
        return (
            f"pci:v{spec.ids.vendor:08X}d{spec.ids.device:08X}"
            f"sv{spec.subsystem.vendor:08X}sd{spec.subsystem.device:08X}"
            f"bc{base:02X}sc{sub:02X}i{interface:02X}"
        )

    def properties(self, *, driver: bool, modalias: bool) -> dict[str, str]:
        """What its uevents say. `unbind` names no driver and no modalias; the class has no leading zero."""
        spec = self.spec
        named = {"DRIVER": self.driver.name} if driver and self.driver is not None else {}
        return {
            **named,
            "PCI_CLASS": f"{spec.class_code:04X}",
            "PCI_ID": str(spec.ids).upper(),
            "PCI_SUBSYS_ID": str(spec.subsystem).upper(),
            "PCI_SLOT_NAME": self.address,
            **({"MODALIAS": self.modalias} if modalias else {}),
        }


def make_folder(tree: Tree, device: Device, node: NodeSpec, *, multifunction: bool) -> None:
    """Everything that a device has without a driver."""
    spec, home = device.spec, tree.folder(device.home)
    tree.link(home / "subsystem", tree.sysfs / "bus/pci")
    tree.attributes(
        home,
        {
            "vendor": f"0x{spec.ids.vendor:04x}",
            "device": f"0x{spec.ids.device:04x}",
            "subsystem_vendor": f"0x{spec.subsystem.vendor:04x}",
            "subsystem_device": f"0x{spec.subsystem.device:04x}",
            "class": f"0x{spec.class_code:06x}",
            "revision": f"0x{spec.revision:02x}",
            "local_cpulist": _cpus(spec, node),
            "modalias": device.modalias,
            "irq": 0,
            "resource": _resources(spec),
        },
    )
    tree.attributes(home, {"numa_node": spec.numa_node, "driver_override": "(null)"}, BOTH)
    if spec.class_code >> 8 == _VGA:
        tree.attribute(home / "boot_vga", str(int(spec.boot_vga)))
    config = config_space(spec, multifunction=multifunction, virtual=device.owner is not None)
    tree.attribute(home / "config", config, BOTH)
    tree.folder(home / "power")
    if spec.bridge is not None:
        buses = {"secondary_bus_number": spec.bridge.secondary, "subordinate_bus_number": spec.bridge.subordinate}
        tree.attributes(home, buses)
    if spec.resettable:
        tree.attribute(home / "reset", "", WRITE)
        tree.attribute(home / "reset_method", "flr", BOTH)
    if device.owner is None:  # the kernel lets no one remove a virtual function by itself
        tree.attribute(home / "remove", "", WRITE | 0o020)
        tree.attribute(home / "rescan", "", WRITE)
    show_state(tree, device)


def show_state(tree: Tree, device: Device) -> None:
    """The files that tell of driver and use."""
    driver = device.driver
    idle = driver is not None and driver.name == "vfio-pci" and not device.held
    enabled = driver is not None and not idle
    conventional = device.spec.bridge is not None and device.spec.driver is None
    lines = device.properties(driver=True, modalias=True).items()
    tree.attribute(device.home / "uevent", "\n".join(f"{key}={value}" for key, value in lines), BOTH)
    tree.attribute(device.home / "enable", str(int(enabled or conventional) + device.left_enabled), BOTH)
    tree.attribute(device.home / "power/runtime_status", "suspended" if idle else "active", READ)


def _cpus(spec: DeviceSpec, node: NodeSpec) -> str:
    return node.numa[spec.numa_node] if spec.numa_node >= 0 else ",".join(node.numa.values())


def _resources(spec: DeviceSpec) -> str:
    """One region for a device, none for a bridge: enough for `lspci`."""
    lines = [f"0x{0:016x} 0x{0:016x} 0x{0:016x}"] * _LINES_OF_RESOURCES
    if spec.bridge is not None:
        return "\n".join(lines + lines[:1] * (_LINES_OF_A_BRIDGE - _LINES_OF_RESOURCES))
    where = spec.address
    start = 0x1_0000_0000 + (where.domain << 32 | where.bus << 24 | where.slot << 19 | where.function << 16)
    lines[0] = f"0x{start:016x} 0x{start + 0xFFFF:016x} 0x{0x40200:016x}"
    return "\n".join(lines)
