"""Claims that the Go ancestor left: nothing is unbound, nothing it recorded is lost, and they can be deleted."""

from __future__ import annotations

from dataclasses import replace

import msgspec
import pytest

from pcidevices.api.v1beta1 import ANCESTOR_FINALIZER, GIVE_BACK_FINALIZER, PCIDeviceClaimStatus
from pcidevices.domain.claim import Claim
from pcidevices.domain.claims import decide, owner_of
from pcidevices.domain.device import Unreadable
from pcidevices.domain.foreign import ForeignClaim
from pcidevices.domain.inventory import name_to_keep
from pcidevices.domain.steps import Bind, Unbind
from tests.support.builders import a_claim, a_gpu, a_published, at
from tests.support.tiny_kernel import TinyKernel

from .claim_turns import NOW, decided, deleted, holds, is_gone, reason, settled


CARD = at("0000:04:00.0")


def an_old_claim(original: str = "nvidia", *, enabled: bool = True) -> Claim:
    """As the ancestor writes it: its finalizer, the driver, a flag, and nothing else."""
    status = PCIDeviceClaimStatus(kernel_driver_to_unbind=original, passthrough_enabled=enabled)
    return a_claim(finalizers=(ANCESTOR_FINALIZER,), status=status)


def on_vfio() -> TinyKernel:
    return TinyKernel(a_gpu(driver="vfio-pci"), knows=("nvidia",), drivers={"nvidia", "vfio-pci"})


def test_a_claim_is_taken_over_without_a_step() -> None:
    """The ancestor bound by `new_id`, without an override; a machine may be running on it."""
    claim = settled(an_old_claim(), kernel := on_vfio())

    assert kernel.taken == []
    assert holds(claim)
    assert claim.status.kernel_driver_to_unbind == "nvidia"
    assert claim.status.claimed is not None
    assert set(claim.finalizers) == {ANCESTOR_FINALIZER, GIVE_BACK_FINALIZER}


def test_its_device_goes_home_when_it_is_deleted() -> None:
    """And with the claim goes the finalizer of the ancestor, which is not there any more to take it off."""
    claim = settled(an_old_claim(), kernel := on_vfio())

    claim = settled(deleted(claim), kernel)

    assert kernel.taken == [Unbind(CARD, "vfio-pci"), Bind(CARD, "nvidia")]
    assert is_gone(claim)


def test_one_that_was_deleted_before_goes_home_too() -> None:
    """No finalizer can be added to it any more: the ancestor's is as good as ours."""
    claim = settled(deleted(an_old_claim()), kernel := on_vfio())

    assert kernel.driver == "nvidia"
    assert is_gone(claim)


def test_one_that_was_deleted_before_waits_for_its_user() -> None:
    kernel = on_vfio()
    kernel.held = True

    claim = settled(deleted(an_old_claim()), kernel)
    again = settled(claim, kernel)

    assert reason(again) == "DeviceInUse"
    assert again.status.claimed is not None
    assert kernel.taken == []


@pytest.mark.parametrize("original", ["", "vfio-pci"])
def test_without_an_original_driver_the_device_stays_on_vfio(original: str) -> None:
    """The ancestor could record vfio-pci itself, or nothing; a guess could be wrong."""
    claim = deleted(an_old_claim(original))

    decision = decided(claim, on_vfio())

    assert decision.steps == ()
    assert decision.release is not None
    assert decision.release.reason == "LeftOnVfio"


def test_a_vfio_driver_that_nothing_has_loaded_yet_is_no_original_driver() -> None:
    """As after a reboot: the device is on its host driver, and the ancestor's record names vfio-pci."""
    kernel = TinyKernel(a_gpu(), knows=("nvidia",), drivers={"nvidia"})

    claim = settled(an_old_claim("vfio-pci"), kernel)
    assert kernel.driver == "vfio-pci"
    assert claim.status.kernel_driver_to_unbind == "nvidia"
    assert is_gone(settled(deleted(claim), kernel))

    assert kernel.driver == "nvidia"


def test_what_it_wrote_stays_while_the_device_cannot_be_read() -> None:
    claim, kernel = deleted(an_old_claim("")), on_vfio()
    sight = replace(kernel.sight(CARD), device=Unreadable("0000:04:00.0", "it makes no sense"))

    decision = decide(claim, sight, now=NOW)

    assert (decision.status, decision.release, decision.steps) == (claim.status, None, ())
    assert decision.look_again is not None


def test_a_claim_that_the_ancestor_never_served_goes_at_once() -> None:
    claim = settled(deleted(an_old_claim("", enabled=False)), kernel := on_vfio())

    assert is_gone(claim)
    assert kernel.taken == []


def test_one_that_is_held_for_its_device_still_owns_it() -> None:
    old, new = replace(deleted(an_old_claim()), created="2025-01-01T00:00:00Z"), a_claim(name="new", uid="new")

    assert owner_of([new, old]) is old


def test_of_a_node_that_is_gone_it_is_held_like_any_other() -> None:
    claim = ForeignClaim(name="a", uid="1", resource_version="1", node_name="gone", finalizers=(ANCESTOR_FINALIZER,))

    assert claim.is_held


def test_a_name_of_its_own_is_not_kept_for_the_model() -> None:
    """With `disableResourcePooling` the ancestor writes `<vendor>/<object's name>` into the device's status."""
    published = a_published(a_gpu())
    status = msgspec.structs.replace(published.status, resource_name=f"nvidia.com/{published.name}")
    published = replace(published, status=status)

    assert name_to_keep(a_gpu(), published, ()) is None
