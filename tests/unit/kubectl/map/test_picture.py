"""From the objects to the picture."""

from __future__ import annotations

from typing import Any

import pytest

from pcidevices.api.v1beta1 import Condition, PCIDeviceStatus, Sriov
from pcidevices.kubectl.map.model import counts, picture
from pcidevices.kubectl.map.state import State
from pcidevices.kubectl.map.values import Picture, Tile
from pcidevices.kubectl.objects import Claim, Device, Metadata
from tests.support.cluster_drawn import LOST, a_drawn_claim, a_drawn_cluster, a_drawn_device


def drawn(*devices: Device, claims: tuple[Claim, ...] = (), selection: str = "") -> Picture:
    return picture(devices, claims, taken="now", selection=selection)


def the_tile(device: Device, *claims: Claim) -> Tile:
    (tile,) = drawn(device, claims=claims).tiles
    return tile


def test_nodes_and_groups_stand_in_the_order_of_their_numbers() -> None:
    places = [("node-10", 0, "3"), ("node-2", 1, "10"), ("node-2", 1, "9"), ("node-2", None, "1"), ("node-2", 0, None)]
    devices = [
        a_drawn_device(f"0000:0{index}:00.0", node, numa_node=numa, iommu_group=group)
        for index, (node, numa, group) in enumerate(places)
    ]

    seen = [
        (node.name, numa.number, [group.number for group in numa.groups])
        for node in drawn(*devices).nodes
        for numa in node.numas
    ]
    assert seen == [("node-2", 0, [None]), ("node-2", 1, ["9", "10"]), ("node-2", None, ["1"]), ("node-10", 0, ["3"])]


def test_a_group_is_drawn_once_even_if_its_devices_are_on_two_numa_nodes() -> None:
    one = a_drawn_device("0000:01:00.0", numa_node=0, iommu_group="7")
    other = a_drawn_device("0000:02:00.0", numa_node=1, iommu_group="7")

    ((numa,),) = (node.numas for node in drawn(other, one).nodes)
    assert [[tile.address for tile in group.tiles] for group in numa.groups] == [["0000:01:00.0", "0000:02:00.0"]]


def test_devices_stand_in_the_order_of_their_addresses_with_great_domains_last() -> None:
    addresses = ["10000:01:00.0", "0000:0a:00.0", "0000:09:1f.7"]

    tiles = drawn(*(a_drawn_device(address) for address in addresses)).tiles
    assert [tile.address for tile in tiles] == ["0000:09:1f.7", "0000:0a:00.0", "10000:01:00.0"]


@pytest.mark.parametrize("address", ["0000:04:00.0", "04:00.0", "0000:04:00.0".upper()])
def test_a_claim_finds_its_device_however_the_address_is_written(address: str) -> None:
    assert the_tile(a_drawn_device(), a_drawn_claim(address)).state is State.READY


def test_of_two_claims_the_one_that_has_the_device_is_told() -> None:
    early = a_drawn_claim(name="early", reason="", creation_timestamp="2026-01-01T00:00:00Z")
    late = a_drawn_claim(name="late", creation_timestamp="2026-01-02T00:00:00Z")

    assert ("Claim", "late") in the_tile(a_drawn_device(), early, late).rows


def test_a_claim_of_another_node_says_nothing_of_the_device() -> None:
    tiles = list(drawn(a_drawn_device(), claims=(a_drawn_claim(node="other"),)).tiles)

    assert [(tile.node, tile.state) for tile in tiles] == [("janus", State.UNCLAIMED), ("other", State.READY)]


def test_a_claim_for_what_has_no_object_is_drawn_too() -> None:
    (tile,) = drawn(claims=(a_drawn_claim(reason="DeviceNotFound"),)).tiles

    assert (tile.address, tile.state, tile.note) == ("0000:04:00.0", State.WAITING, "DeviceNotFound")


def test_when_only_some_devices_were_asked_for_no_claim_stands_alone() -> None:
    assert list(drawn(claims=(a_drawn_claim(),), selection="-l x=y").tiles) == []


@pytest.mark.parametrize(
    ("status", "claims", "note"),
    [
        ({}, (), "VGA compatible controller"),
        ({}, (a_drawn_claim(reason="GroupNotViable"),), "GroupNotViable"),
        ({"in_use_by": ("a/b", "c/d")}, (a_drawn_claim(),), "a/b, c/d"),
        ({"conditions": (LOST,)}, (), "DeviceNotFound"),
        ({"boot_vga": True}, (), "the display of the boot console"),
        (
            {"class_id": "0601"},
            (),
            "a bridge (class 0601): other devices are reached through it; nothing can allow it",
        ),
        ({"class_id": "0c05"}, (), "the system management bus (class 0c05)"),
    ],
)
def test_the_note_says_what_matters_most(status: dict[str, Any], claims: tuple[Claim, ...], note: str) -> None:
    assert the_tile(a_drawn_device(**status), *claims).note == note


def test_a_physical_function_with_virtual_ones_is_needed() -> None:
    physical = a_drawn_device("0000:01:00.0", sriov=Sriov(role="PhysicalFunction", total_vfs=8, num_vfs=1))
    virtual = Sriov(role="VirtualFunction", physical_function="0000:01:00.0")

    tiles = list(drawn(physical, a_drawn_device("0000:01:10.0", sriov=virtual)).tiles)
    assert [tile.state for tile in tiles] == [State.NEEDED, State.UNCLAIMED]
    assert ("SR-IOV", "1 of 8 virtual functions") in tiles[0].rows
    assert ("SR-IOV", "virtual function of 0000:01:00.0") in tiles[1].rows


@pytest.mark.parametrize(
    ("description", "title"),
    [
        ("Audio device: NVIDIA Corporation AD102 High Definition", "NVIDIA AD102 High Definition"),
        ("NVMe: Samsung Electronics Co Ltd NVMe SSD", "Samsung Electronics NVMe SSD"),
        ("VGA: ASPEED Technology, Inc. ASPEED Graphics", "ASPEED ASPEED Graphics"),
        ("Ethernet: Realtek Semiconductor Co., Ltd. RTL8139", "Realtek Semiconductor RTL8139"),
        ("without a class", "without a class"),
        ("", "10de:1c02"),
    ],
)
def test_the_title_is_short(description: str, title: str) -> None:
    assert the_tile(a_drawn_device(description=description)).title == title


def test_an_object_without_a_status_is_drawn_by_its_name() -> None:
    (tile,) = drawn(Device(Metadata("janus-000004000"), PCIDeviceStatus())).tiles

    assert (tile.address, tile.state) == ("janus-000004000", State.UNCLAIMED)


def test_an_address_that_is_none_hurts_nobody() -> None:
    broken = PCIDeviceStatus(address="nowhere", sriov=Sriov(role="VirtualFunction", physical_function="x"))

    (tile,) = drawn(Device(Metadata("odd"), broken)).tiles
    assert tile.address == "nowhere"


def test_the_details_tell_why_a_claim_waits_and_what_else_is_amiss() -> None:
    claim = a_drawn_claim(reason="GroupNotViable", message="0000:04:00.1 is on snd_hda_intel")
    refused = Condition(type="Offered", status="False", reason="NameTaken", message="by another")

    rows = dict(the_tile(a_drawn_device(conditions=(refused,)), claim).rows)
    assert rows["Not Ready"] == "GroupNotViable: 0000:04:00.1 is on snd_hda_intel"
    assert rows["Not Offered"] == "NameTaken: by another"
    assert rows["Original driver"] == "nouveau"


def test_a_claim_that_nobody_has_looked_at_says_so() -> None:
    assert (
        dict(the_tile(a_drawn_device(), a_drawn_claim(reason="")).rows)["Not Ready"] == "no agent has looked at it yet"
    )


def test_every_device_is_counted_once() -> None:
    devices, claims = a_drawn_cluster()

    counted = counts(picture(devices, claims, taken="now").tiles)
    assert sum(counted.values()) == len(devices)
    assert min(counted.values()) > 0
