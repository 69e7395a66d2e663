"""Rows with a real API server and the agent as a process of its own."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from pcidevices.sim.node import SimulatedNode, load_spec
from tests.bench.rows import Row
from tests.e2e.cluster import BIN, Agent, Cluster, a_spec, running_agent, running_cluster


_REST = float(os.environ.get("PCIDEVICES_BENCH_REST", "60"))
_ANCESTOR_POLL = 30.0
_WHOLE_CLIENT = "import asyncio, kubernetes_asyncio.client, resource; print(resource.getrusage(0).ru_maxrss)"


def cold_start() -> Iterator[Row]:
    """From exec to 256 published devices."""
    with _cluster() as (cluster, folder):
        # For the first object of a new definition the API server takes two seconds, for whoever comes first.
        cluster.kubectl("create", "-f", "-", given=_bare("first"))
        begun = time.time()
        with running_agent(folder, "cold", kubeconfig=cluster.kubeconfig, spec=a_spec(256)) as agent:
            agent.wait_for_event("device.published", count=256, within=60)
            told = agent.events("device.published")[-1]["timestamp"]
            ours = datetime.fromisoformat(told).timestamp() - begun
        objects = {"apiVersion": "v1", "kind": "List", "items": [_bare(f"rival-{i:03}") for i in range(256)]}
        (folder / "objects.json").write_text(json.dumps(objects))
        begun = time.time()
        cluster.kubectl("create", "-f", folder / "objects.json")
        rival = time.time() - begun
    yield Row("start to 256 published devices", "s", ours, rival, "kubectl create of 256 (half the requests)", "≤ 3 s")


def memory() -> Iterator[Row]:
    """At rest, with a thousand real files to read."""
    with _cluster() as (cluster, folder), _real_agent(cluster, folder, a_spec(1000)) as agent:
        agent.wait_for_event("device.published", count=1000, within=120)
        time.sleep(5)
        ours = _rss_mib(agent.process.pid)
        rival = int(subprocess.check_output([sys.executable, "-c", _WHOLE_CLIENT])) / 1024
    yield Row("RSS at rest, 1,000 devices", "MiB", ours, rival, "importing kubernetes_asyncio.client alone", "≤ 64 MiB")


def hint_to_write() -> Iterator[Row]:
    """From a change on the node to the API server's answer to the write that tells of it."""
    with _cluster() as (cluster, folder):
        spec = a_spec(32)
        with running_agent(folder, "hint", kubeconfig=cluster.kubeconfig, spec=spec) as agent:
            agent.wait_for_event("device.published", count=32)
            measured: list[float] = []
            for round_ in range(100):
                smaller = round_ % 2 == 0
                agent.spec.write_text(a_spec(31) if smaller else spec)
                name = "device.unpublished" if smaller else "device.published"
                agent.wait_for_event(name, count=(round_ // 2 + 1) + (0 if smaller else 32))
                done = datetime.fromisoformat(agent.events(name)[-1]["timestamp"])
                seen = datetime.fromisoformat(agent.events("node.reloaded")[-1]["timestamp"])
                measured.append((done - seen).total_seconds())
    p99 = statistics.quantiles(measured, n=100)[98]
    yield Row("hint to API write, p99 of 100", "s", p99, _ANCESTOR_POLL, "the ancestor's poll, at worst", "≤ 0.3 s")


def rest() -> Iterator[Row]:
    """Nothing happens, and nothing is done."""
    with _cluster() as (cluster, folder), _real_agent(cluster, folder, a_spec(64)) as agent:
        agent.wait_for_event("device.published", count=64)
        time.sleep(5)
        scans, cpu, begun = len(agent.events("scan.due")), agent.cpu_seconds(), time.time()
        time.sleep(_REST)
        used = (agent.cpu_seconds() - cpu) / (time.time() - begun) * 100
        writes = len(cluster.writes(since=begun))
        scans = len(agent.events("scan.due")) - scans
    # The ancestor asks for every device every 30 s, and writes its status.
    polled = 2 * 64 * _REST / _ANCESTOR_POLL
    yield Row(f"API writes at rest in {_REST:.0f} s", "", writes, polled / 2, "the ancestor's, 64 devices", "0")
    yield Row(f"sysfs scans at rest in {_REST:.0f} s", "", scans, _REST / _ANCESTOR_POLL, "the ancestor's", "0")
    yield Row("CPU at rest", "%", used, 100.0, "one core", "≤ 0.1 %")


@contextmanager
def _cluster() -> Iterator[tuple[Cluster, Path]]:
    with tempfile.TemporaryDirectory() as folder, running_cluster(Path(folder) / "cluster") as cluster:
        for kind in ("pcidevices", "pcideviceclaims"):  # the first request for a new kind is told to come back
            cluster.kubectl("get", kind)
        yield cluster, Path(folder)


@contextmanager
def _real_agent(cluster: Cluster, folder: Path, spec: str) -> Iterator[Agent]:
    """The agent as it runs on a node, hint sources and all, over a tree that somebody else simulates."""
    with tempfile.TemporaryDirectory(dir="/dev/shm") as tree, (folder / "agent.log").open("wb") as log:
        node = SimulatedNode(Path(tree), load_spec(spec))
        where = ["--node-name", "real", "--kubeconfig", str(cluster.kubeconfig), "--sysfs", str(node.sysfs)]
        command = [str(BIN / "pcidevices"), "agent", *where, "--log-format", "json", "--log-level", "debug"]
        process = subprocess.Popen(command, stderr=log)
        try:
            yield Agent(process, folder / "agent.log", folder / "none")
        finally:
            process.terminate()
            process.wait(10)


def _rss_mib(pid: int) -> float:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmRSS")).split()[1]) / 1024


def _bare(name: str) -> dict[str, Any]:
    return {
        "apiVersion": "devices.harvesterhci.io/v1beta1",
        "kind": "PCIDevice",
        "metadata": {"name": name},
        "spec": {},
    }
