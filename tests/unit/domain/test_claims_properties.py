"""What holds of claims in every situation, against a kernel that behaves."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from pcidevices.api.v1beta1 import GIVE_BACK_FINALIZER, ClaimedDevice, PCIDeviceClaimStatus
from pcidevices.domain.claim import Claim
from pcidevices.domain.device import PciDevice
from pcidevices.domain.identity import identity_of
from pcidevices.domain.steps import Unbind
from tests.support.builders import a_claim, a_gpu, a_nic
from tests.support.tiny_kernel import TinyKernel

from .claim_turns import decided, deleted, is_gone, settled, told, turn


RIVAL = a_claim(name="rival", uid="claim-0", created="2020-01-01T00:00:00Z")
CARD = identity_of(a_gpu())


def kernels() -> st.SearchStrategy[TinyKernel]:
    """One device in any state, among any siblings."""
    device = st.builds(
        a_gpu,
        driver=st.sampled_from((None, "nvidia", "vfio-pci", "nouveau")),
        class_code=st.sampled_from(("030000", "060400", "0c0500")),
        iommu_group=st.sampled_from(("14", None)),
        boot_vga=st.booleans(),
        serial=st.sampled_from((None, "S1", "S2")),
    )
    return st.builds(
        TinyKernel,
        device=st.none() | device,
        knows=st.sampled_from(((), ("nvidia",), ("nouveau", "nvidia"))),
        drivers=st.sets(st.sampled_from(("nvidia", "nouveau", "vfio-pci"))),
        modules=st.sets(st.sampled_from(("vfio_pci", "mlx5_vfio_pci"))),
        host_modules_are_gone=st.booleans(),
        vfio_module=st.sampled_from(("vfio_pci", "mlx5_vfio_pci")),
        override=st.sampled_from((None, "vfio-pci", "none")),
        held=st.booleans(),
        others=st.sampled_from(((), (a_nic(),), (a_nic(driver="vfio-pci"),))),
        virtual_functions=st.sampled_from(((), (a_nic(),), (a_nic(driver="vfio-pci"),))),
        uses=st.sampled_from(((), ("/dev/sda1 is mounted at /",))),
        machine=st.sampled_from((None, "abc")),
        is_silent=st.booleans(),
        under_way=st.sampled_from((None, "unbind from vfio-pci")),
    ).map(_possible)


def _possible(kernel: TinyKernel) -> TinyKernel:
    """A driver that has a device is in the kernel, and knows it, but for vfio's, which take what they are told to."""
    if kernel.device is not None and kernel.device.driver is not None:
        kernel.drivers.add(kernel.device.driver)
        if kernel.device.driver not in {"vfio-pci", *kernel.knows}:
            kernel.knows = (*kernel.knows, kernel.device.driver)
    return kernel


def statuses() -> st.SearchStrategy[PCIDeviceClaimStatus]:
    """What may have been written of the claim before, by us or by the ancestor."""
    return st.builds(
        PCIDeviceClaimStatus,
        kernel_driver_to_unbind=st.sampled_from(("", "nvidia", "nouveau", "vfio-pci")),
        passthrough_enabled=st.booleans(),
        claimed=st.sampled_from((None, CARD, ClaimedDevice(vendor_id="dead", device_id="beef"))),
        was_on_vfio=st.booleans(),
    )


def claims() -> st.SearchStrategy[Claim]:
    return st.builds(
        a_claim,
        status=statuses(),
        deleting=st.booleans(),
        created=st.sampled_from(("2019-01-01T00:00:00Z", "2026-01-01T00:00:00Z")),
        finalizers=st.sampled_from(((), (GIVE_BACK_FINALIZER,), ("somebody/else",))),
        allow_protected=st.sampled_from(("", "0000:04:00.0", "../x")),
        node_system_uuid=st.sampled_from(("", "ABC", "def")),
        generation=st.integers(0, 2),
    )


RIVALS = st.sampled_from(((), (RIVAL,)))


@given(claims(), kernels(), RIVALS)
def test_what_fails_is_tried_again_until_it_settles(
    claim: Claim, kernel: TinyKernel, rivals: tuple[Claim, ...]
) -> None:
    """And giving back ends even so."""
    tries, last, failed = 0, None, False
    for _ in range(12):
        claim, tries_now, last = turn(claim, kernel, rivals=rivals, tries=tries, before=last)
        failed, tries = failed or tries_now > tries, tries_now
        if not last.steps and told(claim, decided(claim, kernel, rivals=rivals, tries=tries)) == claim:
            break
    else:
        assert not claim.deleting, "a claim that is deleted comes to its end, or waits"
        assert failed


@settings(max_examples=500)
@given(claims(), kernels(), RIVALS)
def test_every_state_settles_in_two_turns(claim: Claim, kernel: TinyKernel, rivals: tuple[Claim, ...]) -> None:
    """In one the steps are taken, also those to a variant module; the next one tells what came of them."""
    tries, last = 0, None
    for _ in range(2):
        claim, tries, last = turn(claim, kernel, rivals=rivals, tries=tries, before=last)

    after, failed, last = turn(claim, kernel, rivals=rivals, tries=tries, before=last)

    assert failed or (after, last.steps) == (claim, ())


@given(claims(), kernels(), RIVALS)
def test_nothing_is_unbound_that_is_protected_or_used(
    claim: Claim, kernel: TinyKernel, rivals: tuple[Claim, ...]
) -> None:
    sight = kernel.sight(claim.address)
    decision = decided(claim, kernel, rivals=rivals)

    device = sight.device
    unbinds = any(isinstance(step, Unbind) for step in decision.steps)
    assert not (unbinds and sight.holders)
    assert not (decision.steps and (sight.write_under_way or device is None))
    if unbinds and isinstance(device, PciDevice) and device.driver not in sight.vfio_drivers:
        protected = sight.host_uses or device.boot_vga or sight.virtual_functions or device.class_id == "0c05"
        assert not protected or claim.allow_protected == "0000:04:00.0"
        assert not device.class_code.startswith("06")
        assert not any(isinstance(vf, PciDevice) and vf.driver == "vfio-pci" for vf in sight.virtual_functions)


@given(claims(), kernels(), RIVALS)
def test_no_step_is_taken_before_its_undoing_is_recorded(
    claim: Claim, kernel: TinyKernel, rivals: tuple[Claim, ...]
) -> None:
    decision = decided(claim, kernel, rivals=rivals)

    if decision.steps and not claim.deleting:
        device = kernel.device
        assert device is not None
        assert decision.hold
        assert decision.status.claimed is not None
        if device.driver not in {None, "vfio-pci"}:
            assert decision.status.kernel_driver_to_unbind in {device.driver, claim.status.kernel_driver_to_unbind}
            assert decision.status.kernel_driver_to_unbind not in {"", "vfio-pci"}


@given(kernels())
def test_giving_back_after_claiming_restores_the_driver(kernel: TinyKernel) -> None:
    kernel.held, kernel.override = False, None
    kernel.host_modules_are_gone = False
    before = kernel.device and kernel.device.driver

    bound = settled(a_claim(), kernel)
    after = settled(deleted(bound), kernel)

    if is_gone(after):
        assert (kernel.device and kernel.device.driver) == before
    else:
        assert kernel.is_silent or kernel.under_way


@given(kernels(), claims())
def test_a_record_is_never_forgotten_nor_a_guess(kernel: TinyKernel, claim: Claim) -> None:
    driver = kernel.device and kernel.device.driver

    after = settled(replace(claim, deleting=False), kernel)

    assert after.status.kernel_driver_to_unbind in {"", driver, claim.status.kernel_driver_to_unbind}
    if claim.status.kernel_driver_to_unbind in {"nvidia", "nouveau"}:
        assert after.status.kernel_driver_to_unbind == claim.status.kernel_driver_to_unbind
    if after.status.claimed is not None and claim.status.claimed is not None:
        assert after.status.claimed.vendor_id == claim.status.claimed.vendor_id
