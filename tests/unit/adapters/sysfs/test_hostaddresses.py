"""IPv4 addresses that the main table of routes does not show."""

from __future__ import annotations

import pytest

from pcidevices.adapters.sysfs.addresstables import OnLink
from pcidevices.adapters.sysfs.hostaddresses import address_uses
from tests.unit.adapters.sysfs.host import Host


CARD = "0000:01:00.0"
IN_ANOTHER_TABLE = """Id 200:
  +-- 0.0.0.0/4 2 0 2
     |-- 0.0.0.0
        /0 universe UNICAST
     |-- 10.9.0.0
        /24 link UNICAST
"""


@pytest.fixture(autouse=True)
def nic(host: Host) -> None:
    host.tree.plug(CARD, driver="e1000e")
    host.interface(CARD, "eth0", up=True)


def local(*addresses: str) -> str:
    """The table of the host's own addresses."""
    return "Local:\n  +-- 0.0.0.0/0 3 0 5\n" + "".join(
        f"     |-- {address}\n        /32 host LOCAL\n" for address in ("127.0.0.1", *addresses)
    )


def perhaps(told: str) -> list[str]:
    where = "perhaps on eth0, which is up: see `ip -4 address show dev eth0`"
    return [f"the host has the address {told}, {where}, and set it down if nothing needs it"]


def other(host: Host, name: str, kind: str = "1", devtype: str = "") -> None:
    """A virtual interface that is up."""
    host.virtual_interface(name, up=True)
    folder = host.tree.root / "class/net" / name
    (folder / "type").write_text(f"{kind}\n")
    (folder / "uevent").write_text(f"DEVTYPE={devtype}\nINTERFACE={name}\n" if devtype else f"INTERFACE={name}\n")


def test_an_address_whose_subnet_is_in_another_table_may_be_anywhere(host: Host) -> None:
    """As NetworkManager's ipv4.route-table makes it."""
    host.write("1/net/fib_trie", IN_ANOTHER_TABLE + local("10.9.0.5"))

    assert host.uses(CARD) == perhaps("10.9.0.5")


def test_one_of_two_addresses_in_a_subnet_may_be_on_the_interface_without_a_route(host: Host) -> None:
    """Two interfaces of one subnet are why there are other tables."""
    host.interface(CARD, "eth1", up=True)
    host.route("eth1", "10.9.0.0/24")
    host.write("1/net/fib_trie", IN_ANOTHER_TABLE + local("10.9.0.5", "10.9.0.6"))

    assert perhaps("10.9.0.5 or 1 more")[0] in host.uses(CARD)


def test_a_route_in_the_main_table_that_is_nearer_than_those_of_others_explains_an_address(host: Host) -> None:
    """A VPN's own table may have half of the world."""
    other(host, "br0")
    host.route("br0", "10.9.0.0/25")
    host.write("1/net/fib_trie", IN_ANOTHER_TABLE + local("10.9.0.5"))

    assert host.uses(CARD) == []


def test_a_wider_route_in_the_main_table_does_not(host: Host) -> None:
    other(host, "wg0", "65534", "wireguard")
    host.route("wg0", "10.0.0.0/8")
    host.write("1/net/fib_trie", IN_ANOTHER_TABLE + local("10.9.0.5"))

    assert host.uses(CARD) == perhaps("10.9.0.5")


def test_an_address_without_a_subnet_may_be_anywhere(host: Host) -> None:
    host.write("1/net/fib_trie", local("10.77.0.1", "10.77.0.2"))

    assert host.uses(CARD) == perhaps("10.77.0.1 or 1 more")


@pytest.mark.parametrize(("kind", "devtype"), [("65534", ""), ("65534", "wireguard"), ("1", "vxlan"), ("768", "")])
def test_a_tunnel_has_one_such_address(host: Host, kind: str, devtype: str) -> None:
    """Tailscale, WireGuard, flannel, Calico."""
    other(host, "tunnel", kind, devtype)
    host.write("1/net/fib_trie", local("10.42.0.0"))
    assert host.uses(CARD) == []

    host.write("1/net/fib_trie", local("10.42.0.0", "10.77.0.1"))
    assert host.uses(CARD) == perhaps("10.42.0.0 or 1 more")


def test_a_tunnel_with_a_subnet_of_its_own_has_none(host: Host) -> None:
    other(host, "wg0", "65534", "wireguard")
    host.route("wg0", "10.8.0.0/24")
    host.write("1/net/fib_trie", local("10.8.0.1", "10.77.0.1"))

    assert host.uses(CARD) == perhaps("10.77.0.1")


def test_a_tunnel_that_is_down_has_none(host: Host) -> None:
    other(host, "wg0", "65534", "wireguard")
    (host.tree.root / "class/net/wg0/flags").write_text("0x1002\n")
    host.write("1/net/fib_trie", local("10.77.0.1"))

    assert host.uses(CARD) == perhaps("10.77.0.1")


def test_an_interface_with_a_gateway_has_one_such_address(host: Host) -> None:
    """As in clouds: a host's address, and a route to the gateway alone."""
    other(host, "uplink")
    host.route("uplink", "10.128.0.1/32")
    host.route("uplink", "0.0.0.0/0", gateway=True)
    host.write("1/net/fib_trie", local("10.128.0.5"))

    assert host.uses(CARD) == []


def test_an_interface_that_only_leads_to_containers_has_none(host: Host) -> None:
    other(host, "cali1")
    host.route("cali1", "10.52.0.9/32")
    host.write("1/net/fib_trie", local("10.77.0.1"))

    assert host.uses(CARD) == perhaps("10.77.0.1")


def test_addresses_in_subnets_of_the_main_table_are_no_use_of_others(host: Host) -> None:
    """Bridges of containers, and a second address in the node's own subnet."""
    for name, network in (("docker0", "172.17.0.0/16"), ("br0", "192.168.2.0/24")):
        other(host, name)
        host.route(name, network)
    host.write("1/net/fib_trie", "Main:\n" + local("172.17.0.1", "192.168.2.5", "192.168.2.200"))

    assert host.uses(CARD) == []


def test_a_default_route_without_a_gateway_explains_nothing(host: Host) -> None:
    other(host, "br0")
    host.route("br0", "0.0.0.0/0")
    host.write("1/net/fib_trie", local("10.77.0.1"))

    assert host.uses(CARD) == perhaps("10.77.0.1")


def test_an_interface_that_is_down_has_no_address(host: Host) -> None:
    host.write("1/net/fib_trie", IN_ANOTHER_TABLE + local("10.9.0.5"))
    (host.tree.root / "class/net/eth0/flags").write_text("0x1002\n")

    assert host.uses(CARD) == []


def test_an_interface_with_routes_is_in_use_without_perhaps(host: Host) -> None:
    host.route("eth0", "10.1.0.0/24")
    host.write("1/net/fib_trie", local("10.77.0.1"))

    assert host.uses(CARD) == ["IPv4 routes go through eth0: 10.1.0.0/24"]


@pytest.mark.parametrize("table", [IN_ANOTHER_TABLE, local("10.42.0.0")])
def test_where_the_main_table_is_not_all_a_neighbour_is_a_use(host: Host, table: str) -> None:
    """The host knows neighbours by interface, whatever table has led it there."""
    other(host, "flannel.1", devtype="vxlan")
    host.write("1/net/fib_trie", table)
    for last in (1, 2):
        host.add("1/net/arp", f"10.9.0.{last}         0x1         0x2         52:54:00:12:34:56     *        eth0")

    assert host.uses(CARD) == ["eth0 has the IPv4 neighbour 10.9.0.1 and 1 more"]


def test_where_the_main_table_is_all_a_neighbour_is_none(host: Host) -> None:
    """Any interface that is up may answer for the host's addresses, and then remembers who has asked."""
    host.add("1/net/arp", "10.9.0.1         0x1         0x2         52:54:00:12:34:56     *        eth0")

    assert host.uses(CARD) == []


@pytest.mark.parametrize("name", ["fib_trie", "arp", "dev"])
@pytest.mark.parametrize("content", [None, "garbage\n", "Local:\n  |-- 10.0.0.1\n        /32\n"])
def test_a_table_that_cannot_be_read_is_an_error(host: Host, name: str, content: str | None) -> None:
    (host.proc / "1/net" / name).unlink()
    if content is not None:
        host.write(f"1/net/{name}", content)

    with pytest.raises(OSError, match=name):
        host.uses(CARD)


def test_an_interface_that_does_not_tell_whether_it_is_up_is_an_error(host: Host) -> None:
    (host.tree.root / "class/net/eth0/flags").unlink()

    with pytest.raises(FileNotFoundError, match="flags"):
        host.uses(CARD)


@pytest.mark.parametrize(
    ("own", "told"), [({7: "10.77.0.1"}, ["eth0 has the address 10.77.0.1"]), ({8: "10.77.0.1"}, [])]
)
def test_where_the_kernel_tells_addresses_by_interface_nothing_is_guessed(
    host: Host, own: dict[int, str], told: list[str]
) -> None:
    host.write("1/net/fib_trie", local("10.77.0.1"))
    (host.tree.root / "class/net/eth0/ifindex").write_text("7\n")

    uses = address_uses(["eth0"], OnLink({}, frozenset()), own=own, sysfs=host.tree.root, proc=host.proc)

    assert [use.text for use in uses] == told


def test_routes_of_another_table_without_an_address_are_seen_by_their_neighbours(host: Host) -> None:
    """Also where the kernel tells addresses."""
    host.write("1/net/fib_trie", IN_ANOTHER_TABLE)
    host.add("1/net/arp", "10.9.0.1         0x1         0x2         52:54:00:12:34:56     *        eth0")
    (host.tree.root / "class/net/eth0/ifindex").write_text("7\n")

    uses = address_uses(["eth0"], OnLink({}, frozenset()), own={}, sysfs=host.tree.root, proc=host.proc)

    assert [use.text for use in uses] == ["eth0 has the IPv4 neighbour 10.9.0.1"]
