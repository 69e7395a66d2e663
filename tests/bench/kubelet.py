"""Rows of what the kubelet gets from us, beside a plain device plugin made with grpcio's asyncio."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import anyio
import grpc
import grpc.experimental
import psutil

from anyio import to_thread

from pcidevices.domain.resourcename import socket_name
from tests.bench.plugins import address_of, resource_of
from tests.bench.rows import Row, median_seconds
from tests.e2e.cluster import ROOT, Cluster, running_cluster, wait_until
from tests.e2e.kubeletnode import CLAIM, NODE, KubeletNode, running_node
from tests.support.kubelet import FakeKubelet, PluginClient, message


_RIVAL = "a plain grpc.aio plugin"
_ALONE = ((grpc.experimental.ChannelOptions.SingleThreadedUnaryStream, 1),)
"""Whoever waits for a frame reads it: no thread of the client's library is between."""
_TURNS, _UPDATES, _ALLOCATIONS, _CLAIMS, _WARM = 10, 60, 3000, 200, 20


class Stamped(list[Any]):
    """Frames, and when each came."""

    def __init__(self) -> None:
        super().__init__()
        self.at: list[float] = []

    def append(self, frame: Any) -> None:
        self.at.append(time.monotonic())
        super().append(frame)


class Change(NamedTuple):
    """When it began, and the seconds that the processor had worked for the plugins until then."""

    begun: float
    cpu: float


@dataclass
class Plugins:
    """A process of `tests.bench.plugins`."""

    process: subprocess.Popen[str]
    folder: Path

    def change(self, number: int) -> None:
        """Let one device become the only unhealthy one."""
        assert self.process.stdin is not None
        print(number, file=self.process.stdin, flush=True)

    def changes(self) -> list[Change]:
        """All that there were: the last question."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.close()
        return [Change(*map(float, line.split())) for line in self.process.stdout]

    @property
    def socket(self) -> Path:
        return self.folder / socket_name(resource_of(0), folder=str(self.folder))


@contextmanager
def _plugins(kind: str, plugins: int, devices: int, *, deaf: bool = False) -> Iterator[tuple[Plugins, FakeKubelet]]:
    """Registered plugins, and the kubelet that knows them; a deaf one leaves their devices to others."""
    with TemporaryDirectory(prefix="kb") as folder:
        kubelet = FakeKubelet(Path(folder), deaf=deaf, frames=Stamped())
        kubelet.start()
        command = [sys.executable, "-m", "tests.bench.plugins", kind, folder, str(plugins), str(devices)]
        pipe, nowhere = subprocess.PIPE, subprocess.DEVNULL
        process = subprocess.Popen(command, cwd=ROOT, stdin=pipe, stdout=pipe, stderr=nowhere, text=True)
        try:
            told = kubelet.options if deaf else kubelet.frames
            wait_until(lambda: len(told) >= plugins, "the kubelet has heard of all plugins")
            yield Plugins(process, Path(folder)), kubelet
        finally:
            assert process.stdin is not None
            process.stdin.close()
            process.wait(10)
            kubelet.stop()


def update() -> Iterator[Row]:
    """
    One of an offer's thousand devices changes: the frame's bytes at the other end of an open stream.

    Both take turns, so that they have the host's moods in common. A turn's first changes are not counted with the
    others, since each finds the processor's caches full of the other's; the very first has a row of its own.
    """
    with _updated("ours") as ours, _updated("rival") as rival:
        for _ in range(_TURNS):
            ours.turn()
            rival.turn()
        mine, its = ours.figures(), rival.figures()
    rival_is = f"{_RIVAL} that rebuilds its list"
    yield Row("1 of an offer's 1,000 devices: to frame, median", "ms", mine[0], its[0], rival_is, "≤ 0.1 of it")
    yield Row("the same: the processor's time, median turn", "ms", mine[1], its[1], rival_is, "≤ 0.1 of it")
    yield Row("the same: the first after the other's turn", "ms", mine[2], its[2], rival_is, "")


@dataclass
class _Updated:
    """Plugins of which one device after the other changes, and when each frame came."""

    plugins: Plugins
    stream: Iterator[object]
    came: list[float] = field(default_factory=list)

    def turn(self) -> None:
        for number in range(_WARM + _UPDATES):
            self.plugins.change(number)
            next(self.stream)
            self.came.append(time.monotonic())

    def figures(self) -> tuple[float, float, float]:
        """In ms: the median from a change to its frame, the median turn's processor time of one, and of its first."""
        changes = self.plugins.changes()
        begins = range(_WARM, len(changes), _WARM + _UPDATES)
        turns = [range(begin, begin + _UPDATES) for begin in begins]
        took = [self.came[number] - changes[number].begun for turn in turns for number in turn]
        cpu = [(changes[turn[-1]].cpu - changes[turn[0]].cpu) / (_UPDATES - 1) for turn in turns]
        firsts = range(0, len(changes), _WARM + _UPDATES)
        first = statistics.median(self.came[number] - changes[number].begun for number in firsts)
        return statistics.median(took) * 1000, statistics.median(cpu) * 1000, first * 1000


@contextmanager
def _updated(kind: str) -> Iterator[_Updated]:
    with _plugins(kind, 1, 1000, deaf=True) as (plugins, _), closing(PluginClient(plugins.socket, _ALONE)) as client:
        stream = client.stream()
        next(stream)
        yield _Updated(plugins, stream)
        stream.cancel()


def allocation() -> Iterator[Row]:
    """One device of a thousand for a container."""
    ours, rival = _allocations("ours"), _allocations("rival")
    for name, at in (("median", 49), ("p99", 98)):
        yield Row(f"Allocate, {name} of {_ALLOCATIONS:,}", "ms", ours[at], rival[at], _RIVAL, "≤ 1.3 of it, p99")


def _allocations(kind: str) -> list[float]:
    """The percentiles, in ms."""
    one, whole = message("v1beta1.ContainerAllocateRequest"), message("v1beta1.AllocateRequest")
    requests = [
        whole(container_requests=[one(devices_ids=[address_of(number)])]).SerializeToString() for number in range(1000)
    ]
    took: list[float] = []
    with _plugins(kind, 1, 1000) as (plugins, _), closing(PluginClient(plugins.socket)) as client:
        for number in range(_WARM + _ALLOCATIONS):
            request = requests[number % 1000]
            begun = time.perf_counter()
            client.call("Allocate", request)
            took.append((time.perf_counter() - begun) * 1000)
    return statistics.quantiles(took[_WARM:], n=100)


def many() -> Iterator[Row]:
    """From exec until the kubelet has the devices of 64 plugins."""
    ours, rival = _many("ours"), _many("rival")
    yield Row("start to 64 plugins of 4 devices registered", "s", ours[0], rival[0], f"64 of {_RIVAL}", "")
    yield Row("RSS of nothing but these plugins", "MiB", ours[1], rival[1], f"64 of {_RIVAL}", "")


def _many(kind: str) -> tuple[float, float]:
    begun = time.monotonic()
    with _plugins(kind, 64, 4) as (plugins, kubelet):
        assert isinstance(kubelet.frames, Stamped)
        return kubelet.frames.at[63] - begun, psutil.Process(plugins.process.pid).memory_info().rss / 2**20


def claim() -> Iterator[Row]:
    """From the API server's answer to who claims until the kubelet is told of the device."""
    with TemporaryDirectory(prefix="kb") as folder, running_cluster(Path(folder) / "c") as cluster:
        cluster.kubectl("create", "-f", "-", given={"apiVersion": "v1", "kind": "Node", "metadata": {"name": NODE}})
        plugins = cluster.folder / "kubelet/device-plugins"
        plugins.mkdir(parents=True)
        kubelet = FakeKubelet(plugins, frames=Stamped())
        kubelet.start()
        try:
            took = anyio.run(_claims, cluster, Path(folder), kubelet)
        finally:
            kubelet.stop()
        rival = median_seconds(_created_by_kubectl(cluster))
    rival_is = "kubectl create of a claim"
    percentiles = statistics.quantiles(took, n=100, method="inclusive")
    for name, seconds in (("median", percentiles[49]), ("p99", percentiles[98]), ("slowest", max(took))):
        yield Row(f"claim to frame, {name} of {_CLAIMS}", "s", seconds, rival, rival_is, "≤ 0.1 s")


async def _claims(cluster: Cluster, folder: Path, kubelet: FakeKubelet) -> list[float]:
    took: list[float] = []
    async with running_node(cluster, folder, _CLAIMS + 1) as node:
        first, *others = node.addresses
        await _claimed(node, first, kubelet)
        for address in others:
            took.append(await _claimed(node, address, kubelet))
            await anyio.sleep(0.2)  # what is still written of the one before is not to be in the way
    return took


async def _claimed(node: KubeletNode, address: str, kubelet: FakeKubelet) -> float:
    """The seconds until a frame calls a device healthy."""
    frames = kubelet.frames
    assert isinstance(frames, Stamped)
    since = len(frames)
    await node.claim(address)
    begun = time.monotonic()

    def told() -> float | None:
        for frame, at in zip(frames[since:], frames.at[since:], strict=False):
            if any(address == device.ID and device.health == "Healthy" for device in frame.devices):
                return float(at)
        return None

    await to_thread.run_sync(wait_until, lambda: told() is not None, f"{address} is offered")
    return (told() or 0.0) - begun


def _created_by_kubectl(cluster: Cluster) -> Callable[[], object]:
    numbers = iter(range(1000))

    def create() -> str:
        spec = {"address": f"00ff:00:{next(numbers):02x}.0", "nodeName": "another", "userName": "alice"}
        metadata = {"generateName": "rival-"}
        return cluster.kubectl("create", "-f", "-", given={**CLAIM, "metadata": metadata, "spec": spec})

    return create
