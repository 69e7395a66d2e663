"""One PCI function and what Linux does with it, in memory: the rules of drivers/pci/pci-driver.c that claims meet."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import assert_never

from pcidevices.domain.address import PciAddress
from pcidevices.domain.device import PciDevice, Unreadable, is_vfio_name
from pcidevices.domain.sight import Holder, HostUse, Sight, VfioDriver
from pcidevices.domain.steps import Bind, ClearOverride, LoadModule, Probe, SetOverride, Step, Unbind
from pcidevices.errors import DriverMissing, SysfsWriteFailed, WriteTimedOut


MODULES = {"vfio_pci": "vfio-pci", "mlx5_vfio_pci": "mlx5_vfio_pci", "odd_vfio_pci": "odd-one"}
"""A driver for each module."""
_NAMED_OTHERWISE = frozenset(name for name in MODULES.values() if not is_vfio_name(name))


@dataclass
class TinyKernel:
    """
    Implements the port `Control` for one device. The simulated node does the same at length, in files.

    *knows* are the host drivers that know the device; the kernel asks them in this order.
    """

    device: PciDevice | None
    knows: tuple[str, ...] = ()
    drivers: set[str] = field(default_factory=set)
    modules: set[str] = field(default_factory=lambda: {"vfio_pci"})
    """Those for virtual machines that can be loaded."""
    host_modules_are_gone: bool = False
    vfio_module: str = "vfio_pci"
    override: str | None = None
    held: bool = False
    hangs: bool = False
    """Somebody holds the device, and the look cannot tell."""
    others: tuple[PciDevice, ...] = ()
    virtual_functions: tuple[PciDevice | Unreadable, ...] = ()
    uses: tuple[str, ...] = ()
    machine: str | None = None
    is_silent: bool = False
    tells_no_serial: bool = False
    under_way: str | None = None
    taken: list[Step] = field(default_factory=list)

    def sight(self, address: PciAddress) -> Sight:
        device = self.device
        present = device is not None and device.address == address
        vfio = {name for name in self.drivers if name in MODULES.values()}
        name = MODULES[self.vfio_module]
        is_held = self.held and device is not None and (device.driver in vfio or device.driver is None)
        return Sight(
            address=address,
            device=device if present else None,
            others=self.others,
            virtual_functions=self.virtual_functions,
            override=self.override,
            modalias="pci:v00",
            is_silent=self.is_silent,
            serial_is_unanswered=self.tells_no_serial,
            write_under_way=self.under_way,
            host_uses=tuple(map(HostUse, self.uses)) if device and device.driver not in vfio else (),
            holders=(Holder(address, "process 4711 (qemu-system-x86)"),) if is_held else (),
            vfio=VfioDriver(module=self.vfio_module, name=name if name in vfio else None),
            drivers=frozenset(self.drivers),
            vfio_drivers=frozenset(vfio),
            machine=self.machine,
        )

    def do(self, step: Step) -> None:
        self.taken.append(step)
        if self.under_way:
            raise WriteTimedOut(f"{self.under_way} has not returned")
        match step:
            case LoadModule(name):
                self._load(name)
            case SetOverride(_, driver):
                self._set_override(driver)
            case ClearOverride():
                self.override = None
            case Unbind(_, driver):
                self._unbind(driver)
            case Bind(_, driver):
                self._bind(driver)
            case Probe():
                self._probe()
            case _:
                assert_never(step)

    async def look(self, address: PciAddress) -> Sight:
        return self.sight(address)

    async def take(self, step: Step) -> None:
        self.do(step)

    @property
    def driver(self) -> str | None:
        assert self.device is not None
        return self.device.driver

    def reboot(self) -> None:
        """Nothing of what was written to sysfs outlives the device; its host driver is there first."""
        self.override, self.under_way, self.held = None, None, False
        self.drivers = set(self.knows)
        self._give_to(None)
        self._probe()

    def release(self) -> None:
        """The virtual machine ends, and an unbind that slept for that returns."""
        self.held = self.hangs = False
        self.under_way = None

    def _load(self, name: str) -> None:
        """`modprobe`: a vfio module by its name, or those of the host by the device's alias. New drivers are tried."""
        before = set(self.drivers)
        if name.startswith("pci:"):
            self.drivers.update(() if self.host_modules_are_gone else self.knows)
        elif name in self.modules:
            self.drivers.add(MODULES[name])
        else:
            raise DriverMissing(f"module {name} is not there")
        self._probe(self.drivers - before)

    def _set_override(self, driver: str) -> None:
        if driver not in self.drivers:  # here it is the port that refuses
            raise DriverMissing(f"driver {driver} is not there")
        self.override = driver

    def _unbind(self, driver: str) -> None:
        if self.driver != driver:
            raise SysfsWriteFailed(f"{driver}/unbind: no such device (ENODEV)")
        self._give_to(None)
        if (self.held or self.hangs) and driver in MODULES.values():
            self.under_way = f"unbind from {driver}"
            self.held = True
            raise WriteTimedOut(f"{self.under_way} has not returned")

    def _bind(self, driver: str) -> None:
        if driver not in self.drivers:
            raise DriverMissing(f"driver {driver} is not there")
        if self.driver is not None:
            raise SysfsWriteFailed(f"{driver}/bind: busy (EBUSY)")
        if not self._matches(driver):
            raise SysfsWriteFailed(f"{driver}/bind: no such device (ENODEV)")
        self._give_to(driver)

    def give_to_the_host(self) -> None:
        """As when the module of a host driver has just been loaded."""
        self._probe()

    def _probe(self, drivers: set[str] | None = None) -> None:
        """Try these, or all that there are."""
        if self.device is not None and self.driver is None:
            candidates = (self.override,) if self.override else self.knows
            tried = self.drivers if drivers is None else drivers
            self._give_to(next((name for name in candidates if name in tried), None))

    def _matches(self, driver: str) -> bool:
        return driver == self.override if self.override else driver in self.knows

    def _give_to(self, driver: str | None) -> None:
        assert self.device is not None
        self.device = replace(self.device, driver=driver, is_vfio_by_module=driver in _NAMED_OTHERWISE)
