"""What every integration test has: a loop that never blocks. And, for those who ask, a node with an agent to come."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from threading import RLock

import pytest

from blockbuster import blockbuster_ctx
from coverage import Coverage

from pcidevices.adapters.http.server import HttpServer, bound
from pcidevices.sim.kubelet import SimulatedKubelet
from tests.support.agent import Scene, a_scene
from tests.support.elsewhere import elsewhere
from tests.support.machine import SPEC
from tests.support.memory import in_memory
from tests.support.person import Person
from tests.support.ward import Ward, a_ward


__all__ = ["elsewhere"]

# Small files, read once or when credentials rotate, by a library that knows no other way.
MAY_BLOCK = {
    "pcidevices/adapters/kube/credentials.py": {"load", "_paths"},
    "pcidevices/adapters/kube/client.py": {"_send"},
    "tests/integration/kube/test_tls.py": {"load"},
}


@pytest.fixture(scope="session", autouse=True)
def _coverage_is_not_watched() -> None:
    """It takes a lock at each call of ours: a watched one would cost a fifth of the time, and fail who waits for it."""
    measuring = Coverage.current()
    if measuring is not None and measuring._collector is not None:
        measuring._collector.data_lock = RLock()  # of this kind none is watched


@pytest.fixture(autouse=True)
def _loop_never_blocks() -> Iterator[None]:
    """A blocking call of ours on the event loop fails the test that made it; the simulated world is no part of us."""
    simulated = ["pcidevices.sim.node", "pcidevices.sim.kubelet"]
    with blockbuster_ctx("pcidevices", excluded_modules=simulated) as blockbuster:
        for function in blockbuster.functions.values():
            for file, callers in MAY_BLOCK.items():
                function.can_block_in(file, callers)
        yield


@pytest.fixture
def memory() -> Iterator[Path]:
    with in_memory() as folder:
        yield folder


@pytest.fixture
async def scene(memory: Path) -> AsyncIterator[Scene]:
    async with a_scene(memory, SPEC) as scene:
        scene.join()
        yield scene


@pytest.fixture
def person(scene: Scene) -> Person:
    return Person(scene)


@pytest.fixture
async def kubelet(scene: Scene) -> AsyncIterator[SimulatedKubelet]:
    """The scene's."""
    async with SimulatedKubelet(scene.kubelet_folder) as kubelet:
        yield kubelet


@pytest.fixture
async def http() -> AsyncIterator[HttpServer]:
    async with bound("127.0.0.1", 0) as server:
        yield server


@pytest.fixture
async def ward(memory: Path) -> AsyncIterator[Ward]:
    async with a_ward(memory, SPEC) as ward:
        yield ward
