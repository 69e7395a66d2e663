"""What the agent would refuse is refused early, in its words."""

from __future__ import annotations

import pytest

from pcidevices.api.reasons import Reason
from pcidevices.api.v1beta1 import Sriov
from pcidevices.domain.address import PciAddress
from pcidevices.domain.claim import Claim as Asked
from pcidevices.domain.claims import decide
from pcidevices.domain.conditions import condition
from pcidevices.kubectl.objects import Device, owners
from pcidevices.kubectl.refusals import group_of, is_bridge, not_viable, objection, sight_of
from tests.support.clusterobjects import (
    BRIDGE,
    GPU,
    NIC,
    SOUND,
    a_claim,
    a_device,
    a_gpu,
    a_sound,
    a_virtual_function,
)


VF = "0000:3b:10.0"
PF = a_device(NIC, sriov=Sriov(role="PhysicalFunction", total_vfs=8, num_vfs=1))


@pytest.mark.parametrize(
    ("device", "neighbours", "reason"),
    [
        (a_device(BRIDGE), [], Reason.NOT_CLAIMABLE),
        (a_device(NIC, class_id="0600", kernel_driver_in_use=None), [], Reason.NOT_CLAIMABLE),
        (a_gpu(boot_vga=True), [], Reason.DEVICE_PROTECTED),
        (a_device(NIC, class_id="0c05"), [], Reason.DEVICE_PROTECTED),
        (PF, [a_virtual_function(VF, NIC)], Reason.DEVICE_PROTECTED),
        (PF, [a_virtual_function(VF, NIC, kernel_driver_in_use="vfio-pci")], Reason.DEVICE_IN_USE),
        (a_device(NIC, iommu_group=None, iommu_group_members=()), [], Reason.NO_IOMMU_GROUP),
    ],
)
def test_reason_and_message_are_those_of_the_agent(device: Device, neighbours: list[Device], reason: Reason) -> None:
    """The agent's own decision over the same facts says the same."""
    found = objection(device, neighbours, None, allowed=False)

    assert found is not None
    address = PciAddress.parse(device.status.address)
    asked = Asked(name="x", uid="x", resource_version="1", node_name="janus", address=address)
    told = decide(asked, sight_of(device, neighbours), now="2026-01-01T00:00:00Z").status.conditions
    assert (found.reason, found.message) == (reason, condition(told, "Ready").message)


def test_nothing_speaks_against_a_device_like_any_other() -> None:
    assert objection(a_device(NIC), [], None, allowed=False) is None
    assert objection(a_gpu(), [a_sound()], None, allowed=False) is None
    assert objection(Device(a_device(NIC).metadata), [], None, allowed=False) is None


def test_what_somebody_has_is_refused_with_their_name() -> None:
    found = objection(a_gpu(), [], a_claim(GPU, name="mine", user="bob"), allowed=False)

    assert str(found) == "ClaimedByAnother: claim mine of bob has it already"


def test_what_the_host_uses_can_be_allowed_and_a_bridge_cannot() -> None:
    assert objection(a_gpu(boot_vga=True), [], None, allowed=True) is None
    assert objection(a_device(BRIDGE), [], None, allowed=True) is not None


def test_a_sibling_that_stays_on_the_host_is_named() -> None:
    gpu, sound = a_gpu(), a_sound()

    assert str(not_viable(gpu, [sound], [gpu])) == (
        f"GroupNotViable: IOMMU group 15 is shared: {SOUND} is on snd_hda_intel"
    )
    assert not_viable(gpu, [sound], [gpu, sound]) is None
    assert not_viable(gpu, [a_sound(kernel_driver_in_use="vfio-pci")], [gpu]) is None
    assert not_viable(gpu, [a_sound("venus")], [gpu]) is None


def test_a_group_is_all_that_shares_it_and_bridges_do_not_count() -> None:
    gpu, sound = a_gpu(), a_sound()

    assert group_of(gpu, [gpu, sound, a_device(NIC)]) == [gpu, sound]
    assert [is_bridge(device) for device in (gpu, a_device(BRIDGE))] == [False, True]


def test_of_two_claims_the_one_that_has_the_device_counts() -> None:
    """The agent's rule: who has taken it, else who came first."""
    first, second = a_claim(GPU, name="a"), a_claim("5e:00.0", name="b")

    assert owners([second, first])["janus", GPU].name == "a"
