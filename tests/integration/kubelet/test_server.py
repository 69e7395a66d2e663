"""A server whose end is an end, and that survives its clients."""

from __future__ import annotations

import asyncio
import errno
import os
import random
import socket

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from importlib.metadata import version
from pathlib import Path

import anyio
import pytest

from anyio import BrokenResourceError, connect_unix, create_task_group, to_thread
from h2.errors import ErrorCodes
from h2.events import ConnectionTerminated, DataReceived, StreamEnded, StreamReset
from hyperframe.frame import PingFrame

from pcidevices.adapters.kubelet.connection import CONNECTION_LIMIT, PRIVATE, REQUEST_LIMIT
from pcidevices.adapters.kubelet.plugin import PluginService
from pcidevices.adapters.kubelet.server import serving
from pcidevices.domain.offer import Offer
from pcidevices.errors import SocketUnusable
from pcidevices.runtime.latest import Latest
from tests.integration.kubelet.conftest import NAME, Turn, offered, served
from tests.support.agent import until
from tests.support.kubelet import descriptors
from tests.support.rawh2 import RawClient, connected


PING = PingFrame(0, opaque_data=b"12345678").serialize()


@pytest.fixture
def path(folder: Path) -> Path:
    return folder / "plugin.sock"


@pytest.fixture
async def watched(offers: Latest[Offer], path: Path) -> AsyncIterator[Turn]:
    """A service, and the kubelet's stream of it. It must live to the end of the test."""
    async with served(offers, path) as turn, connected(path) as kubelet:
        await kubelet.call("ListAndWatch")
        await kubelet.until(DataReceived)
        yield turn
        kubelet.events.clear()
        offers.set(Offer(NAME, (offered("0000:0a:00.0"),)))
        await kubelet.until(DataReceived, lambda event: b"0000:0a:00.0" in event.data)
        assert turn.service.over.value is None


def test_what_is_private_in_the_library_is_still_there() -> None:
    """The version is pinned; a newer one must be looked at."""
    assert version("grpclib") == "0.4.9"
    assert [name for owner, name in PRIVATE if not hasattr(owner, name)] == []


async def test_the_end_is_told_and_closes_every_connection(offers: Latest[Offer], path: Path) -> None:
    """The stream ends with its status, GOAWAY follows, then the connection; nothing can be called any more."""
    async with AsyncExitStack() as stack:
        async with served(offers, path):
            client = await stack.enter_async_context(connected(path))
            number = await client.call("ListAndWatch")
            await client.until(DataReceived)
        await client.until_closed()

        kinds = [type(event) for event in client.events]
        assert kinds.index(StreamEnded) < kinds.index(ConnectionTerminated)
        (gone,) = [event for event in client.events if isinstance(event, ConnectionTerminated)]
        assert (gone.error_code, gone.last_stream_id) == (ErrorCodes.NO_ERROR, number)
        with pytest.raises(BrokenResourceError):
            await client.send(b"x" * 100)
        with pytest.raises(FileNotFoundError):
            await connect_unix(path)


async def test_a_call_that_comes_during_the_end_is_refused(offers: Latest[Offer], path: Path) -> None:
    """On a connection that is still open for a call under way."""
    async with create_task_group() as tg, AsyncExitStack() as stack:
        async with served(offers, path, grace=5):
            client = await stack.enter_async_context(connected(path))
            under_way = await client.call("Allocate", None)
            tg.start_soon(_call_when_gone, client, path)
            tg.start_soon(_finish_when_refused, client, under_way)
        await client.until_closed()

    assert [event.stream_id for event in client.events if isinstance(event, StreamEnded)] == [under_way]


async def _call_when_gone(client: RawClient, path: Path) -> None:
    await until(lambda: not path.exists())
    await client.call("GetDevicePluginOptions", None)


async def _finish_when_refused(client: RawClient, number: int) -> None:
    await client.until(StreamReset, lambda event: event.error_code == ErrorCodes.REFUSED_STREAM)
    client.h2.send_data(number, b"\0\0\0\0\0", end_stream=True)
    await client.flush()


async def test_a_client_that_never_reads_cannot_hold_up_the_end(offers: Latest[Offer], path: Path) -> None:
    """It is cut off after the grace, with what was written for it."""
    async with AsyncExitStack() as stack:
        async with served(offers, path, grace=0.1) as turn:
            client = await stack.enter_async_context(connected(path))
            await client.call("ListAndWatch")
            await client.send(PING * 30_000)
            (connection,) = turn.listening.connections
            await until(lambda: connection._transport.get_write_buffer_size() > 0)

        assert len(turn.listening.connections) == 0


async def test_a_socket_that_somebody_left_is_taken_over(offers: Latest[Offer], path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(path))
    async with served(offers, path), connected(path) as client:
        await client.call("GetDevicePluginOptions")
        await client.until(StreamEnded)


async def test_a_socket_at_which_somebody_listens_is_left_alone(offers: Latest[Offer], path: Path) -> None:
    """Such as another agent's, or KubeVirt's: they use the same names."""
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(path))
        other.listen()
        with pytest.raises(SocketUnusable, match="another device plugin listens there"):
            async with serving(PluginService(offers, None), path):  # type: ignore[arg-type]  # never used
                pass

        assert await anyio.Path(path).is_socket()


async def test_a_socket_of_another_kind_at_which_somebody_may_be_is_left_alone(
    offers: Latest[Offer], path: Path
) -> None:
    """Only a connection that is refused proves that nobody is there."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as other:
        other.bind(str(path))
        other.listen()
        with pytest.raises(SocketUnusable, match="whether somebody listens there"):
            async with serving(PluginService(offers, None), path):  # type: ignore[arg-type]  # never used
                pass

        assert await anyio.Path(path).is_socket()


@pytest.mark.parametrize("number", [errno.EACCES, errno.EPERM, errno.ENOMEM], ids=errno.errorcode.get)
async def test_a_socket_that_cannot_be_tried_is_left_alone(
    offers: Latest[Offer], path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    """As where a security module forbids it."""
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(path))

    class Hindered(socket.socket):
        def connect_ex(self, _: object) -> int:
            return number

    with monkeypatch.context() as patch:
        patch.setattr(socket, "socket", Hindered)
        with pytest.raises(SocketUnusable, match=os.strerror(number)):
            async with serving(PluginService(offers, None), path):  # type: ignore[arg-type]  # never used
                pass

    assert await anyio.Path(path).is_socket()


async def test_a_file_that_is_no_socket_is_left_alone(offers: Latest[Offer], path: Path) -> None:
    await anyio.Path(path).write_text("mine")

    with pytest.raises(SocketUnusable):
        async with serving(PluginService(offers, None), path):  # type: ignore[arg-type]  # never used
            pass
    assert await anyio.Path(path).read_text() == "mine"


async def test_the_socket_of_somebody_else_is_not_removed(offers: Latest[Offer], path: Path) -> None:
    """Of the next one who listens there."""
    async with served(offers, path):
        await anyio.Path(path).unlink()
        with socket.socket(socket.AF_UNIX) as other:
            other.bind(str(path))

    assert await anyio.Path(path).is_socket()


JUNK = [
    pytest.param(b"GET / HTTP/1.1\r\n\r\n", id="another protocol"),
    pytest.param(bytes(range(256)) * 200, id="bytes"),
    pytest.param(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\x00\x00\x04\x08\x00\x00\x00\x00\x00", id="half a frame"),
    pytest.param(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\xff\xff\xff\x04\x00\x00\x00\x00\x00", id="an endless frame"),
]


@pytest.mark.parametrize("junk", JUNK)
@pytest.mark.usefixtures("watched")
async def test_junk_concerns_nobody_but_its_sender(path: Path, junk: bytes) -> None:
    for _ in range(20):
        async with await connect_unix(path) as stream:
            await stream.send(junk)


@pytest.mark.usefixtures("watched")
async def test_random_bytes_inside_a_connection_concern_nobody_else(path: Path) -> None:
    """After a proper greeting: frames of every type, with headers in every state."""
    source = random.Random(1)
    for _ in range(300):
        async with connected(path) as client:
            kind, flags, number = source.randrange(12), source.randrange(256), source.choice([0, 1, 3])
            body = source.randbytes(source.randrange(64))
            frame = len(body).to_bytes(3) + bytes([kind, flags]) + number.to_bytes(4) + body
            await client.send(frame)
            await client.send(frame)


@pytest.mark.usefixtures("watched")
async def test_a_frame_of_an_unknown_type_is_passed_over(path: Path) -> None:
    """As HTTP/2 wants it."""
    async with connected(path) as client:
        await client.send(b"\x00\x00\x03\xee\x00\x00\x00\x00\x00abc")
        await client.call("GetDevicePluginOptions")
        await client.until(StreamEnded)


@pytest.mark.usefixtures("watched")
async def test_a_request_that_does_not_end_is_cut_off(path: Path) -> None:
    """After so many bytes; other calls of the same client go on."""
    async with connected(path) as client:
        number = await client.call("Allocate", None)
        await client.write(number, b"\0\x7f\xff\xff\xff" + bytes(REQUEST_LIMIT))
        reset = await client.until(StreamReset)
        await client.call("GetDevicePluginOptions")
        await client.until(StreamEnded)

    assert reset.error_code == ErrorCodes.ENHANCE_YOUR_CALM


@pytest.mark.usefixtures("watched")
async def test_a_huge_list_is_answered(path: Path) -> None:
    """Ten thousand ids."""
    ids = b"".join(b"\x0a\x0c0000:%02x:%02x.0" % (bus, slot) for bus in range(250) for slot in range(40))
    varint = bytes([len(ids) & 0x7F | 0x80, len(ids) >> 7 & 0x7F | 0x80, len(ids) >> 14])
    async with connected(path) as client:
        body = b"\x0a" + varint + ids
        number = await client.call("GetPreferredAllocation", None)
        await client.write(number, b"\0" + len(body).to_bytes(4) + body, end=True)
        await client.until(StreamEnded)


async def test_calls_that_are_reset_at_once_leave_nothing(watched: Turn, path: Path) -> None:
    """Thousands of them over one connection."""
    async with connected(path) as client:
        for _ in range(2000):
            number = await client.call("GetDevicePluginOptions", None)
            client.h2.reset_stream(number)
            await client.flush()
        await client.call("GetDevicePluginOptions")
        await client.until(StreamEnded)

        await until(lambda: sum(len(link.processor.streams) for link in watched.listening.connections) == 1)


@pytest.mark.usefixtures("watched")
async def test_pings_whose_answers_nobody_reads_are_cut_off(path: Path) -> None:
    """Before they fill the memory."""
    async with connected(path) as client:
        with pytest.raises(BrokenResourceError), anyio.fail_after(20):
            await client.send(PING * 5_000_000)


@pytest.mark.usefixtures("watched")
async def test_thousands_of_connections_leave_no_descriptors(path: Path) -> None:
    before = descriptors()
    for _ in range(20):
        async with AsyncExitStack() as stack:
            for _ in range(100):
                stack.push_async_exit(await connect_unix(path))
    await until(lambda: descriptors() <= before)


@pytest.mark.usefixtures("watched")
async def test_too_many_connections_at_once_cost_the_idle_ones(path: Path) -> None:
    """Never one that has a call; and who comes last is served."""
    async with AsyncExitStack() as stack:
        for _ in range(CONNECTION_LIMIT + 50):
            stack.push_async_exit(await connect_unix(path))
        before = descriptors()
        client = await stack.enter_async_context(connected(path))
        await client.call("GetDevicePluginOptions")
        await client.until(StreamEnded)
        assert descriptors() <= before + 2


async def test_an_end_leaves_no_tasks_and_no_descriptors(offers: Latest[Offer], path: Path) -> None:
    """Whatever its clients were doing."""
    await to_thread.run_sync(int)  # the worker thread itself
    before, tasks = descriptors(), len(asyncio.all_tasks())
    for _ in range(5):
        async with AsyncExitStack() as stack, served(offers, path, grace=0.05):
            for method in ("ListAndWatch", "Allocate"):
                client = await stack.enter_async_context(connected(path))
                await client.call(method, b"" if method == "ListAndWatch" else None)
            stack.push_async_exit(await connect_unix(path))
    await until(lambda: descriptors() <= before and len(asyncio.all_tasks()) <= tasks)
