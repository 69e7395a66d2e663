"""
A node's specification from YAML; every error names the entry and says what is wrong with it.

Scalars are taken as the text that was written: YAML itself would read 0000:00:03.0 as a number to the base of sixty.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from pathlib import Path

import yaml

from pcidevices.sim.node.address import Address
from pcidevices.sim.node.module_names import driver_in, is_always_built_in, module_of
from pcidevices.sim.node.parse_device import parse_device
from pcidevices.sim.node.reading import Entry, SpecError, boolean, number
from pcidevices.sim.node.spec import DeviceSpec, ModuleSpec, ModuleState, NodeSpec


def load_spec(source: Path | str) -> NodeSpec:
    """The specification in a file (a path) or in a text."""
    try:
        text = source.read_text(encoding="utf-8") if isinstance(source, Path) else source
        content = yaml.load(text, Loader=_Loader)  # noqa: S506 - it makes text, lists and mappings, nothing else
    except UnicodeDecodeError as error:
        raise SpecError(f"not text in UTF-8: {error}") from error
    except yaml.YAMLError as error:
        raise SpecError(f"not YAML: {error}") from error
    except RecursionError as error:
        raise SpecError("nested too deeply") from error
    entry = Entry("node", content)
    devices = _devices(entry)
    spec = NodeSpec(
        devices=devices,
        modules=_modules(entry.entry("modules"), devices),
        numa=_numa(entry.entry("numa")),
        iommu=entry.take("iommu", boolean, default=True),
        kernel=entry.take("kernel", _kernel, "6.12"),
    )
    entry.end()
    _check(spec)
    return spec


def _devices(entry: Entry) -> dict[Address, DeviceSpec]:
    devices = entry.entry("devices") or Entry("node: devices", {})
    specs = {}
    for name, content in devices.rest().items():
        try:
            address = Address.parse(name)
        except ValueError as error:
            raise SpecError(f"devices: {error}") from error
        specs[address] = parse_device(address, Entry(name, content))
    return dict(sorted(specs.items()))


def _modules(entry: Entry | None, devices: dict[Address, DeviceSpec]) -> dict[str, ModuleSpec]:
    modules = {"vfio_pci": ModuleSpec(name="vfio_pci", state=ModuleState.LOADABLE, drivers=("vfio-pci",))}
    for name, content in ({} if entry is None else entry.rest()).items():
        detail = Entry(f"modules: {name}", content if isinstance(content, dict) else {"state": content})
        module = name.replace("-", "_")
        usual: tuple[str, ...] = (driver_in(module),)
        drivers = detail.take("drivers", _words, usual)
        state = detail.take("state", ModuleState, ModuleState.LOADED)
        detail.end()
        modules[module] = ModuleSpec(name=module, state=state, drivers=drivers)
    provided = {driver for module in modules.values() for driver in module.drivers}
    for driver in sorted(_named(devices) - provided):
        module = module_of(driver)
        modules[module] = ModuleSpec(name=module, state=_state_of(driver), drivers=(driver,))
    return modules


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


def _state_of(driver: str) -> ModuleState:
    return ModuleState.BUILT_IN if is_always_built_in(driver) else ModuleState.LOADED


def _named(devices: dict[Address, DeviceSpec]) -> set[str]:
    own = {device.driver for device in devices.values()}
    virtual = {device.sriov.driver for device in devices.values() if device.sriov}
    return {driver for driver in own | virtual if driver is not None}


def _numa(entry: Entry | None) -> dict[int, str]:
    content = {"0": "0-3"} if entry is None else entry.rest()
    try:
        return {number(node): str(cpus) for node, cpus in content.items()}
    except ValueError as error:
        raise SpecError(f"numa: {error}") from error


def _kernel(text: str) -> str:
    if text not in ("6.1", "6.12"):
        raise ValueError(f"{text!r} is none of the measured kernels 6.1 and 6.12")
    return text


def _check(spec: NodeSpec) -> None:
    for address, device in spec.devices.items():
        if device.numa_node >= 0 and device.numa_node not in spec.numa:
            raise SpecError(f"{address}: numa: there is no node {device.numa_node}")
        if address.function and Address(address.domain, address.bus, address.slot, 0) not in spec.devices:
            raise SpecError(f"{address}: a slot without function 0 is not seen by any kernel")
    _check_names(spec.devices.values())


def _check_names(devices: Iterable[DeviceSpec]) -> None:
    taken: dict[str, Address] = {}
    for device in devices:
        for name in (*(net.name for net in device.nets), *(disk.name for disk in device.disks if disk.name)):
            if name in taken:
                raise SpecError(f"{device.address}: {name} is the name of what {taken[name]} has")
            taken[name] = device.address


class _Loader(yaml.BaseLoader):
    """All scalars as text; a name given twice is refused, since YAML would drop the first."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, object]:  # noqa: FBT001, FBT002 - PyYAML's signature
        names: set[str] = set()
        for key, _ in node.value:
            if key.value in names:
                raise SpecError(f"{key.value}: given twice, again in line {key.start_mark.line + 1}")
            names.add(key.value)
        return super().construct_mapping(node, deep=deep)
