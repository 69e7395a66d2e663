"""What is told of a fresh look."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pcidevices.api.v1beta1 import Look
from pcidevices.domain.device import Unreadable
from pcidevices.domain.held import HeldDevice
from pcidevices.domain.look import Around, KubeletSeen, look_of
from pcidevices.domain.sight import Holder, HostUse, Sight, VfioDriver
from pcidevices.domain.standing import OfferSeen, Standing
from tests.support.builders import a_gpu, a_nic, a_published


GPU = a_gpu(driver="vfio-pci")
ADDRESS = str(GPU.address)
SIGHT = Sight(address=GPU.address, device=GPU, vfio_drivers=frozenset({"vfio-pci"}))
AROUND = Around(iommu_enabled=True)
NAME = "nvidia.com/GPU"


def looked(sight: Sight = SIGHT, around: Around = AROUND) -> Look:
    return look_of(sight, around, request="one", now="2026-01-01T00:00:00Z", version="1")


def test_the_host_has_no_use_for_a_device_that_is_on_vfio() -> None:
    told = looked(replace(SIGHT, host_uses=(HostUse("left over"),)))

    assert (told.on_vfio, told.host_uses) == (True, ())


def test_the_uses_of_a_host_are_told_with_virtual_functions_in_use_first() -> None:
    host = replace(SIGHT, device=a_gpu(boot_vga=True), virtual_functions=(GPU,))
    first, *others = looked(host).host_uses

    assert "would vanish" in first
    assert len(others) == 2


def test_members_of_the_group_are_told_with_those_that_block() -> None:
    told = looked(replace(SIGHT, others=(a_nic(), Unreadable("0000:09:00.0", "no vendor"))))

    assert [member.address for member in told.group_members] == ["0000:05:00.0", "0000:09:00.0"]
    assert told.blockers == ("0000:05:00.0 is on e1000e", "0000:09:00.0 cannot be read (no vendor)")


def test_who_has_it_comes_from_the_kernel_and_from_the_kubelet() -> None:
    held = (
        HeldDevice("default", "vm", "c", NAME, (ADDRESS,)),
        HeldDevice("", "", "c", NAME, (ADDRESS,)),
        HeldDevice("default", "other", "c", NAME, ("0000:0a:00.0",)),
    )
    sight = replace(SIGHT, holders=(Holder(GPU.address, "process 7 (qemu)"), Holder(a_nic().address, "process 8 (x)")))

    assert looked(sight, replace(AROUND, kubelet=KubeletSeen(held=held))).holders == (
        "process 7 (qemu)",
        "0000:05:00.0: process 8 (x)",
        "pod default/vm",
        "a pod that the kubelet does not name now",
    )


@pytest.mark.parametrize(
    ("vfio", "state"),
    [
        (VfioDriver(module="vfio_pci", name="vfio-pci"), "Loaded"),
        (VfioDriver(module="vfio_pci", can_be_loaded=True), "Loadable"),
        (VfioDriver(module="vfio_pci", can_be_loaded=False), "Missing"),
        (VfioDriver(module="vfio_pci"), None),
    ],
)
def test_the_module_is_loaded_can_be_or_is_missing(vfio: VfioDriver, state: str | None) -> None:
    assert looked(replace(SIGHT, vfio=vfio)).vfio_module_state == state


def test_what_the_object_said_otherwise_is_told() -> None:
    said = a_published(a_gpu(iommu_group="3")).status

    assert looked(around=replace(AROUND, said=said)).outdated == (
        "the driver was said to be nvidia, and is vfio-pci",
        "the IOMMU group was said to be 3, and is 14",
    )


def test_a_plugin_is_told_with_what_the_kubelet_counts_beside_it() -> None:
    offer = OfferSeen(
        resource_name=NAME,
        standing=Standing(socket="/k/x.sock", socket_found=True, is_registered=True),
        offered=frozenset({ADDRESS}),
    )
    around = replace(AROUND, offer=offer, kubelet=KubeletSeen(allocatable={NAME: frozenset({ADDRESS, "gpu-0"})}))
    plugin = looked(around=around).plugin

    assert plugin is not None
    assert (plugin.counted, plugin.strangers, plugin.registered) == (True, ("gpu-0",), True)


def test_a_device_that_is_not_there_is_not_found_and_one_that_is_silent_is_told_so() -> None:
    assert looked(replace(SIGHT, device=None)).found is False

    silent = looked(replace(SIGHT, device=Unreadable(ADDRESS, "the kernel does not answer"), is_silent=True))
    assert (silent.found, silent.silent, silent.problem) == (True, True, "the kernel does not answer")
