"""A real kubelet, and beside it an agent over a simulated node: a process that can be ended in any way."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import grpc
import psutil
import pytest

from aiohttp import ClientSession
from anyio import to_thread

from tests.contract.apiserver.client import connected
from tests.e2e.cluster import BIN, ROOT, Cluster, a_spec
from tests.e2e.test_kubelet_rig import OFTEN, Rig, hack, running
from tests.support.kubeletcalls import Refused, allocatable
from tests.support.waiting import until


NODE = "janus"
RESOURCE = "intel.com/82599ES_10GIGABIT_SFI_SFP_NETWORK_CONNECTION"
VARIABLE = "PCI_RESOURCE_INTEL_COM_82599ES_10GIGABIT_SFI_SFP_NETWORK_CONNECTION"
SOCKET = "kubevirt-intel.com-82599ES_10GIGABIT_SFI_SFP_NETWORK_CONNECTION.sock"
CLAIM = {"apiVersion": "devices.harvesterhci.io/v1beta1", "kind": "PCIDeviceClaim"}
_CLAIMS = "/apis/devices.harvesterhci.io/v1beta1/pcideviceclaims"
_TO_END = 15.0


def name_of(address: str) -> str:
    """The name of the claim on a device."""
    return f"{NODE}-{address.replace(':', '').replace('.', '')}"


class Counts(NamedTuple):
    """What a process has open, and its threads. Connections to the API server come and go with its requests."""

    process: int
    descriptors: int
    connections: int
    threads: int


@dataclass(eq=False, slots=True)
class KubeletNode:
    """So many equal devices; the claims that there should be; the agent, if it runs."""

    cluster: Cluster
    folder: Path
    devices: int
    claimed: set[str] = field(default_factory=set)
    agent: subprocess.Popen[bytes] | None = None
    _session: ClientSession | None = None
    _url: str = ""
    _starts: int = 0

    @property
    def addresses(self) -> list[str]:
        return [f"0000:{1 + i // 32:02x}:{i % 32:02x}.0" for i in range(self.devices)]

    @property
    def kubelet_socket(self) -> Path:
        return self.cluster.folder / "kubelet/device-plugins/kubelet.sock"

    @property
    def plugin_socket(self) -> Path:
        return self.cluster.folder / "kubelet/device-plugins" / SOCKET

    @property
    def pod_resources(self) -> Path:
        return self.cluster.folder / "kubelet/pod-resources/kubelet.sock"

    @property
    def log(self) -> Path:
        """Of the agent that runs, or ran last."""
        return self.folder / f"agent-{self._starts}.log"

    # The agent.

    def start(self) -> None:
        """Start an agent."""
        self._starts += 1
        (self.folder / "spec.yaml").write_text(a_spec(self.devices))
        words = [BIN / "pcidevices", "agent", "--simulate", self.folder / "spec.yaml", "--node-name", NODE]
        words += ["--kubelet-dir", self.cluster.folder / "kubelet", "--kubeconfig", self.cluster.kubeconfig]
        words += ["--log-format", "json", "--log-level", "debug"]
        with self.log.open("wb") as file:
            self.agent = subprocess.Popen([str(word) for word in words], stderr=file)

    async def end(self, how: signal.Signals = signal.SIGTERM) -> None:
        """End the agent; when asked to, it ends in order."""
        agent, self.agent = self.agent, None
        assert agent is not None
        assert agent.poll() is None, f"it has ended by itself: {self.log.read_text()[-2000:]}"
        agent.send_signal(how)
        status = await to_thread.run_sync(partial(agent.wait, _TO_END))
        assert status == (0 if how == signal.SIGTERM else -how), self.log.read_text()[-2000:]
        self._tidy()

    def _tidy(self) -> None:
        """An agent that was killed leaves its simulated node."""
        for simulated in self.events("node.simulated"):
            shutil.rmtree(Path(simulated["folder"]).parent, ignore_errors=True)

    def events(self, name: str) -> list[dict[str, Any]]:
        """What the agent has logged under this name."""
        lines = [json.loads(line) for line in self.log.read_text().splitlines() if f'"{name}"' in line]
        return [line for line in lines if line["event"] == name]

    def registrations(self) -> int:
        """How often the agent has registered the plugin."""
        return self.log.read_bytes().count(b'"plugin.registered"')

    def counts(self) -> Counts:
        """Of the agent that runs."""
        assert self.agent is not None
        process = psutil.Process(self.agent.pid)
        connections = len(process.net_connections("inet"))
        return Counts(process.pid, process.num_fds() - connections, connections, process.num_threads())

    # The claims.

    async def claim(self, address: str) -> None:
        """Make one, as soon as that of before is gone."""
        await until(partial(self.claim_of, address), None)
        spec = {"address": address, "nodeName": NODE, "userName": "alice"}
        metadata = {"name": name_of(address)}
        await self._ask("POST", _CLAIMS, {**CLAIM, "metadata": metadata, "spec": spec})
        self.claimed.add(address)

    async def release(self, address: str) -> None:
        """Delete one; it goes when it can."""
        await self._ask("DELETE", f"{_CLAIMS}/{name_of(address)}")
        self.claimed.remove(address)

    async def claim_of(self, address: str) -> dict[str, Any] | None:
        return await self._ask("GET", f"{_CLAIMS}/{name_of(address)}")

    async def message(self, address: str) -> str:
        """What a claim says of its being ready."""
        claim = await self.claim_of(address) or {}
        conditions = claim.get("status", {}).get("conditions", ())
        return next((str(one["message"]) for one in conditions if one["type"] == "Ready"), "")

    async def _ask(self, method: str, path: str, body: Any = None) -> dict[str, Any] | None:
        assert self._session is not None
        async with self._session.request(method, self._url + path, json=body) as response:
            answer: dict[str, Any] = await response.json()
            if response.status == 404:
                return None
            assert response.ok, answer
            return answer

    # The kubelet.

    async def restart_kubelet(self) -> None:
        """As hack/cluster does it."""
        words = [str(ROOT / "hack/cluster"), "restart", "--dir", str(self.cluster.folder), "kubelet"]
        await to_thread.run_sync(partial(subprocess.run, words, check=True))

    async def allocatable(self) -> set[str] | None:
        """None while the kubelet does not answer."""
        try:
            return await allocatable(self.pod_resources, RESOURCE)
        except (Refused, grpc.RpcError):
            return None

    async def is_right(self) -> bool:
        """Whether what the kubelet can give away is what is claimed."""
        return await self.allocatable() == self.claimed


@contextmanager
def running_rig() -> Iterator[Rig]:
    """A kubelet with our definitions, in a short path: that of a plugin's socket may have 107 bytes."""
    programs = ("etcd", "kube-apiserver", "kubelet", "fakecri", "pause", "relay")
    if "no go on PATH" in (built := hack("cluster", "build", *programs)).stderr:
        pytest.skip(built.stderr.strip())
    with TemporaryDirectory(prefix="kn") as folder, running(Path(folder), "--kubelet", OFTEN) as rig:
        rig.define()
        yield rig


@asynccontextmanager
async def running_node(cluster: Cluster, folder: Path, devices: int) -> AsyncIterator[KubeletNode]:
    """A node whose agent runs; afterwards neither it nor any claim is there."""
    node = KubeletNode(cluster, folder, devices)
    async with connected(json.loads(cluster.kubeconfig.read_text())) as (session, url):
        node._session, node._url = session, url
        node.start()
        try:
            yield node
            for address in tuple(node.claimed):
                await node.release(address)
            for address in node.addresses:
                await until(partial(node.claim_of, address), None)
            await node.end()
        finally:
            if node.agent is not None:
                with suppress(ProcessLookupError):
                    node.agent.kill()
                node.agent.wait(_TO_END)
                node._tidy()
