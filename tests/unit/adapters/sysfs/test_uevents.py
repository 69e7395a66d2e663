"""Which of the kernel's announcements ask for a look."""

from __future__ import annotations

import pytest

from pcidevices.adapters.sysfs.uevents import Gaps, concerns_pci


def event(text: str) -> dict[str, str]:
    """``action@path`` and further facts, as the kernel sends them."""
    head, *facts = text.split()
    action, _, path = head.partition("@")
    return {"ACTION": action, "DEVPATH": path} | dict(fact.split("=", 1) for fact in facts)


NIC, VFIO = "/devices/pci0000:00/0000:00:03.0", "/devices/virtual/vfio/3"
CHANGES = {
    "hot-plug": f"add@{NIC} SUBSYSTEM=pci PCI_CLASS=20000 PCI_ID=8086:10D3 PCI_SLOT_NAME=0000:00:03.0",
    "hot-unplug": f"remove@{NIC} SUBSYSTEM=pci PCI_SLOT_NAME=0000:00:03.0",
    "bind": f"bind@{NIC} SUBSYSTEM=pci DRIVER=vfio-pci PCI_SLOT_NAME=0000:00:03.0",
    "unbind": f"unbind@{NIC} SUBSYSTEM=pci PCI_CLASS=20000 PCI_SLOT_NAME=0000:00:03.0",
    "numvfs of a PF": f"change@{NIC} SUBSYSTEM=pci PCI_SLOT_NAME=0000:00:03.0",
    "a VF": f"add@{NIC} SUBSYSTEM=pci PCI_SLOT_NAME=0000:00:03.1",
    "the beginning of an unbind that hangs": f"remove@{NIC}/vfio-dev/vfio0 SUBSYSTEM=vfio-dev",
    "an interface": f"add@{NIC}/net/eth0 SUBSYSTEM=net INTERFACE=eth0 IFINDEX=3",
    "an interface below virtio": f"add@{NIC}/virtio3/net/eth0 SUBSYSTEM=net INTERFACE=eth0",
    "an interface that goes": f"remove@{NIC}/net/eth0 SUBSYSTEM=net INTERFACE=eth0",
    "an interface with a new name": f"move@{NIC}/net/enp0s3 SUBSYSTEM=net DEVPATH_OLD={NIC}/net/eth0",
    "a disk": f"add@{NIC}/ata1/host0/target0:0:0/0:0:0:0/block/sda SUBSYSTEM=block DEVTYPE=disk",
    "a disk that goes": f"remove@{NIC}/virtio1/block/vda SUBSYSTEM=block DEVTYPE=disk",
    "a namespace with native multipath": "add@/devices/virtual/nvme-subsystem/nvme-subsys1/nvme1n1 SUBSYSTEM=block",
    "an NVMe controller": f"add@{NIC}/nvme/nvme1 SUBSYSTEM=nvme NVME_TRTYPE=pcie",
    "an NVMe subsystem": "add@/devices/virtual/nvme-subsystem/nvme-subsys1 SUBSYSTEM=nvme-subsystem",
}
NOISE = {
    "a written disk was closed": f"change@{NIC}/virtio1/block/vda SUBSYSTEM=block DEVTYPE=disk",
    "a loop device": "add@/devices/virtual/block/loop0 SUBSYSTEM=block",
    "a device-mapper table": "change@/devices/virtual/block/dm-0 SUBSYSTEM=block DM_NAME=x",
    "a pod's interface": "add@/devices/virtual/net/veth0a1b2c3d SUBSYSTEM=net INTERFACE=veth0a1b2c3d",
    "a pod's interface that goes": "remove@/devices/virtual/net/veth0a1b2c3d SUBSYSTEM=net",
    "a queue": f"add@{NIC}/net/eth0/queues/rx-0 SUBSYSTEM=queues",
    "a clock": f"add@{NIC}/ptp/ptp0 SUBSYSTEM=ptp",
    "a wakeup source": f"add@{NIC}/wakeup/wakeup7 SUBSYSTEM=wakeup",
    "a port service": f"add@{NIC}/0000:00:03.0:pcie001 SUBSYSTEM=pci_express",
    "a VFIO group, of which its device tells": f"add@{VFIO} SUBSYSTEM=vfio",
    "a module": "add@/module/vfio_pci SUBSYSTEM=module",
    "a driver": "add@/bus/pci/drivers/vfio-pci SUBSYSTEM=drivers",
    "nothing at all": "add@",
}


@pytest.mark.parametrize("text", CHANGES.values(), ids=CHANGES)
def test_what_a_scan_would_see_asks_for_one(text: str) -> None:
    assert concerns_pci(event(text))


@pytest.mark.parametrize("text", NOISE.values(), ids=NOISE)
def test_what_a_scan_would_not_see_asks_for_none(text: str) -> None:
    assert not concerns_pci(event(text))


def test_an_event_without_any_facts_asks_for_nothing() -> None:
    assert not concerns_pci({})


def numbered(*numbers: int) -> list[dict[str, str]]:
    return [{"SEQNUM": str(number)} for number in numbers]


def test_events_in_order_have_no_gap() -> None:
    gaps = Gaps(every=10)

    assert not any(gaps.found(e, now=0) for e in numbered(5, 6, 7, 8))


def test_a_missing_number_is_a_gap() -> None:
    gaps = Gaps(every=10)

    assert [gaps.found(e, now=0) for e in numbered(5, 6, 8)] == [False, False, True]


def test_the_first_event_is_no_gap_whatever_its_number() -> None:
    assert not Gaps(every=10).found({"SEQNUM": "4711"}, now=0)


def test_a_number_that_comes_late_is_no_gap_and_makes_none() -> None:
    """Two CPUs may send in another order than they counted (since Linux 6.11)."""
    gaps = Gaps(every=0)

    assert [gaps.found(e, now=0) for e in numbered(5, 7, 6, 8)] == [False, True, False, False]


def test_many_gaps_ask_for_one_look_in_a_while() -> None:
    """In another network namespace the events of its interfaces are missing all day."""
    gaps = Gaps(every=10)
    moments = (0, 1, 9, 10.9, 11, 12, 21)
    found = [gaps.found(e, now) for now, e in zip(moments, numbered(1, 3, 5, 7, 9, 11, 13), strict=True)]

    assert [now for now, gap in zip(moments, found, strict=True) if gap] == [1, 11, 21]


def test_an_event_without_a_number_is_no_gap_and_hides_none() -> None:
    gaps = Gaps(every=10)
    events = [*numbered(5), {}, *numbered(6), {}, *numbered(9)]

    assert [gaps.found(e, now=0) for e in events] == [False, False, False, False, True]
