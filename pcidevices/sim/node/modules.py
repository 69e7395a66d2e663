from __future__ import annotations

import errno

from typing import TYPE_CHECKING

from pcidevices.sim.node.device import Driver
from pcidevices.sim.node.module_names import module_of
from pcidevices.sim.node.refuse import Refused
from pcidevices.sim.node.spec import ModuleSpec, ModuleState
from pcidevices.sim.node.tree import WRITE


if TYPE_CHECKING:
    from pcidevices.sim.node.kernel import Kernel


_COMES_WITH = {"vfio_pci": ("irqbypass", "vfio", "vfio_iommu_type1", "vfio_pci_core")}
_NEEDED_BY = {
    "irqbypass": ("vfio_pci",),
    "vfio_pci_core": ("vfio_pci",),
    "vfio": ("vfio_pci", "vfio_iommu_type1"),
}
_FOR_ALL = 0o666


class Modules:
    """Kernel modules. With one come its drivers, which at once take all devices that fit and have none."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self._specs: dict[str, ModuleSpec] = dict(kernel.spec.modules)
        self._users: dict[str, int] = {}

    def boot(self) -> None:
        for state in (ModuleState.BUILT_IN, ModuleState.LOADED):
            for spec in self._specs.values():
                if spec.state is state:
                    self._bring(spec)
        self._show_loaded()

    def load(self, name: str) -> None:
        """What `modprobe` does; raises ENOENT for a module that this kernel does not have."""
        spec = self._specs.get(name.replace("-", "_"))
        if spec is None or spec.state is ModuleState.MISSING:
            raise Refused(errno.ENOENT)
        if not self._is_there(spec.name):
            self._bring(spec)
            self._show_loaded()
            self._kernel.uevents.emit("add", f"/module/{spec.name}", "module")

    def unload(self, name: str) -> None:
        """
        What `modprobe -r` does, with the modules that only this one needed.

        Refused with EWOULDBLOCK for a module in use, with ENOENT for one that is not there.
        """
        module = name.replace("-", "_")
        spec = self._specs.get(module)
        if not self._is_there(module):
            raise Refused(errno.ENOENT)
        if self._users[module]:
            raise Refused(errno.EWOULDBLOCK)
        for driver in () if spec is None else spec.drivers:
            self._unregister(driver)
        self._remove_folder(module)
        for other, needed_by in _NEEDED_BY.items():
            if module in needed_by and not any(self._is_there(each) for each in needed_by):
                self._remove_folder(other)
        if not self._is_there("vfio"):
            self._kernel.tree.fell(self._kernel.tree.dev / "vfio")
        self._show_loaded()
        self._kernel.uevents.emit("remove", f"/module/{module}", "module")

    def learn(self, spec: ModuleSpec) -> None:
        """The modules of a node may become more while it runs; one that is loaded stays."""
        if not self._is_there(spec.name):
            self._specs[spec.name] = spec
            if spec.state is ModuleState.LOADED:
                self.load(spec.name)

    def autoload(self, driver: str) -> None:
        """What udev does when a device appears: load the module of its driver, unless it is known otherwise."""
        if not any(driver in spec.drivers for spec in self._specs.values()):
            self.learn(ModuleSpec(name=module_of(driver), drivers=(driver,)))

    def count_users(self, module: str, users: int) -> None:
        self._users[module] = users
        self._kernel.tree.attribute(self._kernel.tree.sysfs / f"module/{module}/refcnt", str(users))
        self._show_loaded()

    def _bring(self, spec: ModuleSpec) -> None:
        for needed in _COMES_WITH.get(spec.name, ()):
            self._make_folder(needed)
        if spec.name == "vfio_pci":
            self._kernel.tree.node("vfio/vfio", _FOR_ALL)
        self._make_folder(spec.name)
        for name in spec.drivers:
            self._register(name, spec.name)

    def _make_folder(self, module: str) -> None:
        folder = self._kernel.tree.folder(self._kernel.tree.sysfs / "module" / module)
        self._kernel.tree.folder(folder / "drivers")
        users = self._users.setdefault(module, 0)
        self._kernel.tree.attributes(folder, {"initstate": "live", "refcnt": users})

    def _remove_folder(self, module: str) -> None:
        del self._users[module]
        self._kernel.tree.fell(self._kernel.tree.sysfs / "module" / module)

    def _register(self, name: str, module: str) -> None:
        tree = self._kernel.tree
        folder = tree.folder(tree.sysfs / "bus/pci/drivers" / name)
        tree.attributes(folder, dict.fromkeys(("bind", "unbind", "new_id", "remove_id", "uevent"), ""), WRITE)
        tree.link(folder / "module", tree.sysfs / "module" / module)
        tree.link(tree.sysfs / "module" / module / "drivers" / f"pci:{name}", folder)
        driver = self._kernel.drivers[name] = Driver(name=name, module=module, folder=folder)
        self._kernel.binding.offer_all(driver)
        self._kernel.uevents.emit("add", f"/bus/pci/drivers/{name}", "drivers")

    def _unregister(self, name: str) -> None:
        driver = self._kernel.drivers.pop(name)
        for device in tuple(self._kernel.devices.values()):
            if device.driver is driver:
                self._kernel.binding.unbind(device)
        self._kernel.tree.fell(driver.folder)
        self._kernel.uevents.emit("remove", f"/bus/pci/drivers/{name}", "drivers")

    def _is_there(self, module: str) -> bool:
        return (self._kernel.tree.sysfs / "module" / module).exists()

    def _show_loaded(self) -> None:
        """As /proc/modules has it: what is built in is not in it."""
        built_in = {spec.name for spec in self._specs.values() if spec.state is ModuleState.BUILT_IN}
        lines = [
            f"{name} 16384 {users} - Live 0x0000000000000000\n"
            for name, users in reversed(self._users.items())
            if name not in built_in
        ]
        self._kernel.tree.attribute(self._kernel.tree.proc / "modules", "".join(lines).encode())
