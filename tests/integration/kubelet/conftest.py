"""An offer, the folder that plugins share with the kubelet, and both sides."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import pytest

from anyio import to_thread

from pcidevices.adapters.kubelet.codec import Encoder
from pcidevices.adapters.kubelet.plugin import PluginService
from pcidevices.adapters.kubelet.server import Listening, serving
from pcidevices.domain.offer import Offer, OfferedDevice
from pcidevices.runtime.latest import Latest
from tests.support.builders import at
from tests.support.kubelet import FakeKubelet


NAME = "nvidia.com/TU104GL_Tesla-T4"


def offered(address: str = "0000:04:00.0", **changes: Any) -> OfferedDevice:
    plain: dict[str, Any] = {"address": at(address), "iommu_group": "14"}
    return OfferedDevice(**(plain | changes))


@pytest.fixture
def folder() -> Iterator[Path]:
    """A short path: a socket's may have 107 bytes."""
    with TemporaryDirectory(prefix="kl") as path:
        yield Path(path)


@pytest.fixture
def offers() -> Latest[Offer]:
    return Latest(
        Offer(
            NAME,
            (
                offered(numa_node=0, vfio_device="vfio0"),
                offered("0000:04:00.1", unhealthy="its driver is nvidia"),
                offered("0000:05:00.0", iommu_group="15", numa_node=1),
            ),
        )
    )


@pytest.fixture
async def kubelet(folder: Path) -> AsyncIterator[FakeKubelet]:
    fake = FakeKubelet(folder)
    await to_thread.run_sync(fake.start)
    yield fake
    await to_thread.run_sync(fake.stop)


class Turn(NamedTuple):
    """What is open."""

    service: PluginService
    listening: Listening


@asynccontextmanager
async def served(offers: Latest[Offer], path: Path, *, grace: float = 1.0) -> AsyncIterator[Turn]:
    """One turn's service on a socket."""
    service = PluginService(offers, Encoder())
    async with serving(service, path, grace=grace) as listening:
        yield Turn(service, listening)
        service.end()
