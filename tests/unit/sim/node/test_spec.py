"""A specification is YAML that a person writes: its errors say where and what."""

from __future__ import annotations

from pathlib import Path

import pytest

from pcidevices.sim.node import Address, Ids, ModuleState, SpecError, builtin_spec, load_spec


NIC = "devices: {0000:00:03.0: {id: 8086:10d3, class: 0200, driver: e1000e%s}}"


def test_a_device_needs_no_more_than_an_id_and_a_class() -> None:
    spec = load_spec("devices: {0000:00:03.0: {id: 8086:10d3, class: 0200}}")

    (device,) = spec.devices.values()
    assert device.address == Address(0, 0, 3, 0)
    assert device.ids == device.subsystem == Ids(0x8086, 0x10D3)
    assert device.class_code == 0x020000
    assert (device.driver, device.numa_node, device.bridge) == (None, -1, None)


def test_a_specification_comes_from_a_file_too(tmp_path: Path) -> None:
    path = tmp_path / "node.yaml"
    path.write_text(NIC % "")

    assert load_spec(path) == load_spec(NIC % "")


def test_addresses_need_no_quotes() -> None:
    """YAML would read 0000:00:10.0 as a number to the base of sixty, and 0200 as an octal one."""
    spec = load_spec("devices: {0000:00:10.0: {id: 0010:0200, class: 0200}}")

    assert [str(address) for address in spec.devices] == ["0000:00:10.0"]
    assert spec.devices[Address(0, 0, 0x10, 0)].ids == Ids(0x10, 0x200)


def test_drivers_bring_their_modules() -> None:
    """A driver that is named is loaded, ports are built in, vfio-pci waits to be loaded."""
    spec = load_spec(NIC % ", bridge: {buses: 01}, numa: 0")
    port = load_spec("devices: {0000:00:03.0: {id: 8086:2030, class: 0604, bridge: {buses: 01}}}")

    assert spec.modules["e1000e"].state is ModuleState.LOADED
    assert port.modules["pcieportdrv"].state is ModuleState.BUILT_IN
    assert spec.modules["vfio_pci"].state is ModuleState.LOADABLE


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[]", "node: expected names and values"),
        ("{", "not YAML"),
        ("colour: red", "node: unknown: colour"),
        ("devices: {00:03.0: {}}", "devices: '00:03.0' is no PCI address"),
        ("devices: {0000:00:03.0: {class: 0200}}", "0000:00:03.0: id is missing"),
        ("devices: {0000:00:03.0: {id: intel, class: 0200}}", "0000:00:03.0: id: 'intel' is no pair of ids"),
        ("devices: {0000:00:03.0: {id: 8086:10d3, class: 2}}", "0000:00:03.0: class: '2' is no class"),
        ("devices: {0000:00:03.1: {id: 8086:10d3, class: 0200}}", "0000:00:03.1: a slot without function 0"),
        (NIC % ", driver: x", "driver: given twice, again in line 1"),
        (NIC % ", numa: 7", "0000:00:03.0: numa: there is no node 7"),
        (NIC % ", numa: one", "0000:00:03.0: numa: 'one' is no number"),
        (NIC % ", speed: 10", "0000:00:03.0: unknown: speed"),
        (NIC % ", boot-vga: maybe", "0000:00:03.0: boot-vga: 'maybe' is neither yes nor no"),
        (NIC % ", bridge: {buses: 3c-3b}", "0000:00:03.0: bridge: buses: '3c-3b' is no range of buses"),
        (NIC % ", sriov: {total: 2, vfs: 3, id: 8086:10ca}", "0000:00:03.0: sriov: vfs 3, limit 2, total 2"),
        (NIC % ", net: {up: yes}", "0000:00:03.0: net: name is missing"),
        (NIC % ", net: [{name: a}, {name: a}]", "0000:00:03.0: a is the name of what 0000:00:03.0 has"),
        (NIC % ", disk: {kind: floppy}", "0000:00:03.0: disk: kind: 'floppy' is none of nvme, virtio, ata"),
        (NIC % ", disk: {kind: nvme, partitions: {1: boot}}", "partitions: 'boot' is no use; write a path, swap, dm"),
        (NIC % ", disk: {kind: nvme, partitions: {1: dm }}", "partitions: 'dm' is no use"),
        (NIC % ", net: {name: a, up: yes, address: 10.0.0.1}", "net: address: '10.0.0.1' has no length"),
        (NIC % ", net: {name: a, up: yes, address: 10.0.0.300/8}", "net: address: '10.0.0.300/8' does not appear"),
        (NIC % ", net: {name: a, up: yes, gateway: router}", "net: gateway: 'router' does not appear"),
        (NIC % ", net: {name: a, address: 10.0.0.1/8}", "net: address, gateway and upper need up: yes"),
        (NIC % ", serial: 1234", "0000:00:03.0: serial: '1234' is no serial number"),
        ("modules: {e1000e: gone}", "modules: e1000e: state: 'gone' is not a valid ModuleState"),
        ("kernel: '2.4'", "node: kernel: '2.4' is none of the measured kernels"),
    ],
)
def test_an_error_names_the_entry_and_what_is_wrong(text: str, message: str) -> None:
    with pytest.raises(SpecError) as caught:
        load_spec(text)

    assert message in str(caught.value)


def test_addresses_count_on_over_the_end_of_a_slot_and_of_a_bus() -> None:
    """Where virtual functions are found: so many routing ids after the physical one."""
    address = Address.parse("0000:04:00.0")

    assert str(address.after(128)) == "0000:04:10.0"
    assert str(address.after(0x101)) == "0000:05:00.1"


def test_the_builtin_specification_has_what_there_is_to_show() -> None:
    """A pair of the same, a GPU with audio, a bridge that blocks, virtual functions, two NUMA nodes."""
    devices = builtin_spec().devices.values()

    assert {device.numa_node for device in devices} == {0, 1}
    assert sum(device.ids == Ids(0x10DE, 0x1C02) for device in devices) == 2
    assert any(device.sriov is not None and device.sriov.vfs for device in devices)
    assert any(device.boot_vga for device in devices)
    assert any(disk.partitions for device in devices for disk in device.disks)
