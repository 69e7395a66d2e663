"""Network interfaces in use, beyond what the contract suite shows on real kernels."""

from __future__ import annotations

import os

import pytest

from tests.support.sysfs_tree import GPU, VIRTIO_NET
from tests.unit.adapters.sysfs.host import DEVICES, Host


CARD = "0000:01:00.0"
DEFAULT = "eth0\t00000000\t0102000A\t0003\t0\t0\t0\t00000000\t0\t0\t0"
NONE_6 = "0" * 32


@pytest.fixture
def nic(host: Host) -> str:
    host.tree.plug(CARD, driver="e1000e")
    host.interface(CARD, "eth0")
    return "eth0"


def test_an_interface_that_nobody_uses_has_no_uses(host: Host, nic: str) -> None:
    host.add("1/net/route", DEFAULT.replace(nic, "eth1"))

    assert host.uses(CARD) == []


def test_a_master_is_told_once(host: Host, nic: str) -> None:
    """It is also among the links to what is above."""
    host.tree.virtual_interface("bond0")
    host.tree.put_on(nic, "bond0", is_master=True)

    assert host.uses(CARD) == ["eth0 belongs to bond0"]


def test_all_that_is_on_an_interface_is_told(host: Host, nic: str) -> None:
    for upper in ("eth0.5", "macvtap0"):
        host.tree.virtual_interface(upper)
        host.tree.put_on(nic, upper)

    assert host.uses(CARD) == ["eth0 carries eth0.5", "eth0 carries macvtap0"]


def test_routes_of_both_families_are_told(host: Host, nic: str) -> None:
    host.add("1/net/route", DEFAULT)
    host.add("1/net/ipv6_route", f"{NONE_6} 00 {NONE_6} 00 {NONE_6} 00000400 00000001 00000000 00000003 {nic:>8}")

    assert host.uses(CARD) == [f"{family} routes go through eth0: the default route" for family in ("IPv4", "IPv6")]


@pytest.mark.parametrize("name", [b"eth\xff", "größe".encode()])
def test_an_interface_counts_whatever_its_name(host: Host, name: bytes) -> None:
    """The kernel takes almost any bytes; those that are no text are told as such."""
    host.tree.plug(CARD, driver="e1000e")
    host.interface(CARD, os.fsdecode(name))
    with (host.proc / "1/net/route").open("ab") as file:
        file.write(DEFAULT.encode().replace(b"eth0", name) + b"\n")

    assert host.uses(CARD) == [f"IPv4 routes go through {name.decode(errors='replace')}: the default route"]


def test_each_interface_below_a_device_counts(host: Host, nic: str) -> None:
    host.interface(CARD, "eth1")
    host.add("1/net/route", DEFAULT.replace(nic, "eth1"))

    assert host.uses(CARD) == ["IPv4 routes go through eth1: the default route"]


def test_a_host_without_ipv6_has_no_tables_of_it(host: Host, nic: str) -> None:
    """As with ipv6.disable=1."""
    for name in ("ipv6_route", "if_inet6"):
        (host.proc / "1/net" / name).unlink()
    host.add("1/net/route", DEFAULT)

    assert host.uses(CARD) == [f"IPv4 routes go through {nic}: the default route"]


@pytest.mark.usefixtures("nic")
@pytest.mark.parametrize("name", ["route", "ipv6_route", "if_inet6"])
def test_a_table_that_is_not_there_is_an_error(host: Host, name: str) -> None:
    """Also one of IPv6, where the other is there."""
    (host.proc / "1/net" / name).unlink()

    with pytest.raises(FileNotFoundError, match=name):
        host.uses(CARD)


@pytest.mark.usefixtures("nic")
@pytest.mark.parametrize("name", ["route", "ipv6_route", "if_inet6"])
def test_a_table_that_makes_no_sense_is_an_error(host: Host, name: str) -> None:
    host.write(f"1/net/{name}", "garbage\n")

    with pytest.raises(OSError, match=name):
        host.uses(CARD)


@pytest.mark.usefixtures("nic")
def test_an_interface_that_proc_does_not_have_is_an_error(host: Host) -> None:
    """It is the proc of another network namespace, where no interface has routes."""
    host.write("1/net/dev", DEVICES + "    lo: 0 0\n veth0: 0 0\n")

    with pytest.raises(OSError, match=r"no eth0.*net/dev"):
        host.uses(CARD)


@pytest.mark.usefixtures("nic")
def test_an_interface_that_is_up_and_proc_does_not_have_is_an_error_for_all(host: Host) -> None:
    """A container's only interface may have the same name as the host's."""
    host.virtual_interface("cali1", up=True)
    host.write("1/net/dev", DEVICES + "    lo: 0 0\n  eth0: 0 0\n")

    with pytest.raises(OSError, match=r"no cali1.*net/dev"):
        host.uses(CARD)


@pytest.mark.usefixtures("nic")
def test_an_interface_that_is_about_to_go_is_no_error(host: Host) -> None:
    """It goes from proc first; nor is what holds the names of bonds an interface."""
    host.virtual_interface("cali1")
    host.write("1/net/dev", DEVICES + "    lo: 0 0\n  eth0: 0 0\n")
    (host.tree.root / "class/net/bonding_masters").write_text("\n")

    assert host.uses(CARD) == []


@pytest.mark.usefixtures("nic")
def test_an_interface_that_the_scan_has_overlooked_is_an_error(host: Host) -> None:
    """Such as one that was renamed meanwhile."""
    (host.tree[CARD] / "net/eth1").mkdir()

    with pytest.raises(OSError, match="eth1"):
        host.uses(CARD)


def test_an_interface_below_a_part_of_the_device_that_the_scan_has_overlooked_is_an_error(host: Host) -> None:
    (host.tree.plug(CARD, GPU, driver="mlx5_core") / "mlx5_core.sf.2/net/eth1").mkdir(parents=True)

    with pytest.raises(OSError, match="eth1"):
        host.uses(CARD)


def test_interfaces_of_other_devices_to_which_there_are_links_do_not_count(host: Host) -> None:
    """A virtual function has a link to its physical one."""
    host.tree.plug(CARD, driver="igb")
    host.interface(CARD, "eth0")
    host.tree.virtual_function(CARD, "0000:01:10.0")
    host.tree.bind("0000:01:10.0", "igbvf")

    assert host.uses("0000:01:10.0") == []


@pytest.mark.parametrize("through", ["", "virtio3", "mlx5_core.sf.2"])
def test_a_nic_whose_interface_is_not_to_be_seen_is_in_use(host: Host, through: str) -> None:
    """A container has it; or we were given the sysfs of one, where class/net is all but empty."""
    folder = host.tree.plug(CARD, VIRTIO_NET, driver="virtio-pci")
    (folder / through / "net").mkdir(parents=True)

    assert host.uses(CARD) == [
        f"the network interface of {CARD} is in another network namespace, or sysfs is not the host's"
    ]


def test_a_nic_without_a_driver_is_not_in_use(host: Host) -> None:
    host.tree.plug(CARD)

    assert host.uses(CARD) == []


def test_a_nic_whose_driver_makes_no_interfaces_is_not_in_use(host: Host) -> None:
    """On vfio-pci, for instance."""
    host.tree.plug(CARD, driver="vfio-pci")

    assert host.uses(CARD) == []
