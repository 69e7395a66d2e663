from __future__ import annotations

import secrets

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from pcidevices.sim.kubelet import Dialling, SimulatedKubelet
from tests.support.deviceplugin import Listed, Plugin


MakePlugin = Callable[..., Plugin]


@pytest.fixture
async def kubelet(tmp_path: Path) -> AsyncIterator[SimulatedKubelet]:
    async with SimulatedKubelet(tmp_path, dialling=Dialling(patience=2, retry_every=0.02)) as kubelet:
        yield kubelet


@pytest.fixture
async def a_plugin(tmp_path: Path) -> AsyncIterator[MakePlugin]:
    """Makes plugins that listen, with two devices, on sockets of their own in the kubelet's folder."""
    async with AsyncExitStack() as stack:

        def make(resource: str = "x.example/gpu") -> Plugin:
            path = tmp_path / "device-plugins" / f"{secrets.token_hex(4)}.sock"
            plugin = Plugin(path, resource, {"a": Listed(), "b": Listed()}).listen()
            stack.push_async_callback(plugin.close)
            return plugin

        yield make
