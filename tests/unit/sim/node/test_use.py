"""What the host of a simulated node does with disks and interfaces: from the specification, and while it runs."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest

from pcidevices.sim.node import SimulatedNode
from tests.unit.sim.node.conftest import MakeNode


NIC = "devices: {0000:00:03.0: {id: 8086:10d3, class: 0200, driver: e1000e, net: {name: eth0, up: yes%s}}}"
DISK = "devices: {0000:00:08.0: {id: 8086:2922, class: 010601, driver: ahci, disk: {kind: ata, name: sda%s}}}"
NIC_AT, DISK_AT = "0000:00:03.0", "0000:00:08.0"


def proc(node: SimulatedNode, name: str) -> str:
    return (node.proc / name).read_text()


def unbind(node: SimulatedNode, address: str) -> None:
    node.write(node.sysfs / f"bus/pci/devices/{address}/driver/unbind", address)


def rebind(node: SimulatedNode, address: str) -> None:
    unbind(node, address)
    node.write(node.sysfs / "bus/pci/drivers_probe", address)


def test_a_mounted_partition_is_in_the_table_and_below_its_file_system(make_node: MakeNode) -> None:
    node = make_node(DISK % ", partitions: {1: /boot}")
    numbers = (node.sysfs / "class/block/sda1/dev").read_text().strip()

    assert f" {numbers} / /boot " in proc(node, "1/mountinfo")
    assert "/dev/sda1 /boot ext4" in proc(node, "mounts")
    assert (node.sysfs / "fs/ext4/sda1").is_dir()


def test_a_partition_is_mounted_and_unmounted_while_the_node_runs(make_node: MakeNode) -> None:
    node = make_node(DISK % ", partitions: {1: ''}")

    node.mount("sda1", "/a b")
    mounted = proc(node, "1/mountinfo")
    node.unmount("/a b")

    assert r" / /a\040b rw,relatime shared:1 - ext4 /dev/sda1 rw" in mounted
    assert "sda1" not in proc(node, "1/mountinfo")
    assert not (node.sysfs / "fs/ext4/sda1").exists()


def test_a_file_system_is_open_until_its_last_mount_is_gone(make_node: MakeNode) -> None:
    node = make_node(DISK % "")
    node.mount("sda", "/a")
    node.mount("sda", "/b")

    node.unmount("/a")

    assert (node.sysfs / "fs/ext4/sda").is_dir()
    assert proc(node, "1/mountinfo").count("/dev/sda ") == 1


def test_what_is_not_there_cannot_be_mounted_or_unmounted(make_node: MakeNode) -> None:
    node = make_node(DISK % "")

    with pytest.raises(FileNotFoundError):
        node.mount("sdb", "/srv")
    with pytest.raises(OSError, match="Invalid argument"):
        node.unmount("/srv")


def test_a_mount_and_swap_space_outlive_their_disk(make_node: MakeNode) -> None:
    """The kernel refuses no unbind for them; the swap space is called deleted from then on."""
    node = make_node(DISK % ", partitions: {1: /srv, 2: swap}")
    before = proc(node, "1/mountinfo")

    rebind(node, DISK_AT)

    assert proc(node, "1/mountinfo") == before
    assert r"/dev/sda2\040(deleted) partition" in proc(node, "swaps")
    assert (node.sysfs / "fs/ext4/sda1").is_dir()


def test_partitions_may_be_parts_of_what_is_mapped(make_node: MakeNode) -> None:
    node = make_node(DISK % ", partitions: {1: dm vg0-root, 2: dm vg0-root, 3: dm vg0-home}")
    mapped = node.sysfs / "class/block/dm-0"

    assert (mapped / "dm/name").read_text() == "vg0-root\n"
    assert sorted(path.name for path in (mapped / "slaves").iterdir()) == ["sda1", "sda2"]
    for name in ("sda1", "sda2"):
        assert (node.sysfs / f"class/block/{name}/holders/dm-0").resolve() == mapped.resolve()


def test_what_was_mapped_can_be_taken_apart_after_its_disk_has_gone(make_node: MakeNode) -> None:
    node = make_node(DISK % ", partitions: {1: dm vg0-root}")
    unbind(node, DISK_AT)

    node.storage.unmap("vg0-root")

    assert list((node.sysfs / "class/block").iterdir()) == []


def test_addresses_and_routes_are_in_proc(make_node: MakeNode) -> None:
    """As are those of the link, which every interface has that is up."""
    node = make_node(NIC % ", address: 10.0.2.15/24 2001:db8::15/64, gateway: 10.0.2.2")

    routes = [line.split()[:8] for line in proc(node, "net/route").splitlines()[1:]]
    assert routes == [
        ["eth0", "0002000A", "00000000", "0001", "0", "0", "0", "00FFFFFF"],
        ["eth0", "00000000", "0202000A", "0003", "0", "0", "0", "00000000"],
    ]
    assert "20010db8000000000000000000000015 02 40 00 80     eth0" in proc(node, "net/if_inet6")
    assert [line[:4] for line in proc(node, "1/net/if_inet6").splitlines()] == ["0000", "2001", "fe80"]
    assert [line.split()[-1] for line in proc(node, "net/ipv6_route").splitlines()] == ["lo", *["eth0"] * 5]


def test_interfaces_and_their_ipv4_addresses_are_in_proc(make_node: MakeNode) -> None:
    """The addresses without their interfaces; what has gone to another namespace is in neither table."""
    node = make_node(NIC % ", address: 10.0.2.15/24")

    def shown() -> tuple[list[str], list[str]]:
        words = proc(node, "1/net/fib_trie").split()
        names = [line.partition(":")[0].strip() for line in proc(node, "1/net/dev").splitlines()[2:]]
        return [after for word, after in pairwise(words) if word == "|--"], names

    before = shown()
    node.network.send_away("eth0")
    while_away = shown()
    node.network.call_back("eth0")

    assert before == (["127.0.0.1", "10.0.2.15"], ["lo", "eth0"])
    assert while_away == (["127.0.0.1"], ["lo"])
    assert shown() == (["127.0.0.1"], ["lo", "eth0"])


def test_a_gateway_may_be_of_ipv6(make_node: MakeNode) -> None:
    node = make_node(NIC % ", address: 2001:db8::15/64, gateway: 2001:db8::1")

    (default,) = (line for line in proc(node, "net/ipv6_route").splitlines() if line.startswith("0" * 32 + " 00"))
    assert default.split()[4] == "20010db8000000000000000000000001"


def test_all_use_of_an_interface_goes_with_its_driver(make_node: MakeNode) -> None:
    """And does not come back with it."""
    node = make_node(NIC % ", address: 10.0.2.15/24, master: bond0, upper: eth0.5 macvtap0")
    interface = node.sysfs / "class/net/eth0"
    before = sorted(path.name for path in interface.iterdir() if path.name.startswith(("upper_", "master")))

    rebind(node, NIC_AT)

    assert before == ["master", "upper_bond0", "upper_eth0.5", "upper_macvtap0"]
    assert not any(path.name.startswith(("upper_", "master")) for path in interface.iterdir())
    assert "eth0" not in proc(node, "net/route")
    assert sorted(path.name for path in (node.sysfs / "class/net").iterdir()) == ["bond0", "eth0", "lo"]
    assert not (node.sysfs / "class/net/bond0/lower_eth0").is_symlink()


def test_an_interface_in_another_namespace_leaves_its_empty_folder(make_node: MakeNode) -> None:
    """With a new driver it is back in the host's."""
    node = make_node(NIC % ", address: 10.0.2.15/24, elsewhere: yes")
    folder = node.sysfs / f"bus/pci/devices/{NIC_AT}/net"

    def names(path: Path) -> list[str]:
        return [entry.name for entry in path.iterdir()]

    assert (names(folder), names(node.sysfs / "class/net")) == ([], ["lo"])
    assert "eth0" not in proc(node, "net/route")
    unbind(node, NIC_AT)
    assert not folder.exists()
    node.write(node.sysfs / "bus/pci/drivers_probe", NIC_AT)
    assert names(folder) == ["eth0"]
