"""What a container gets, and why it gets nothing."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from pcidevices.domain.allocation import Allocation, Refusal, RefusalKind, allocate
from pcidevices.domain.offer import Offer, OfferedDevice
from tests.support.builders import at


NAME = "nvidia.com/TU104GL_Tesla-T4.x"
ENV = "PCI_RESOURCE_NVIDIA_COM_TU104GL_TESLA-T4_X"


def offered(address: str = "0000:04:00.0", **changes: Any) -> OfferedDevice:
    plain: dict[str, Any] = {"address": at(address), "iommu_group": "14", "numa_node": 0}
    return OfferedDevice(**(plain | changes))


def test_a_device_is_given_with_its_variable_and_its_nodes() -> None:
    """The container's node, the group's, and the device's own where the kernel makes one."""
    offer = Offer(NAME, (offered(vfio_device="vfio3"),))

    assert allocate(offer, ["0000:04:00.0"]) == Allocation(
        addresses=("0000:04:00.0",),
        envs=((ENV, "0000:04:00.0"),),
        nodes=("/dev/vfio/vfio", "/dev/vfio/14", "/dev/vfio/devices/vfio3"),
    )


def test_the_node_of_a_shared_group_is_given_once() -> None:
    offer = Offer(NAME, (offered(), offered("0000:04:00.1"), offered("0000:05:00.0", iommu_group="15")))

    given_ = allocate(offer, ["0000:05:00.0", "0000:04:00.1", "0000:04:00.0"])

    assert given_ == Allocation(
        addresses=("0000:04:00.0", "0000:04:00.1", "0000:05:00.0"),
        envs=((ENV, "0000:04:00.0,0000:04:00.1,0000:05:00.0"),),
        nodes=("/dev/vfio/vfio", "/dev/vfio/14", "/dev/vfio/15"),
    )


def test_siblings_that_were_not_asked_for_are_not_given() -> None:
    """An address too many would take the place of the next device."""
    match allocate(Offer(NAME, (offered(), offered("0000:04:00.1"))), ["0000:04:00.1"]):
        case Allocation(addresses=addresses, envs=((_, value),)):
            assert (addresses, value) == (("0000:04:00.1",), "0000:04:00.1")
        case other:
            raise AssertionError(other)


def test_nothing_is_given_for_nothing() -> None:
    assert allocate(Offer(NAME, (offered(),)), []) == Allocation()


def refusal(*ids: str, **changes: Any) -> Refusal:
    address = changes.pop("address", "0000:04:00.0")
    refused = allocate(Offer(NAME, (offered(address, **changes), offered("0000:05:00.0"))), ids)
    assert isinstance(refused, Refusal)
    return refused


def test_an_unknown_id_is_refused_by_name() -> None:
    """Also beside good ones: it is never skipped."""
    assert refusal("0000:05:00.0", "0000:09:00.0") == Refusal(
        RefusalKind.UNKNOWN, f"'0000:09:00.0' is no device of {NAME} on this node"
    )


def test_an_unhealthy_device_is_refused_with_its_reason() -> None:
    assert refusal("0000:04:00.0", unhealthy="it is on the driver nvidia, not on vfio-pci") == Refusal(
        RefusalKind.NOT_READY, "0000:04:00.0 cannot be used: it is on the driver nvidia, not on vfio-pci"
    )


def test_the_same_device_twice_is_refused() -> None:
    assert refusal("0000:04:00.0", "0000:04:00.0").kind is RefusalKind.MALFORMED


def test_a_domain_that_kubevirt_cannot_read_is_refused() -> None:
    """Its launcher knows four digits only."""
    refused = refusal("10000:e1:00.0", address="10000:e1:00.0")

    assert refused.kind is RefusalKind.NOT_READY
    assert "10000:e1:00.0" in refused.message


def test_a_device_without_a_group_is_refused() -> None:
    assert "no IOMMU group" in refusal("0000:04:00.0", iommu_group=None).message


def test_the_message_about_an_endless_id_is_short() -> None:
    """It becomes a pod's status."""
    assert len(refusal("x" * 100_000).message) < 200


DEVICES = st.builds(
    lambda bus, function, group, health: OfferedDevice(
        address=at(f"0000:{bus:02x}:00.{function}"), iommu_group=group, unhealthy=health
    ),
    *(
        st.integers(0, 5),
        st.integers(0, 3),
        st.sampled_from(["1", "2", None]),
        st.sampled_from([None, None, "it hangs"]),
    ),
)
OFFERS = st.lists(DEVICES, unique_by=lambda device: device.address).map(
    lambda devices: Offer(NAME, tuple(sorted(devices, key=lambda device: device.address)))
)


@given(OFFERS, st.data())
def test_exactly_what_is_asked_for_is_given_or_nothing_is(offer: Offer, data: st.DataObject) -> None:
    """One address for each id, sorted; and every group's node once."""
    known = [str(device.address) for device in offer.devices]
    ids = data.draw(st.lists(st.sampled_from([*known, "nonsense"])))

    match allocate(offer, ids):
        case Allocation() as given_:
            assert list(given_.addresses) == sorted(ids)
            assert len(set(given_.nodes)) == len(given_.nodes)
            assert all(value == ",".join(sorted(ids)) for _, value in given_.envs)
        case Refusal() as refused:
            assert any(id_ in refused.message for id_ in ids)


@given(OFFERS, st.randoms(use_true_random=False))
def test_the_order_of_the_ids_does_not_matter(offer: Offer, random: Any) -> None:
    """The kubelet's is random."""
    ids = [str(device.address) for device in offer.devices if device.unhealthy is None and device.iommu_group]
    shuffled = list(ids)
    random.shuffle(shuffled)

    assert allocate(offer, shuffled) == allocate(offer, ids)
