"""What is offered to the kubelet."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from hypothesis import given
from hypothesis import strategies as st

from pcidevices.api.v1beta1 import PCIDeviceStatus
from pcidevices.domain.advertise import Advertised, advertised
from pcidevices.domain.claim import Claim
from pcidevices.domain.device import PciDevice
from pcidevices.domain.held import HeldDevice
from pcidevices.domain.offer import Offer
from tests.support.builders import NODE, a_bridge, a_claim, a_condition, a_gpu, a_nic, a_published, at


GPU, SOUND, NIC = "0000:04:00.0", "0000:04:00.1", "0000:05:00.0"
NAME = "nvidia.com/GP106_GEFORCE_GTX_1060_3GB"


def on_vfio(device: PciDevice, **changes: Any) -> PciDevice:
    return replace(device, driver="vfio-pci", **changes)


def a_ready_claim(device: PciDevice, **changes: Any) -> Claim:
    claim = a_claim(device, **changes)
    ready = a_condition("Ready", "True", reason="Ready")
    return replace(claim, status=type(claim.status)(conditions=(ready,)))


def offered(
    *devices: PciDevice, claims: list[Claim], held: tuple[HeldDevice, ...] = (), **names: str
) -> Mapping[str, Offer]:
    published = [a_published(device) for device in devices]
    published = [
        replace(
            one, status=type(one.status)(resource_name=names.get(one.name.replace("-", "_"), one.status.resource_name))
        )
        for one in published
    ]
    by_address = {device.address: device for device in devices}
    return advertised(by_address, claims, {one.name: one for one in published}, held, node_name=NODE).offers


def test_a_claimed_device_on_its_vfio_driver_is_healthy() -> None:
    gpu = on_vfio(a_gpu(), vfio_device="vfio0")

    (device,) = offered(gpu, claims=[a_ready_claim(gpu)])[NAME].devices

    assert device.unhealthy is None
    assert (device.address, device.numa_node, device.iommu_group, device.vfio_device) == (at(GPU), 0, "14", "vfio0")


def test_a_variant_of_vfio_pci_may_have_any_name() -> None:
    """Its module tells; so does that of a sibling in the group."""
    variant: dict[str, Any] = {"driver": "odd-one", "is_vfio_by_module": True}
    gpu, sound = a_gpu(iommu_group_members=(at(GPU), at(SOUND)), **variant), a_gpu(SOUND, **variant)

    (device,) = offered(gpu, sound, claims=[a_ready_claim(gpu)])[NAME].devices

    assert device.unhealthy is None


def test_what_nobody_claims_is_not_offered() -> None:
    assert offered(on_vfio(a_gpu()), claims=[]) == {}


def test_equal_devices_share_a_resource_and_are_in_order() -> None:
    first, second = on_vfio(a_gpu(GPU)), on_vfio(a_gpu("0000:03:00.0"))

    (offer,) = offered(first, second, claims=[a_ready_claim(first), a_ready_claim(second, name="other")]).values()

    assert [str(device.address) for device in offer.devices] == ["0000:03:00.0", GPU]


def test_a_claim_can_have_its_device_offered_under_a_name_of_its_own() -> None:
    gpu = on_vfio(a_gpu())

    assert list(offered(gpu, claims=[a_ready_claim(gpu, disable_resource_pooling=True)])) == [
        "nvidia.com/janus-000004000"
    ]


@pytest.mark.parametrize(
    ("device", "words"),
    [
        (a_gpu(), "is on nvidia"),
        (a_gpu(driver=None), "is on no driver"),
        (on_vfio(a_gpu(), iommu_group_members=(at(GPU), at(SOUND))), "0000:04:00.1 of the same IOMMU group"),
    ],
)
def test_a_device_that_no_machine_could_have_is_unhealthy_and_says_why(device: PciDevice, words: str) -> None:
    sound = a_nic(SOUND, driver="snd_hda_intel")

    (one,) = offered(device, sound, claims=[a_ready_claim(device)])[NAME].devices

    assert words in (one.unhealthy or "")


@pytest.mark.parametrize("sibling", [a_bridge(SOUND), a_nic(SOUND, driver=None), a_nic(SOUND, driver="vfio-pci")])
def test_harmless_siblings_do_not_matter(sibling: PciDevice) -> None:
    gpu = on_vfio(a_gpu(), iommu_group_members=(at(GPU), at(SOUND)))

    (one,) = offered(gpu, sibling, claims=[a_ready_claim(gpu)])[NAME].devices

    assert one.unhealthy is None


def test_a_claim_that_is_being_deleted_makes_its_device_unhealthy() -> None:
    """The kubelet is told before the device is unbound."""
    gpu = on_vfio(a_gpu())

    (one,) = offered(gpu, claims=[a_ready_claim(gpu, deleting=True)])[NAME].devices

    assert "being deleted" in (one.unhealthy or "")


def test_a_claim_that_is_not_ready_makes_its_device_unhealthy() -> None:
    gpu = on_vfio(a_gpu())

    (one,) = offered(gpu, claims=[a_claim(gpu)])[NAME].devices

    assert "not Ready" in (one.unhealthy or "")


def test_a_device_that_vanished_stays_in_the_offer_while_it_is_claimed() -> None:
    """To drop it would free it in the kubelet's books."""
    gpu = on_vfio(a_gpu())
    published = a_published(gpu)

    offer = advertised({}, [a_ready_claim(gpu)], {published.name: published}, (), node_name=NODE).offers[NAME]

    assert "not on the node" in (offer.devices[0].unhealthy or "")


def test_a_device_that_a_pod_holds_stays_in_the_offer_without_its_claim() -> None:
    gpu = on_vfio(a_gpu())
    held = (HeldDevice("default", "vm", "compute", NAME, (GPU,)),)

    (one,) = offered(gpu, claims=[], held=held)[NAME].devices

    assert one.unhealthy is not None


def test_devices_of_other_plugins_are_nothing_to_us() -> None:
    """To offer their resources would take them away from them; some call their devices by address, as we do."""
    held = (HeldDevice("default", "pod", "main", "example.com/dongle", ("dongle-1", "0000:99:00.0", GPU)),)

    assert offered(on_vfio(a_gpu()), claims=[], held=held) == {}


def advertised_as(names: dict[str, str], *claims: Claim) -> Advertised:
    """What is advertised of devices on their vfio drivers, by the names that were published for them."""
    devices = {claim.address: on_vfio(a_gpu(str(claim.address))) for claim in claims}
    published = (a_published(device, resource_name=names[str(at_)]) for at_, device in devices.items())
    return advertised(devices, claims, {one.name: one for one in published}, (), node_name=NODE)


FIRST = a_ready_claim(a_gpu(), created="2026-01-01T00:00:00Z")
SECOND = a_ready_claim(a_nic(), created="2026-01-01T00:00:01Z")


def test_a_name_that_the_kubelet_would_refuse_is_not_offered_and_it_is_told_why() -> None:
    found = advertised_as({GPU: "Not/A/Name", NIC: "a.com/x"}, FIRST, SECOND)

    assert list(found.offers) == ["a.com/x"]
    assert [(str(address), finding.reason) for address, finding in found.refused.items()] == [
        (GPU, "ResourceNameInvalid")
    ]


@pytest.mark.parametrize("names", [("a.com/CARD_1", "a.com/card_1"), ("a.com/card_1", "a.com/CARD_1")])
def test_of_two_names_that_a_machine_could_not_tell_apart_the_one_claimed_first_is_offered(
    names: tuple[str, str],
) -> None:
    """Whatever their order: nothing is taken from those who have it."""
    found = advertised_as(dict(zip((GPU, NIC), names, strict=True)), SECOND, FIRST)

    assert list(found.offers) == [names[0]]
    assert list(found.refused) == [at(NIC)]
    assert found.refused[at(NIC)].reason == "ResourceNameTaken"
    assert names[0] in found.refused[at(NIC)].message


def test_of_two_claimed_in_the_same_second_the_first_name_is_offered() -> None:
    twin = replace(SECOND, created=FIRST.created)

    assert list(advertised_as({GPU: "a.com/card", NIC: "a.com/CARD"}, FIRST, twin).offers) == ["a.com/CARD"]


def test_what_only_a_pod_holds_gives_way_to_what_is_claimed() -> None:
    gpu, nic = on_vfio(a_gpu()), on_vfio(a_nic())
    published = [a_published(gpu, resource_name="a.com/CARD"), a_published(nic, resource_name="a.com/card")]
    held = (HeldDevice("default", "vm", "compute", "a.com/CARD", (GPU,)),)

    found = advertised(
        {gpu.address: gpu, nic.address: nic}, [SECOND], {one.name: one for one in published}, held, node_name=NODE
    )

    assert list(found.offers) == ["a.com/card"]
    assert found.refused == {}


@pytest.mark.parametrize("is_made_anew", [False, True])
def test_a_device_stays_in_the_offer_while_somebody_has_deleted_its_object(*, is_made_anew: bool) -> None:
    """Else the kubelet would have none of it for a moment, and take one that a pod holds for free."""
    gpu, nic = on_vfio(a_gpu()), on_vfio(a_nic())
    fresh = [replace(a_published(one), status=PCIDeviceStatus()) for one in (gpu, nic)] if is_made_anew else []
    published = {one.name: one for one in fresh}
    devices, held = {gpu.address: gpu, nic.address: nic}, (HeldDevice("default", "vm", "compute", "a.com/nic", (NIC,)),)
    names = {gpu.address: "a.com/gpu", nic.address: "a.com/nic"}

    found = advertised(devices, [FIRST], published, held, node_name=NODE, before=Advertised(names=names))

    assert {name: [str(one.address) for one in offer.devices] for name, offer in found.offers.items()} == {
        "a.com/gpu": [GPU],
        "a.com/nic": [NIC],
    }


def test_a_device_whose_object_has_no_status_yet_is_neither_offered_nor_refused() -> None:
    """Its status is written after it: for a moment it has no name."""
    gpu = on_vfio(a_gpu())
    fresh = replace(a_published(gpu), status=PCIDeviceStatus())

    found = advertised(
        {gpu.address: gpu}, [replace(FIRST, disable_resource_pooling=True)], {fresh.name: fresh}, (), node_name=NODE
    )

    assert found == Advertised()


def test_what_a_pod_has_under_another_name_is_not_given_away_again() -> None:
    """The kubelet counts each resource for itself."""
    gpu = on_vfio(a_gpu())
    held = (HeldDevice("default", "vm", "compute", NAME, (GPU,)),)
    alone = a_ready_claim(gpu, disable_resource_pooling=True)

    offers = offered(gpu, claims=[alone], held=held)

    assert {name: [one.unhealthy for one in offer.devices] for name, offer in offers.items()} == {
        NAME: ["it is held by a pod, and not claimed any more"],
        f"nvidia.com/{NODE}-000004000": [f"pod default/vm has it as {NAME}"],
    }


DRIVERS = st.sampled_from([None, "vfio-pci", "nouveau"])
VIEWS = st.lists(
    st.tuples(DRIVERS, DRIVERS, st.booleans(), st.sampled_from(["True", "False", None]), st.booleans(), st.booleans()),
    min_size=2,
    max_size=6,
)


@given(VIEWS)
def test_what_was_worked_out_before_changes_nothing(views: list[tuple[Any, ...]]) -> None:
    """Whatever came before: another driver of a device or of its neighbour, another claim, or none."""
    members = (at(GPU), at(SOUND))
    before = Advertised()
    for driver, of_sound, is_there, ready, deleting, is_held in views:
        gpu = a_gpu(driver=driver, iommu_group_members=members)
        sound = a_gpu(SOUND, driver=of_sound, iommu_group_members=members)
        claim = replace(a_ready_claim(gpu) if ready == "True" else a_claim(gpu), deleting=deleting)
        told = a_published(gpu)
        view = (
            {one.address: one for one in (gpu, sound) if is_there or one is sound},
            [claim] if ready is not None else [],
            {told.name: told},
            (HeldDevice("default", "vm", "compute", NAME, (GPU,)),) if is_held else (),
        )

        anew = advertised(*view, node_name=NODE, before=Advertised(names=before.names))
        before = advertised(*view, node_name=NODE, before=before)

        assert before == anew


def test_what_did_not_change_stays_the_same_object() -> None:
    """Whoever comes next sees what changed without comparing."""
    first, second = on_vfio(a_gpu(GPU)), on_vfio(a_gpu("0000:03:00.0"))
    claims = [a_ready_claim(first), a_ready_claim(second, name="other")]
    published = {one.name: one for one in map(a_published, (first, second))}

    before = advertised({first.address: first, second.address: second}, claims, published, (), node_name=NODE)
    after = advertised({second.address: second}, claims, published, (), node_name=NODE, before=before)

    (old,), (new,) = before.offers.values(), after.offers.values()
    assert new.devices[0] is old.devices[0]
    assert new.devices[1].unhealthy == f"{GPU} is not on the node"
