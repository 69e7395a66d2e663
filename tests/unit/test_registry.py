"""What was observed: one writer, immutable readings."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pcidevices.domain.device import PciDevice, Scan, Unreadable
from pcidevices.domain.held import HeldDevice
from pcidevices.domain.naming import UNNAMED
from pcidevices.registry import Registry
from tests.support.builders import a_claim, a_gpu, a_nic, a_node, a_published


GPU, NIC = a_gpu(), a_nic()
BROKEN = Unreadable("0000:06:00.0", "vendor is missing")


def test_a_scan_names_what_appeared_vanished_and_changed() -> None:
    registry = Registry()
    assert registry.replace_scan(Scan((GPU, NIC), (BROKEN,))) == {"0000:04:00.0", "0000:05:00.0", "0000:06:00.0"}

    assert registry.replace_scan(Scan((replace(GPU, driver=None),), (BROKEN,))) == {"0000:04:00.0", "0000:05:00.0"}
    assert registry.replace_scan(Scan((replace(GPU, driver=None),), (BROKEN,))) == set()


def test_of_what_did_not_change_the_object_stays() -> None:
    """Who remembers it need not compare."""
    registry = Registry()
    registry.replace_scan(Scan((GPU, NIC)))

    registry.replace_scan(Scan((replace(GPU, driver=None), replace(NIC))))

    assert registry.snapshot.devices[NIC.address] is NIC


def test_a_device_that_became_unreadable_is_one_and_not_the_other() -> None:
    registry = Registry()
    registry.replace_scan(Scan((GPU,)))

    assert registry.replace_scan(Scan((), (Unreadable(str(GPU.address), "gone mad"),))) == {str(GPU.address)}
    assert registry.snapshot.devices == {}
    assert set(registry.snapshot.unreadable) == {str(GPU.address)}


GIVEN = replace(GPU, driver="vfio-pci", iommu_group="7", names=UNNAMED, serial=None)


def test_what_a_look_saw_is_news_once() -> None:
    registry = Registry()
    registry.replace_scan(Scan((replace(GPU, serial="S1"), NIC), begun=1.0))

    assert registry.replace_device(GIVEN, 2.0)
    assert not registry.replace_device(GIVEN, 3.0)
    assert registry.snapshot.devices[GPU.address] == replace(GIVEN, names=GPU.names, serial="S1")
    assert registry.snapshot.devices[NIC.address] == NIC


def test_of_a_scan_and_a_look_the_one_that_began_later_counts() -> None:
    registry = Registry()
    registry.replace_scan(Scan((GPU,), begun=1.0))
    registry.replace_device(GIVEN, 3.0)

    assert registry.replace_scan(Scan((GPU,), begun=2.0)) == set()
    assert registry.snapshot.devices[GPU.address].driver == "vfio-pci"
    assert registry.replace_scan(Scan((GPU,), begun=4.0)) == {str(GPU.address)}
    assert not registry.replace_device(GIVEN, 3.5)
    assert registry.snapshot.devices[GPU.address] == GPU


def test_of_two_looks_the_one_that_began_later_counts() -> None:
    registry = Registry()
    registry.replace_scan(Scan((GPU,), begun=1.0))
    registry.replace_device(GIVEN, 3.0)

    assert not registry.replace_device(GPU, 2.0)


def test_what_only_a_scan_can_tell_is_news_also_of_one_that_began_before_the_look() -> None:
    registry = Registry()
    registry.replace_scan(Scan((GPU,), begun=1.0))
    registry.replace_device(GIVEN, 3.0)

    assert registry.replace_scan(Scan((replace(GPU, serial="S1"),), begun=2.0)) == {str(GPU.address)}
    assert registry.snapshot.devices[GPU.address] == replace(GIVEN, names=GPU.names, serial="S1")


@pytest.mark.parametrize("seen", [replace(GIVEN, device="ffff"), replace(GIVEN, subsystem="1:2"), NIC])
def test_another_card_than_scans_know_is_left_to_the_next_scan(seen: PciDevice) -> None:
    registry = Registry()
    registry.replace_scan(Scan((GPU,), begun=1.0))

    assert not registry.replace_device(seen, 2.0)
    assert registry.snapshot.devices == {GPU.address: GPU}


def test_a_scan_that_began_before_the_look_still_tells_of_another_card_and_of_none() -> None:
    registry = Registry()
    registry.replace_scan(Scan((GPU,), begun=1.0))
    registry.replace_device(GIVEN, 3.0)

    another = replace(GPU, device="ffff")
    assert registry.replace_scan(Scan((another,), begun=2.0)) == {str(GPU.address)}
    assert registry.snapshot.devices == {GPU.address: another}
    assert registry.replace_scan(Scan((), begun=2.5)) == {str(GPU.address)}


def test_a_snapshot_does_not_change() -> None:
    registry = Registry()
    registry.replace_scan(Scan((GPU,)))
    before = registry.snapshot

    registry.replace_scan(Scan((NIC,)))

    assert set(before.devices) == {GPU.address}


def test_a_list_of_published_devices_names_those_that_changed() -> None:
    registry = Registry()
    gpu, nic = a_published(GPU), a_published(NIC)
    assert registry.replace_published([gpu, nic], 7) == {gpu.name, nic.name}

    assert registry.replace_published([replace(gpu, resource_version="2")], 8) == {gpu.name, nic.name}
    assert registry.snapshot.published_version == 8


def test_the_version_of_a_list_counts_although_nothing_in_it_changed() -> None:
    """It says that what is not in it was deleted, not late."""
    registry = Registry()
    registry.replace_published([], 7)

    assert registry.replace_published([], 9) == set()
    assert registry.snapshot.published_version == 9


def test_claims_that_changed_are_told_as_they_were_and_as_they_are() -> None:
    """A claim that moved to another device concerns both."""
    registry = Registry()
    before, after = a_claim(GPU), replace(a_claim(NIC), name=a_claim(GPU).name)
    registry.replace_claims([before])

    assert registry.replace_claims([after]) == {before, after}
    assert registry.replace_claims([after]) == set()
    assert registry.replace_claims([]) == {after}


def test_claims_are_found_by_the_device_they_are_on() -> None:
    registry = Registry()
    on_gpu = a_claim(GPU)
    registry.replace_claims([on_gpu, a_claim(NIC)])

    assert registry.snapshot.claims_for(GPU.address) == (on_gpu,)


def test_another_life_of_the_node_is_another_node() -> None:
    registry = Registry()

    assert [registry.replace_node(node) for node in (a_node(), a_node(), a_node(uid="node-2"), None)] == [
        True,
        False,
        True,
        True,
    ]


def test_pods_that_have_a_device_are_named_once_and_those_without_a_name_not_at_all() -> None:
    registry = Registry()
    vm = HeldDevice("vms", "vm", "compute", "x.com/y", ("0000:04:00.0",))

    changed = registry.replace_held((vm, replace(vm, container="side"), replace(vm, namespace="", pod="")))

    assert changed == {"0000:04:00.0"}
    assert registry.snapshot.pods_with(GPU.address) == ("vms/vm",)
