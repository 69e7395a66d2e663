"""Frames are what the kubelet reads, and are made quickly."""

from __future__ import annotations

import time

import anyio

from hypothesis import given, settings
from hypothesis import strategies as st

from pcidevices.adapters.kubelet.codec import Encoder
from pcidevices.domain.offer import Offer, OfferedDevice
from pcidevices.kubeletapi.v1beta1 import ListAndWatchResponse
from tests.support.builders import at


DEVICES = st.builds(
    lambda number, unhealthy, numa_node: OfferedDevice(
        address=at(f"0000:{number:02x}:00.0"), unhealthy=unhealthy, numa_node=numa_node
    ),
    *(st.integers(0, 255), st.sampled_from([None, "it hangs"]), st.sampled_from([None, 0, 1, 300])),
)
OFFERS = st.lists(DEVICES, unique_by=lambda device: device.address).map(lambda all_: Offer("a.com/b", tuple(all_)))
TWO_OF_THREE = st.permutations([at(f"0000:0{number}:00.0") for number in range(3)]).flatmap(
    lambda addresses: st.lists(st.sampled_from([None, "it hangs"]), min_size=2, max_size=2).map(
        lambda health: Offer("a.com/b", tuple(map(OfferedDevice, addresses, health)))
    )
)


@settings(deadline=None)
@given(st.lists(OFFERS, max_size=4) | st.lists(TWO_OF_THREE, max_size=4))
def test_a_frame_says_all_of_the_offer_and_nothing_else(offers: list[Offer]) -> None:
    """Whatever was encoded before."""
    encoder = Encoder()
    for offer in offers:
        frame = anyio.run(encoder.frame, offer)
        told = ListAndWatchResponse().parse(frame.wire).devices

        assert [(device.id, device.health, [node.id for node in device.topology.nodes]) for device in told] == [
            (
                str(device.address),
                "Healthy" if device.unhealthy is None else "Unhealthy",
                [] if device.numa_node is None else [device.numa_node],
            )
            for device in offer.devices
        ]
        assert frame.healthy.ids == {device.id for device in told if device.health == "Healthy"}


async def test_one_change_among_a_thousand_does_not_encode_all() -> None:
    """It takes a fraction of the first frame's time."""
    devices = tuple(
        OfferedDevice(address=at(f"0000:{bus:02x}:{slot:02x}.0"), numa_node=0)
        for bus in range(40)
        for slot in range(25)
    )
    encoder = Encoder()
    first: list[float] = []
    then: list[float] = []
    for took, offer in (
        (first, Offer("a.com/b", devices)),
        *((then, Offer("a.com/b", (devices[0]._replace(unhealthy=str(n)), *devices[1:]))) for n in range(5)),
    ):
        started = time.perf_counter()
        await encoder.frame(offer)
        took.append(time.perf_counter() - started)

    assert min(then) < first[0] / 5


async def test_while_the_same_devices_are_healthy_nobody_needs_to_compare() -> None:
    one, two = OfferedDevice(address=at("0000:00:00.0")), OfferedDevice(address=at("0000:01:00.0"))
    encoder = Encoder()

    frames = [
        await encoder.frame(Offer("a.com/b", devices))
        for devices in ((one, two), (one, two._replace(numa_node=1)), (one, two._replace(unhealthy="it hangs")))
    ]

    assert frames[0].healthy is frames[1].healthy
    assert frames[1].healthy is not frames[2].healthy
