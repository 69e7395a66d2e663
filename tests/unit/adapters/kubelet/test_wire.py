"""The messages that are written by hand say what Google's say."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest

from hypothesis import given
from hypothesis import strategies as st

from pcidevices.adapters.kubelet.wire import (
    AllocateRequest,
    Choice,
    PreferredAllocationRequest,
    allocated,
    listed,
    preferred,
)
from pcidevices.domain.allocation import Allocation
from tests.support.builders import at
from tests.support.kubelet import message


IDS = st.lists(st.text(max_size=200), max_size=5).map(tuple)
INT32 = st.integers(-(1 << 31), (1 << 31) - 1)
CHOICES = st.builds(Choice, IDS, IDS, INT32)
ALLOCATIONS = st.builds(
    Allocation,
    envs=st.lists(st.tuples(st.text(max_size=9), st.text(max_size=200)), max_size=1).map(tuple),
    nodes=IDS,
)


def google(name: str) -> Any:
    return message(f"v1beta1.{name}")


@given(st.lists(IDS, max_size=4))
def test_a_request_for_devices_is_read(containers: list[tuple[str, ...]]) -> None:
    wire = google("AllocateRequest")(
        container_requests=[google("ContainerAllocateRequest")(devices_ids=ids) for ids in containers]
    ).SerializeToString()

    assert AllocateRequest.parse(wire) == AllocateRequest(tuple(containers))


@given(st.lists(CHOICES, max_size=4))
def test_a_request_for_a_preference_is_read(containers: list[Choice]) -> None:
    of_one = google("ContainerPreferredAllocationRequest")
    wire = google("PreferredAllocationRequest")(
        container_requests=[
            of_one(available_deviceIDs=one.available, must_include_deviceIDs=one.must_include, allocation_size=one.size)
            for one in containers
        ]
    ).SerializeToString()

    assert PreferredAllocationRequest.parse(wire) == PreferredAllocationRequest(tuple(containers))


@given(st.lists(IDS, max_size=4))
def test_a_preference_is_written(containers: list[tuple[str, ...]]) -> None:
    answer = google("PreferredAllocationResponse").FromString(preferred(containers))

    assert [tuple(one.deviceIDs) for one in answer.container_responses] == containers


@given(st.lists(ALLOCATIONS, max_size=4))
def test_an_allocation_is_written(containers: list[Allocation]) -> None:
    answer = google("AllocateResponse").FromString(allocated(containers))

    assert [tuple(one.envs.items()) for one in answer.container_responses] == [one.envs for one in containers]
    assert [
        tuple((spec.container_path, spec.host_path, spec.permissions) for spec in one.devices)
        for one in answer.container_responses
    ] == [tuple((node, node, "mrw") for node in one.nodes) for one in containers]


@given(st.booleans(), st.none() | st.integers(-1, 1 << 40))
def test_a_device_is_written(is_healthy: bool, numa_node: int | None) -> None:  # noqa: FBT001  a situation
    """Node 0 is a node."""
    (told,) = google("ListAndWatchResponse").FromString(listed(at("10000:04:00.1"), is_healthy, numa_node)).devices

    assert (told.ID, told.health) == ("10000:04:00.1", "Healthy" if is_healthy else "Unhealthy")
    assert [node.ID for node in told.topology.nodes] == ([] if numa_node is None else [numa_node])


def test_what_a_newer_kubelet_adds_is_skipped() -> None:
    """A number, eight bytes, four bytes, and a message, between and within what is known."""
    new = b"\x10\x96\x01" + b"\x19" + bytes(8) + b"\x25" + bytes(4) + b"\x2a\x02hi"
    one = new + b"\x0a\x01x" + new

    assert AllocateRequest.parse(new + b"\x0a" + bytes([len(one)]) + one + new) == AllocateRequest((("x",),))


@pytest.mark.parametrize(
    "wire",
    [
        b"\x0a",
        b"\x0a\x05\x0a\x01x",
        b"\x0a\x04\x0a\x02\xff\xff",
        b"\x0b\x00",
        b"\x19\x00",
        b"\xff" * 12,
        b"\x0a" + b"\xff" * 9 + b"\x01",
    ],
    ids=["no length", "cut off", "no text", "a group", "half a number", "an endless number", "longer than the world"],
)
def test_nonsense_is_no_message(wire: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  whatever it says
        AllocateRequest.parse(wire)


@given(st.binary(max_size=40))
def test_junk_is_read_or_refused_and_nothing_else(wire: bytes) -> None:
    for kind in (AllocateRequest, PreferredAllocationRequest):
        with suppress(ValueError):
            kind.parse(wire)
