"""Every call that the kubelet makes, over a real socket, byte for byte."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import grpc
import pytest

from anyio import to_thread, wait_all_tasks_blocked

from pcidevices.domain.offer import Offer
from pcidevices.runtime.latest import Latest
from tests.integration.kubelet.conftest import NAME, offered, served
from tests.support.agent import until
from tests.support.kubelet import PluginClient, message


HEALTHY = b"\x0a\x0c0000:04:00.0\x12\x07Healthy\x1a\x02\x0a\x00"
UNHEALTHY = b"\x0a\x0c0000:04:00.1\x12\x09Unhealthy"
THIRD = b"\x0a\x0c0000:05:00.0\x12\x07Healthy\x1a\x04\x0a\x02\x08\x01"
FRAME = b"".join(b"\x0a" + bytes([len(device)]) + device for device in (HEALTHY, UNHEALTHY, THIRD))


@pytest.fixture
async def client(offers: Latest[Offer], folder: Path) -> AsyncIterator[PluginClient]:
    path = folder / "plugin.sock"
    async with served(offers, path):
        client = PluginClient(path)
        yield client
        await to_thread.run_sync(client.close)


async def in_thread(call: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
    return await to_thread.run_sync(partial(call, *arguments, **named))


def an_allocation(*containers: list[str]) -> bytes:
    of_one = message("v1beta1.ContainerAllocateRequest")
    request = message("v1beta1.AllocateRequest")(container_requests=[of_one(devices_ids=ids) for ids in containers])
    wire: bytes = request.SerializeToString()
    return wire


async def test_the_options_ask_for_preferences_and_for_nothing_before_a_start(client: PluginClient) -> None:
    assert await in_thread(client.call, "GetDevicePluginOptions") == b"\x10\x01"


async def test_a_container_may_start_without_more(client: PluginClient) -> None:
    assert await in_thread(client.call, "PreStartContainer", b"\x0a\x0c0000:04:00.0") == b""


async def test_the_first_frame_comes_at_once_and_is_whole(client: PluginClient) -> None:
    """With the unhealthy ones, and a NUMA node only where one is known: node 0 is one."""
    assert await in_thread(next, client.stream()) == FRAME


async def test_an_offer_of_nothing_is_a_frame_too(offers: Latest[Offer], client: PluginClient) -> None:
    """Until the first frame the resource does not exist on the node."""
    offers.set(Offer(NAME, ()))
    assert await in_thread(next, client.stream()) == b""


async def test_a_change_is_a_whole_frame_for_every_stream(offers: Latest[Offer], client: PluginClient) -> None:
    """Each stream has a cursor of its own: none takes another's news away."""
    streams = [client.stream() for _ in range(3)]
    for stream in streams:
        assert await in_thread(next, stream) == FRAME

    offers.set(replace(offers.value, devices=(offered(),)))

    for stream in streams:
        (device,) = message("v1beta1.ListAndWatchResponse").FromString(await in_thread(next, stream)).devices
        assert (device.ID, device.health, device.HasField("topology")) == ("0000:04:00.0", "Healthy", False)


async def test_a_burst_of_changes_costs_few_frames_and_its_last_is_told(
    offers: Latest[Offer], client: PluginClient
) -> None:
    stream = client.stream()
    assert await in_thread(next, stream) == FRAME

    for slot in range(1, 21):
        offers.set(Offer(NAME, tuple(offered(f"0000:06:{one:02x}.0") for one in range(slot))))

    frames: list[Any] = []
    while not frames or len(frames[-1].devices) < 20:
        frames.append(message("v1beta1.ListAndWatchResponse").FromString(await in_thread(next, stream)))
    assert len(frames) <= 3


async def test_what_the_kubelet_would_not_see_is_no_frame(offers: Latest[Offer], client: PluginClient) -> None:
    """The reason why a device is unhealthy, for example."""
    stream = client.stream()
    assert await in_thread(next, stream) == FRAME
    first, second, third = offers.value.devices

    offers.set(replace(offers.value, devices=(first, second._replace(unhealthy="its driver is nouveau"), third)))
    await wait_all_tasks_blocked()
    offers.set(replace(offers.value, devices=(first, second._replace(unhealthy=None), third)))

    frame = message("v1beta1.ListAndWatchResponse").FromString(await in_thread(next, stream))
    assert [device.health for device in frame.devices] == ["Healthy"] * 3


async def test_an_allocation_is_answered_byte_for_byte(client: PluginClient) -> None:
    answer = await in_thread(client.call, "Allocate", an_allocation(["0000:04:00.0"]))

    env = b"\x0a\x28PCI_RESOURCE_NVIDIA_COM_TU104GL_TESLA-T4\x12\x0c0000:04:00.0"
    nodes = [b"/dev/vfio/vfio", b"/dev/vfio/14", b"/dev/vfio/devices/vfio0"]
    specs = [
        b"\x0a" + bytes([len(node)]) + node + b"\x12" + bytes([len(node)]) + node + b"\x1a\x03mrw" for node in nodes
    ]
    whole = b"\x0a" + bytes([len(env)]) + env + b"".join(b"\x1a" + bytes([len(spec)]) + spec for spec in specs)
    assert answer == b"\x0a" + bytes([len(whole) & 0x7F | 0x80, len(whole) >> 7]) + whole


async def test_each_container_of_a_request_gets_its_own(client: PluginClient) -> None:
    answer = await in_thread(client.call, "Allocate", an_allocation(["0000:05:00.0"], [], ["0000:04:00.0"]))

    containers = message("v1beta1.AllocateResponse").FromString(answer).container_responses
    assert [list(container.envs.values()) for container in containers] == [["0000:05:00.0"], [], ["0000:04:00.0"]]
    assert len(containers[1].devices) == 0


@pytest.mark.parametrize(
    ("request_", "code", "text"),
    [
        ([["0000:04:00.1"]], grpc.StatusCode.FAILED_PRECONDITION, "0000:04:00.1 cannot be used: its driver is nvidia"),
        ([["0000:04:00.0", "0000:09:00.0"]], grpc.StatusCode.NOT_FOUND, f"'0000:09:00.0' is no device of {NAME}"),
        ([["0000:04:00.0"], ["0000:04:00.0"]], grpc.StatusCode.INVALID_ARGUMENT, "asked for 2 times"),
    ],
)
async def test_what_cannot_be_given_is_refused_in_words(
    client: PluginClient, request_: list[list[str]], code: grpc.StatusCode, text: str
) -> None:
    """The pod's owner reads them."""
    with pytest.raises(grpc.RpcError) as raised:
        await in_thread(client.call, "Allocate", an_allocation(*request_))

    assert raised.value.code() is code
    assert text in raised.value.details()


async def test_a_preference_is_answered_for_each_container(client: PluginClient) -> None:
    of_one = message("v1beta1.ContainerPreferredAllocationRequest")
    ids = ["0000:05:00.0", "0000:04:00.0"]
    request = message("v1beta1.PreferredAllocationRequest")(
        container_requests=[
            of_one(available_deviceIDs=ids, must_include_deviceIDs=ids[:1], allocation_size=1),
            of_one(available_deviceIDs=ids, allocation_size=2),
        ]
    )

    answer = await in_thread(client.call, "GetPreferredAllocation", request.SerializeToString())

    containers = message("v1beta1.PreferredAllocationResponse").FromString(answer).container_responses
    assert [list(one.deviceIDs) for one in containers] == [["0000:05:00.0"], ["0000:04:00.0", "0000:05:00.0"]]


@pytest.mark.parametrize(
    ("method", "request_"),
    [
        ("Allocate", b"\x0a\x04\x0a\x02\xff\xff"),
        ("GetPreferredAllocation", b"\x0a\x04\x0a\x02\xff\xff"),
        ("PreStartContainer", b"\x0a\x02\xff\xff"),
    ],
)
async def test_nonsense_is_answered_as_such(client: PluginClient, method: str, request_: bytes) -> None:
    """Ids that are no text, here."""
    with pytest.raises(grpc.RpcError) as raised:
        await in_thread(client.call, method, request_)

    assert raised.value.code() is grpc.StatusCode.INVALID_ARGUMENT


async def test_what_does_not_exist_cannot_be_called(client: PluginClient) -> None:
    with pytest.raises(grpc.RpcError) as raised:
        await in_thread(client.call, "Deallocate")

    assert raised.value.code() is grpc.StatusCode.UNIMPLEMENTED


async def test_the_end_of_the_service_ends_its_streams_in_order(offers: Latest[Offer], folder: Path) -> None:
    """With a status, not with a broken connection."""
    path = folder / "plugin.sock"
    async with served(offers, path):
        client = PluginClient(path)
        stream = client.stream()
        assert await in_thread(next, stream) == FRAME

    with pytest.raises(StopIteration):
        stream.next()
    assert stream.code() is grpc.StatusCode.OK
    await in_thread(client.close)
    await until(lambda: not path.exists())
