from __future__ import annotations

import contextlib

from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

from pcidevices.sim.node.address import Address
from pcidevices.sim.node.device import Device
from pcidevices.sim.node.kernel import Kernel
from pcidevices.sim.node.locks import Workers
from pcidevices.sim.node.proc import make_proc
from pcidevices.sim.node.refuse import Refused, answers
from pcidevices.sim.node.spec import BridgeSpec, DeviceSpec, NodeSpec
from pcidevices.sim.node.tree import BOTH, WRITE
from pcidevices.sim.node.uevents import Callback
from pcidevices.sim.node.writes import Writes


class SimulatedNode:
    """
    A machine without hardware: `sys`, `proc` and `dev` in folders below *root*, and a kernel behind `write`.

    All that reads files reads them as they are; all that changes something goes through `write`, which refuses
    and sleeps as Linux does. The other methods are what happens to a machine: cards come and go, a VM starts; what
    the host does with disks and interfaces is behind `storage` and `network`.
    Any thread may call any of them.
    """

    def __init__(self, root: Path, spec: NodeSpec) -> None:
        self._kernel = Kernel(root, spec)
        self._writes = Writes(self._kernel)
        self._workers = Workers(self._kernel.lock)
        self.sysfs = self._kernel.tree.sysfs
        self.proc = self._kernel.tree.proc
        self.dev = self._kernel.tree.dev
        self.storage = self._kernel.storage
        self.network = self._kernel.network
        with self._kernel.lock:
            self._boot(spec)

    def write(self, path: Path, text: str) -> None:
        """One write of *text* to a file in sysfs. Raises OSError with the kernel's errno; may sleep for long."""
        with self._kernel.lock, answers():
            self._writes.write(path, text)

    def subscribe(self, callback: Callback) -> Callable[[], None]:
        """Call *callback* with each uevent from now on, until what is returned is called. It must not wait."""
        return self._kernel.uevents.subscribe(callback)

    def plug(self, *specs: DeviceSpec) -> None:
        """Put cards in. Their host drivers bind at once, as on a running machine."""
        with self._kernel.lock:
            for spec in specs:
                if spec.address in self._kernel.hotplug.hardware:
                    raise ValueError(f"{spec.address} is taken")
            self._workers.run(lambda: self._plug(specs))

    def unplug(self, *addresses: str) -> None:
        """
        Pull cards out, with all that is below them.

        A card that a VM holds loses its driver now and goes when it is released: this does not wait for it.
        """
        parsed = [Address.parse(address) for address in addresses]
        with self._kernel.lock:
            for address in parsed:
                if address not in self._kernel.hotplug.hardware:
                    raise ValueError(f"there is nothing at {address}")
            self._workers.run(lambda: self._unplug(parsed))

    def reload(self, spec: NodeSpec) -> None:
        """
        Become what *spec* describes: what is new or changed is plugged, what is gone or changed is unplugged.

        New modules are known from then on. Kernel and IOMMU stay as they were at boot.
        """
        with self._kernel.lock:
            present = self._kernel.hotplug.hardware
            stays = {
                address
                for address, device in spec.devices.items()
                if present.get(address) == device
                and _bridges(spec.devices.values(), address) == _bridges(present.values(), address)
            }
            goes = sorted(present.keys() - stays)
            comes = [device for address, device in spec.devices.items() if address not in stays]
            self._kernel.spec = replace(self._kernel.spec, numa=spec.numa)
            for module in spec.modules.values():
                self._kernel.modules.learn(module)

            def change() -> None:
                self._unplug(goes)
                self._plug(comes)

            if goes or comes:
                self._workers.run(change)

    def load_module(self, name: str) -> None:
        """`modprobe`; raises FileNotFoundError for a module that the node does not have."""
        with self._kernel.lock, answers():
            self._kernel.modules.load(name)

    def unload_module(self, name: str) -> None:
        """`rmmod`, also of the modules that only this one needed; raises EWOULDBLOCK while it is used."""
        with self._kernel.lock, answers():
            self._kernel.modules.unload(name)

    def hold(self, address: str) -> None:
        """
        A virtual machine takes the device, as it does when it starts.

        Raises OSError as VFIO does: ENODEV when it is not on vfio-pci, EPERM when its group is not viable, EBUSY.
        """
        with self._kernel.lock, answers():
            self._kernel.vfio.hold(self._device(address))

    def release(self, address: str) -> None:
        """The virtual machine ends; whoever slept for that goes on."""
        with self._kernel.lock:
            self._kernel.vfio.release(self._device(address))

    def mount(self, name: str, where: str) -> None:
        """Mount a disk or partition, such as ``nvme0n1p1``. More of the kind is in `storage`."""
        self.storage.mount(name, where)

    def unmount(self, where: str) -> None:
        self.storage.unmount(where)

    def close(self) -> None:
        """All virtual machines end, so that nothing sleeps any more."""
        with self._kernel.lock:
            for device in tuple(self._kernel.devices.values()):
                self._kernel.vfio.release(device)
        self._workers.join()

    def _boot(self, spec: NodeSpec) -> None:
        tree = self._kernel.tree
        bus = tree.folder(tree.sysfs / "bus/pci")
        tree.folder(bus / "devices")
        tree.folder(bus / "drivers")
        tree.attributes(bus, dict.fromkeys(("drivers_probe", "rescan", "uevent"), ""), WRITE)
        tree.attribute(bus / "drivers_autoprobe", "1", BOTH)
        for number, cpus in spec.numa.items():
            tree.attribute(tree.folder(tree.sysfs / f"devices/system/node/node{number}") / "cpulist", cpus)
        self._kernel.modules.boot()
        self._plug(spec.devices.values())
        self._kernel.below.boot()
        make_proc(tree, spec, self._kernel.storage)

    def _plug(self, specs: Iterable[DeviceSpec]) -> None:
        """The virtual functions of a specification are made by what sets up the network, once their card is there."""
        specs = tuple(specs)
        self._kernel.hotplug.plug(specs)
        for spec in specs:
            if spec.sriov is not None and spec.sriov.vfs:
                with contextlib.suppress(Refused):  # its driver may not be loaded
                    self._kernel.sriov.set_count(self._kernel.devices[spec.address], spec.sriov.vfs)

    def _unplug(self, addresses: Iterable[Address]) -> None:
        for address in addresses:
            self._kernel.hotplug.unplug(address)

    def _device(self, address: str) -> Device:
        device = self._kernel.named(address)
        if device is None:
            raise ValueError(f"there is no device at {address}")
        return device


def _bridges(specs: Iterable[DeviceSpec], address: Address) -> list[tuple[Address, BridgeSpec]]:
    """The bridges on the way to *address*, which a device does not outlive."""
    return sorted(
        (
            (spec.address, spec.bridge)
            for spec in specs
            if spec.bridge is not None
            and spec.address.domain == address.domain
            and spec.bridge.secondary <= address.bus <= spec.bridge.subordinate
        ),
        key=lambda bridge: bridge[0],
    )
