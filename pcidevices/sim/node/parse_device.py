"""One device of a specification."""

from __future__ import annotations

from ipaddress import ip_address, ip_interface

from pcidevices.sim.node.address import Address
from pcidevices.sim.node.reading import Entry, SpecError, boolean, hexadecimal, number
from pcidevices.sim.node.spec import MAPPED, BridgeKind, BridgeSpec, DeviceSpec, DiskSpec, Ids, NetSpec, SriovSpec


_LAST_BUS = 0xFF
_DISKS = ("nvme", "virtio", "ata")


def parse_device(address: Address, entry: Entry) -> DeviceSpec:
    """The device at *address*; raises SpecError."""
    ids = entry.need("id", _ids)
    bridge = _bridge(entry.entry("bridge"))
    spec = DeviceSpec(
        address=address,
        ids=ids,
        subsystem=entry.take("subsystem", _ids, ids if bridge is None else Ids(0, 0)),
        class_code=entry.need("class", _class),
        revision=entry.take("revision", hexadecimal, 0),
        driver=entry.take("driver", _text, _own_driver(bridge)),
        group=entry.take("group", _text, None),
        numa_node=entry.take("numa", number, -1),
        boot_vga=entry.take("boot-vga", boolean, default=False),
        resettable=entry.take("reset", boolean, default=bridge is None),
        serial=entry.take("serial", _serial, None),
        bridge=bridge,
        sriov=_sriov(entry.entry("sriov")),
        nets=tuple(_net(each) for each in entry.entries("net")),
        disks=tuple(_disk(each) for each in entry.entries("disk")),
    )
    entry.end()
    return spec


def _bridge(entry: Entry | None) -> BridgeSpec | None:
    if entry is None:
        return None
    secondary, subordinate = entry.need("buses", _buses)
    bridge = BridgeSpec(
        secondary=secondary,
        subordinate=subordinate,
        kind=entry.take("kind", BridgeKind, BridgeKind.PORT),
        acs=entry.take("acs", boolean, default=True),
    )
    entry.end()
    return bridge


def _own_driver(bridge: BridgeSpec | None) -> str | None:
    return "pcieport" if bridge is not None and bridge.kind is BridgeKind.PORT else None


def _sriov(entry: Entry | None) -> SriovSpec | None:
    if entry is None:
        return None
    total = entry.need("total", number)
    sriov = SriovSpec(
        total=total,
        limit=entry.take("limit", number, total),
        vfs=entry.take("vfs", number, 0),
        offset=entry.take("offset", number, 1),
        stride=entry.take("stride", number, 1),
        ids=entry.need("id", _ids),
        driver=entry.take("driver", _text, None),
        net=entry.take("net", _text, None),
    )
    entry.end()
    if not 0 <= sriov.vfs <= sriov.limit <= sriov.total:
        raise SpecError(f"{entry.where}: vfs {sriov.vfs}, limit {sriov.limit}, total {sriov.total} do not ascend")
    return sriov


def _net(entry: Entry) -> NetSpec:
    net = NetSpec(
        name=entry.need("name", _text),
        up=entry.take("up", boolean, default=False),
        master=entry.take("master", _text, None),
        uppers=entry.take("upper", _words, ()),
        addresses=entry.take("address", _addresses, ()),
        gateway=entry.take("gateway", _gateway, None),
        elsewhere=entry.take("elsewhere", boolean, default=False),
        virtio=entry.take("virtio", boolean, default=False),
    )
    entry.end()
    if not net.up and (net.addresses or net.gateway or net.uppers):
        raise SpecError(f"{entry.where}: address, gateway and upper need up: yes")
    return net


def _disk(entry: Entry) -> DiskSpec:
    kind = entry.need("kind", _text)
    if kind not in _DISKS:
        raise SpecError(f"{entry.where}: kind: {kind!r} is none of {', '.join(_DISKS)}")
    partitions = entry.entry("partitions")
    disk = DiskSpec(
        kind=kind,
        name=entry.take("name", _text, "") if kind == "nvme" else entry.need("name", _text),
        model=entry.take("model", _text, "Simulated Disk"),
        serial=entry.take("serial", _text, "SIM0"),
        multipath=entry.take("multipath", boolean, default=True),
        partitions={} if partitions is None else _partitions(partitions),
    )
    entry.end()
    return disk


def _partitions(entry: Entry) -> dict[int, str]:
    try:
        return {number(key): _use(str(use)) for key, use in entry.rest().items()}
    except ValueError as error:
        raise SpecError(f"{entry.where}: {error}") from error


def _use(text: str) -> str:
    is_mapped = text.startswith(MAPPED) and text != MAPPED
    if text and text != "swap" and not text.startswith("/") and not is_mapped:
        raise ValueError(f"{text!r} is no use; write a path, swap, dm and a name, or nothing")
    return text


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


def _addresses(text: str) -> tuple[str, ...]:
    for word in text.split():
        if "/" not in word:
            raise ValueError(f"{word!r} has no length, as in 10.0.2.15/24")
        ip_interface(word)
    return _words(text)


def _gateway(text: str) -> str:
    return str(ip_address(text))


def _ids(text: str) -> Ids:
    vendor, colon, device = text.partition(":")
    if not colon or len(vendor) != len("ffff") or len(device) != len("ffff"):
        raise ValueError(f"{text!r} is no pair of ids; write four hexadecimal digits twice, as in 8086:10d3")
    return Ids(hexadecimal(vendor), hexadecimal(device))


def _class(text: str) -> int:
    if len(text) not in (4, 6):
        raise ValueError(f"{text!r} is no class; write four or six hexadecimal digits, as in 0200 or 010802")
    return hexadecimal(text.ljust(6, "0"))


def _buses(text: str) -> tuple[int, int]:
    first, _, last = text.partition("-")
    secondary, subordinate = hexadecimal(first), hexadecimal(last or first)
    if not 0 < secondary <= subordinate <= _LAST_BUS:
        raise ValueError(f"{text!r} is no range of buses, as in 3b or 3b-3d")
    return secondary, subordinate


def _serial(text: str) -> str:
    digits = text.split("-")
    if [len(pair) for pair in digits] != [2] * 8:
        raise ValueError(f"{text!r} is no serial number; write eight pairs, as in 00-11-22-33-44-55-66-77")
    for pair in digits:
        hexadecimal(pair)
    return text


def _text(text: str) -> str:
    if not text:
        raise ValueError("nothing stands there")
    return text
