"""What a claim needs next: on the way back to the original driver."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pcidevices.api.v1beta1 import GIVE_BACK_FINALIZER
from pcidevices.domain.claim import Claim
from pcidevices.domain.claims import decide
from pcidevices.domain.decision import Decision
from pcidevices.domain.device import Unreadable
from pcidevices.domain.sight import Holder
from pcidevices.domain.steps import Bind, ClearOverride, LoadModule, Probe, Unbind
from tests.support.builders import a_claim, a_gpu, a_nic, at
from tests.support.tiny_kernel import TinyKernel

from .claim_turns import NOW, decided, deleted, is_gone, message, reason, settled


CARD = at("0000:04:00.0")


def a_kernel(**changes: object) -> TinyKernel:
    kernel = TinyKernel(a_gpu(), knows=("nvidia",), drivers={"nvidia", "vfio-pci"})
    for name, value in changes.items():
        setattr(kernel, name, value)
    return kernel


def a_bound_one(kernel: TinyKernel) -> Claim:
    """A claim that is Ready, and then deleted."""
    claim = settled(a_claim(), kernel)
    kernel.taken.clear()
    return deleted(claim)


def ending(decision: Decision) -> str:
    assert decision.release is not None
    return decision.release.reason


def test_deleting_gives_the_device_back_to_its_original_driver() -> None:
    claim = a_bound_one(kernel := a_kernel())

    claim = settled(claim, kernel)

    assert kernel.taken == [Unbind(CARD, "vfio-pci"), Bind(CARD, "nvidia")]
    assert kernel.driver == "nvidia"
    assert is_gone(claim)


def test_an_override_is_cleared_before_the_unbind() -> None:
    claim = a_bound_one(kernel := a_kernel())
    kernel.override = "vfio-pci"

    settled(claim, kernel)

    assert kernel.taken[0] == ClearOverride(CARD)
    assert kernel.driver == "nvidia"
    assert kernel.override is None


def test_a_missing_original_driver_is_loaded() -> None:
    claim = a_bound_one(kernel := a_kernel())
    kernel.drivers.discard("nvidia")

    claim = settled(claim, kernel)

    assert LoadModule("pci:v00") in kernel.taken
    assert kernel.driver == "nvidia"
    assert is_gone(claim)


def test_another_driver_may_have_it_when_the_original_one_is_gone() -> None:
    claim = a_bound_one(kernel := a_kernel())
    kernel.drivers = {"vfio-pci", "nouveau"}
    kernel.knows = ("nouveau",)

    decision = decided(settled(claim, kernel, turns=1), kernel)

    assert kernel.driver == "nouveau"
    assert ending(decision) == "GivenToAnotherDriver"


def test_deleting_ends_although_no_driver_takes_the_device() -> None:
    """After some tries the claim goes, and says that the device has no driver."""
    claim = a_bound_one(kernel := a_kernel())
    kernel.drivers, kernel.host_modules_are_gone = {"vfio-pci"}, True

    claim = settled(claim, kernel)

    assert kernel.driver is None
    assert kernel.override is None
    assert is_gone(claim)


def test_a_device_that_had_no_driver_gets_none() -> None:
    kernel = a_kernel(device=a_gpu(driver=None), drivers={"vfio-pci"})
    claim = a_bound_one(kernel)
    kernel.drivers.add("nvidia")

    claim = settled(claim, kernel)

    assert kernel.taken == [Unbind(CARD, "vfio-pci")]
    assert is_gone(claim)


def test_a_device_that_others_had_on_vfio_stays_there() -> None:
    kernel = a_kernel(device=a_gpu(driver="vfio-pci"), override="vfio-pci", held=True)
    claim = a_bound_one(kernel)

    assert ending(decided(claim, kernel)) == "LeftOnVfio"
    assert is_gone(settled(claim, kernel))
    assert kernel.taken == []
    assert kernel.override == "vfio-pci"


def test_a_device_in_use_is_not_touched_and_the_user_is_named() -> None:
    claim = a_bound_one(kernel := a_kernel())
    kernel.held = True

    claim = settled(claim, kernel)

    assert kernel.taken == []
    assert reason(claim) == "DeviceInUse"
    assert "process 4711 (qemu-system-x86)" in message(claim)
    assert GIVE_BACK_FINALIZER in claim.finalizers
    assert not claim.status.passthrough_enabled

    kernel.release()
    assert is_gone(settled(claim, kernel))
    assert kernel.driver == "nvidia"


def test_a_user_of_a_sibling_is_waited_for() -> None:
    """The host's driver could not have the device while somebody has the group."""
    claim = a_bound_one(kernel := a_kernel())
    sight = replace(kernel.sight(CARD), holders=(Holder(at("0000:04:00.1"), "process 1 (qemu)"),))

    decision = decide(claim, sight, now=NOW)

    assert decision.steps == ()
    assert decision.look_again
    assert decision.release is None


def test_an_unbind_that_hangs_is_waited_for_and_goes_on() -> None:
    """Somebody opened the device between the look and the unbind."""
    claim = a_bound_one(kernel := a_kernel())
    kernel.hangs = True

    claim = settled(claim, kernel, turns=2)
    assert reason(claim) == "WriteTimedOut"
    taken = list(kernel.taken)
    claim = settled(claim, kernel, turns=2)
    assert kernel.taken == taken

    kernel.release()
    assert is_gone(settled(claim, kernel))
    assert kernel.driver == "nvidia"


def test_nothing_is_done_while_the_kernel_does_not_answer() -> None:
    claim = a_bound_one(kernel := a_kernel())
    kernel.is_silent = True

    assert reason(settled(claim, kernel)) == "DeviceSilent"
    assert kernel.taken == []


def test_a_device_that_is_gone_needs_no_giving_back() -> None:
    claim = a_bound_one(kernel := a_kernel())
    kernel.device = None

    assert ending(decided(claim, kernel)) == "DeviceGone"


def test_an_unreadable_device_is_waited_for() -> None:
    claim = a_bound_one(kernel := a_kernel())
    sight = replace(kernel.sight(CARD), device=Unreadable(str(CARD), "vendor is missing"))

    decision = decide(claim, sight, now=NOW)

    assert (decision.steps, decision.release) == ((), None)


def test_another_device_at_the_address_is_left_alone() -> None:
    claim = a_bound_one(kernel := a_kernel())
    kernel.device = a_nic(str(CARD), driver="vfio-pci")

    assert ending(decided(claim, kernel)) == "DeviceChanged"


def test_after_a_reboot_there_is_nothing_left_to_do() -> None:
    claim = a_bound_one(kernel := a_kernel())
    kernel.reboot()

    assert ending(decided(claim, kernel)) == "GivenBack"


def test_a_claim_that_never_got_the_device_just_goes() -> None:
    """We crashed between the finalizer and the record."""
    claim = deleted(a_claim(finalizers=(GIVE_BACK_FINALIZER,)))

    assert ending(decided(claim, kernel := a_kernel())) == "GivenBack"
    assert kernel.driver == "nvidia"


def test_a_claim_without_our_finalizer_is_not_ours_to_hold() -> None:
    decision = decided(deleted(a_claim(finalizers=("somebody/else",))), a_kernel())

    assert (decision.steps, decision.release) == ((), None)


def test_a_claim_that_lost_against_another_goes_without_the_device() -> None:
    kernel = a_kernel()
    first = settled(a_claim(), kernel)
    second = replace(first, name="second", uid="claim-2", created="2027", deleting=True)

    assert ending(decided(second, kernel, rivals=[first])) == "ClaimedByAnother"


@pytest.mark.parametrize("tries", [1, 2])
def test_when_the_original_driver_refused_the_kernel_may_choose(tries: int) -> None:
    claim = a_bound_one(kernel := a_kernel())
    kernel.do(Unbind(CARD, "vfio-pci"))

    assert decided(claim, kernel, tries=tries).steps == (Probe(CARD),)


@pytest.mark.parametrize("tries", [0, 1])
def test_a_module_that_could_not_be_loaded_is_tried_again(tries: int) -> None:
    """Once may be the host's weakness; the last try is the kernel's choice."""
    claim = a_bound_one(kernel := a_kernel())
    kernel.do(Unbind(CARD, "vfio-pci"))
    kernel.drivers.discard("nvidia")

    assert decided(claim, kernel, tries=tries).steps == (LoadModule("pci:v00"), Probe(CARD))
    assert decided(claim, kernel, tries=2).steps == (Probe(CARD),)


def test_a_claim_for_another_machine_leaves_this_ones_device_alone() -> None:
    """The node was replaced by one of its name, with an equal card in the same slot."""
    kernel = a_kernel()
    claim = replace(a_bound_one(kernel), node_system_uuid="machine-a")
    kernel.machine = "machine-b"

    decision = decided(claim, kernel)

    assert decision.steps == ()
    assert ending(decision) == "WrongMachine"
