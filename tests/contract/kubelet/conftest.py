"""
One suite, two kubelets.

Without PCIDEVICES_TEST_KUBELET the kubelet is the simulated one. With it, it is that of a cluster that runs in the
folder of this name, made by ``hack/cluster up --dir DIR --kubelet``, best with
``--kubelet-config '{"nodeStatusUpdateFrequency": "1s"}'``; the suite restarts it, and stops its API server for a while.
"""

from __future__ import annotations

import os

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.contract.kubelet.real import RealWorld
from tests.contract.kubelet.simulated import SimulatedWorld
from tests.contract.kubelet.world import World, world_of


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    folder = os.environ.get("PCIDEVICES_TEST_KUBELET")
    if folder:
        async with world_of(RealWorld(Path(folder))) as world:
            yield world
        return
    simulated = SimulatedWorld(tmp_path)
    async with simulated.simulated, world_of(simulated) as world:
        yield world
