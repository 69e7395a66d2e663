"""What a claim needs next: on the way to the vfio driver."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from pcidevices.api.v1beta1 import GIVE_BACK_FINALIZER, ClaimedDevice, PCIDeviceClaimStatus
from pcidevices.domain.claims import decide
from pcidevices.domain.device import Unreadable, VirtualFunction
from pcidevices.domain.sight import Sight
from pcidevices.domain.steps import Bind, ClearOverride, LoadModule, SetOverride, Unbind
from tests.support.builders import a_bridge, a_claim, a_gpu, a_nic, at
from tests.support.tiny_kernel import TinyKernel

from .claim_turns import decided, holds, message, reason, settled, turn


CARD = at("0000:04:00.0")
READY_TO_GO = frozenset({"nvidia", "vfio-pci"})


def a_kernel(**changes: object) -> TinyKernel:
    kernel = TinyKernel(a_gpu(), knows=("nvidia",), drivers=set(READY_TO_GO))
    for name, value in changes.items():
        setattr(kernel, name, value)
    return kernel


def test_a_claimed_device_leaves_its_driver_for_vfio_pci() -> None:
    """Override, unbind, bind, and the override is cleared again."""
    kernel = a_kernel()

    claim = settled(a_claim(), kernel)

    assert kernel.taken == [
        SetOverride(CARD, "vfio-pci"),
        Unbind(CARD, "nvidia"),
        Bind(CARD, "vfio-pci"),
        ClearOverride(CARD),
    ]
    assert kernel.driver == "vfio-pci"
    assert kernel.override is None
    assert claim.status.passthrough_enabled
    assert all(holds(claim, kind) for kind in ("Ready", "Allowed", "Bound", "GroupViable"))


def test_what_giving_back_needs_is_decided_with_the_first_steps() -> None:
    """The reconciler records the status of a decision before it takes the steps."""
    decision = decided(a_claim(), a_kernel())

    assert decision.hold
    assert decision.status.kernel_driver_to_unbind == "nvidia"
    assert decision.status.claimed == ClaimedDevice(vendor_id="10de", device_id="1c02", subsystem="1458:3702")
    assert decision.steps
    assert not decision.status.passthrough_enabled


def test_a_module_that_can_be_loaded_is_loaded_first() -> None:
    kernel = a_kernel(drivers={"nvidia"})

    claim = settled(a_claim(), kernel)

    assert kernel.taken[0] == LoadModule("vfio_pci")
    assert holds(claim)


def test_a_missing_module_is_said_before_anything_is_unbound() -> None:
    kernel = a_kernel(drivers={"nvidia"}, modules=set())

    claim, _, _ = turn(a_claim(), kernel)

    assert (reason(claim), reason(claim, "Bound")) == ("DriverMissing", "DriverMissing")
    assert kernel.driver == "nvidia"


def test_a_variant_driver_is_preferred() -> None:
    kernel = a_kernel(drivers={"nvidia"}, modules={"mlx5_vfio_pci"}, vfio_module="mlx5_vfio_pci")

    claim = settled(a_claim(), kernel, turns=2)

    assert kernel.driver == "mlx5_vfio_pci"
    assert holds(claim)


def test_a_variant_driver_that_is_not_named_like_its_module_is_known_once_it_is_loaded() -> None:
    """Before that no more is done than to load it."""
    kernel = a_kernel(drivers={"nvidia"}, modules={"odd_vfio_pci"}, vfio_module="odd_vfio_pci")

    claim, _, _ = turn(a_claim(), kernel)
    refused = reason(claim, "Bound"), kernel.driver, kernel.override
    claim = settled(claim, kernel, turns=2)

    assert refused == ("DriverMissing", "nvidia", None)
    assert kernel.driver == "odd-one"
    assert holds(claim)


def test_a_device_without_driver_is_only_bound() -> None:
    kernel = a_kernel(device=a_gpu(driver=None), knows=())

    claim = settled(a_claim(), kernel)

    assert not any(isinstance(step, Unbind) for step in kernel.taken)
    assert holds(claim)
    assert claim.status.kernel_driver_to_unbind == ""


def test_the_original_driver_is_learned_later_when_there_was_none() -> None:
    """The module of the host driver was loaded after a reboot only."""
    kernel = a_kernel(device=a_gpu(driver=None))
    claim = settled(a_claim(), kernel)
    kernel.drivers.add("nvidia")
    kernel.reboot()
    kernel.drivers |= READY_TO_GO

    claim = settled(claim, kernel)

    assert claim.status.kernel_driver_to_unbind == "nvidia"
    assert holds(claim)


def test_a_device_that_others_have_on_vfio_is_claimed_as_it_is() -> None:
    kernel = a_kernel(device=a_gpu(driver="vfio-pci"), override="vfio-pci")

    claim = settled(a_claim(), kernel)

    assert kernel.taken == []
    assert claim.status.was_on_vfio
    assert claim.status.kernel_driver_to_unbind == ""
    assert holds(claim)


def test_a_claim_of_the_ancestor_goes_on_with_what_it_recorded() -> None:
    """harvester/pcidevices wrote the driver, and nothing of who the device was."""
    status = PCIDeviceClaimStatus(kernel_driver_to_unbind="nvidia", passthrough_enabled=True)

    claim = settled(a_claim(status=status), a_kernel(device=a_gpu(driver="vfio-pci")))

    assert claim.status.kernel_driver_to_unbind == "nvidia"
    assert not claim.status.was_on_vfio


def test_vfio_pci_is_never_the_original_driver() -> None:
    """The ancestor may have recorded it."""
    status = PCIDeviceClaimStatus(kernel_driver_to_unbind="vfio-pci", passthrough_enabled=True)

    claim = settled(a_claim(status=status), a_kernel(device=a_gpu(driver="vfio-pci")))

    assert claim.status.kernel_driver_to_unbind == ""
    assert claim.status.was_on_vfio


def test_an_override_that_a_crash_left_is_cleared() -> None:
    claim = settled(a_claim(), kernel := a_kernel())
    kernel.override = "vfio-pci"

    settled(claim, kernel)

    assert kernel.override is None


def test_an_absent_device_is_waited_for() -> None:
    kernel = a_kernel()
    claim = settled(a_claim(), kernel)
    there, kernel.device = kernel.device, None

    claim = settled(claim, kernel)

    assert reason(claim) == "DeviceNotFound"
    assert not claim.status.passthrough_enabled
    assert claim.status.kernel_driver_to_unbind == "nvidia"

    assert there is not None
    kernel.device = replace(there, driver="nvidia")
    assert holds(settled(claim, kernel))


def test_an_unreadable_device_is_left_alone() -> None:
    sight_of_nothing = a_kernel(device=None).sight(CARD)

    decision = decide(
        a_claim(), replace(sight_of_nothing, device=Unreadable(str(CARD), "vendor is missing")), now="now"
    )

    assert decision.steps == ()
    assert not decision.hold
    told = {one.type: (one.status, one.reason) for one in decision.status.conditions}
    assert told["Bound"] == told["GroupViable"] == ("Unknown", "DeviceUnreadable")


@pytest.mark.parametrize(
    "change",
    [
        {"device": "1c03"},
        {"vendor": "1002"},
        {"subsystem": "1458:0000"},
        {"serial": "other"},
        {"sriov": VirtualFunction(at("0000:03:00.0"))},
    ],
)
def test_another_device_at_the_address_is_refused_with_both_named(change: dict[str, Any]) -> None:
    kernel = a_kernel(device=a_gpu(serial="S1"))
    claim = settled(a_claim(), kernel)
    kernel.device = a_gpu(**({"serial": "S1"} | change))
    kernel.taken.clear()

    claim = settled(claim, kernel)

    assert reason(claim) == "DeviceChanged"
    assert "10de:1c02, subsystem 1458:3702, serial S1 when" in message(claim)
    assert kernel.taken == []


def test_a_serial_that_is_not_told_any_more_is_no_other_device() -> None:
    """vfio-pci does not tell what nvme told."""
    kernel = a_kernel(device=a_gpu(serial="S1"))
    claim = settled(a_claim(), kernel)
    kernel.device = a_gpu(driver="vfio-pci")

    assert holds(settled(claim, kernel))


def test_a_device_that_the_host_uses_stays_with_it() -> None:
    kernel = a_kernel(uses=("/dev/sda1 is mounted at /",))

    claim = settled(a_claim(), kernel)

    assert (reason(claim), reason(claim, "Allowed")) == ("DeviceProtected", "DeviceProtected")
    assert "mounted at /" in message(claim)
    assert kernel.taken == []
    assert claim.finalizers == ()


@pytest.mark.parametrize(
    "change",
    [{"uses": ("/dev/sda1 is mounted at /",)}, {"virtual_functions": (a_nic("0000:04:10.0", driver="vfio-pci"),)}],
)
def test_a_device_that_is_used_is_looked_at_again(change: dict[str, Any]) -> None:
    """Nobody tells us of an unmount, nor a physical function of what becomes of its virtual ones."""
    assert decided(a_claim(), a_kernel(**change)).look_again


@pytest.mark.parametrize("change", [{"boot_vga": True}, {"class_code": "080600"}, {"class_code": "0c0500"}])
def test_parts_of_the_machine_stay_with_it(change: dict[str, Any]) -> None:
    assert reason(settled(a_claim(), a_kernel(device=a_gpu(**change)))) == "DeviceProtected"


def test_a_claim_that_names_the_device_gets_it_although_it_is_protected() -> None:
    kernel = a_kernel(uses=("/dev/sda1 is mounted at /",))

    decision = decided(a_claim(allow_protected="04:00.0"), kernel)

    assert {c.reason for c in decision.status.conditions} >= {"ProtectionOverridden"}
    assert decision.steps


@pytest.mark.parametrize("text", ["", "true", "0000:04:00.1", "../../etc", "*"])
def test_no_other_word_allows_a_protected_device(text: str) -> None:
    kernel = a_kernel(uses=("/dev/sda1 is mounted at /",))

    assert reason(settled(a_claim(allow_protected=text), kernel)) == "DeviceProtected"


@pytest.mark.parametrize("class_code", ["060000", "060100", "060400"])
def test_a_bridge_is_never_claimed_whatever_allows_it(class_code: str) -> None:
    kernel = a_kernel(device=a_gpu(class_code=class_code))

    claim = settled(a_claim(allow_protected="0000:04:00.0"), kernel)

    assert reason(claim) == "NotClaimable"
    assert kernel.taken == []


def test_a_physical_function_with_virtual_ones_in_use_is_refused_whatever_allows_it() -> None:
    kernel = a_kernel(virtual_functions=(a_nic("0000:04:10.0", driver="vfio-pci"),))

    claim = settled(a_claim(allow_protected="0000:04:00.0"), kernel)

    assert reason(claim) == "DeviceInUse"
    assert "0000:04:10.0" in message(claim)


def test_a_physical_function_with_a_virtual_one_that_cannot_be_read_is_refused() -> None:
    """Whatever allows it: perhaps a virtual machine has that one."""
    kernel = a_kernel(virtual_functions=(Unreadable("0000:04:10.0", "vendor cannot be read"),))

    claim = settled(a_claim(allow_protected="0000:04:00.0"), kernel)

    assert reason(claim) == "DeviceInUse"
    assert "0000:04:10.0" in message(claim)
    assert kernel.taken == []


def test_a_physical_function_with_idle_virtual_ones_is_protected() -> None:
    """They would vanish, and nobody would make them again."""
    assert reason(settled(a_claim(), a_kernel(virtual_functions=(a_nic("0000:04:10.0"),)))) == "DeviceProtected"


def test_without_an_iommu_nothing_is_done() -> None:
    kernel = a_kernel(device=a_gpu(iommu_group=None))

    claim = settled(a_claim(), kernel)

    assert (reason(claim), reason(claim, "GroupViable")) == ("NoIommuGroup", "NoIommuGroup")
    assert kernel.taken == []


def test_of_a_device_that_its_host_driver_has_it_is_told_that_nothing_else_is_in_the_way() -> None:
    claim, _, _ = turn(a_claim(), a_kernel())

    assert holds(claim, "GroupViable")
    assert message(claim, "GroupViable").startswith("nothing else in IOMMU group ")


def test_a_sibling_on_a_host_driver_is_named() -> None:
    """The device is bound all the same: the sibling's claim may be on its way."""
    kernel = a_kernel(others=(a_nic("0000:04:00.1", driver="snd_hda_intel"),))

    claim = settled(a_claim(), kernel)

    assert reason(claim) == "GroupNotViable"
    assert "0000:04:00.1 is on snd_hda_intel" in message(claim)
    assert holds(claim, "Bound")
    assert not claim.status.passthrough_enabled


@pytest.mark.parametrize(
    "sibling",
    [a_nic(driver=None), a_nic(driver="vfio-pci"), a_bridge(driver=None), a_bridge(), a_nic(driver="pci-stub")],
)
def test_harmless_siblings_do_not_matter(sibling: object) -> None:
    assert holds(settled(a_claim(), a_kernel(others=(sibling,))))


def test_of_two_claims_the_older_has_the_device() -> None:
    first = a_claim(created="2026-01-01T00:00:00Z")
    second = replace(first, name="second", uid="claim-2", created="2026-01-02T00:00:00Z")
    kernel = a_kernel()

    refused = settled(second, kernel, rivals=[first])
    ready = settled(first, kernel, rivals=[second])

    assert reason(refused) == "ClaimedByAnother"
    assert first.name in message(refused)
    assert refused.finalizers == ()
    assert holds(ready)


def test_who_has_the_device_keeps_it_though_an_older_claim_turns_up() -> None:
    """Times of creation can be restored from a backup, or lie."""
    kernel = a_kernel()
    second = settled(a_claim(name="second", uid="claim-2", created="2026-01-02T00:00:00Z"), kernel)
    first = a_claim(created="2026-01-01T00:00:00Z")

    assert reason(settled(first, kernel, rivals=[second])) == "ClaimedByAnother"
    assert holds(settled(second, kernel, rivals=[first]))


def test_a_claim_that_gave_back_and_waits_for_others_is_no_rival() -> None:
    kernel = a_kernel()
    first = replace(settled(a_claim(), kernel), deleting=True, finalizers=("somebody/else",))
    kernel.reboot()
    kernel.drivers |= READY_TO_GO

    assert holds(settled(replace(a_claim(), name="second", uid="claim-2", created="2027"), kernel, rivals=[first]))


@pytest.mark.parametrize(
    ("machine", "expected"), [("abc-1", "Ready"), ("def-2", "WrongMachine"), (None, "WrongMachine")]
)
def test_a_claim_for_another_machine_of_that_name_is_refused(machine: str | None, expected: str) -> None:
    assert reason(settled(a_claim(node_system_uuid="ABC-1"), a_kernel(machine=machine))) == expected


def test_nothing_is_done_while_the_kernel_does_not_answer_for_the_device() -> None:
    kernel = a_kernel(is_silent=True)

    decision = decided(a_claim(), kernel)

    assert decision.steps == ()
    assert decision.look_again
    assert reason(settled(a_claim(), kernel)) == "DeviceSilent"


def test_what_was_claimed_by_its_serial_number_is_not_taken_again_without() -> None:
    """After a reboot it may be another card, which does not tell in time."""
    kernel = a_kernel(device=a_gpu(serial="S1"))
    claim = replace(a_claim(), status=decided(a_claim(), kernel).status)
    kernel.device, kernel.tells_no_serial = a_gpu(), True

    decision = decided(claim, kernel)

    assert decision.steps == ()
    assert decision.look_again
    assert reason(replace(claim, status=decision.status)) == "DeviceSilent"
    assert decided(a_claim(), kernel).steps, "of a new claim nothing is recorded"


def test_a_look_that_saw_nothing_says_nothing_of_the_machine() -> None:
    sight = Sight(address=a_gpu().address, device=Unreadable("0000:04:00.0", "no answer"), is_silent=True)

    decision = decide(a_claim(node_system_uuid="abc-1"), sight, now="2026-03-04T05:06:07Z")

    assert reason(replace(a_claim(), status=decision.status)) == "DeviceUnreadable"
    assert decision.look_again


def test_a_device_that_somebody_still_holds_is_waited_for() -> None:
    """It has no driver any more, since an unbind that nobody of ours did sleeps."""
    kernel = a_kernel(device=a_gpu(driver=None), held=True)

    decision = decided(a_claim(), kernel)

    assert decision.steps == ()
    assert decision.look_again
    assert GIVE_BACK_FINALIZER not in a_claim().finalizers


def test_conditions_say_which_generation_they_are_about() -> None:
    claim = settled(a_claim(generation=3), a_kernel())

    assert {c.observed_generation for c in claim.status.conditions} == {3}
