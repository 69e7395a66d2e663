"""An embedded API server that has our definitions and one node, and a client of it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import yaml

from pcidevices.adapters.kube.client import KubeClient
from pcidevices.adapters.kube.credentials import Credentials
from pcidevices.api.crd import definitions
from pcidevices.sim.apiserver import ApiServer
from tests.support.kube import a_client


@pytest.fixture
async def server() -> AsyncIterator[ApiServer]:
    api = ApiServer(definitions(), bookmark_every=0.05)
    async with api.serving():
        api.apply({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "janus"}})
        yield api


@pytest.fixture
async def credentials(server: ApiServer, tmp_path: Path) -> Credentials:
    path = tmp_path / "kubeconfig"
    path.write_text(yaml.safe_dump(server.kubeconfig()))
    return Credentials(str(path))


@pytest.fixture
async def client(credentials: Credentials) -> AsyncIterator[KubeClient]:
    async with a_client(credentials) as connected:
        yield connected
