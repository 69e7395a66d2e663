"""Rows for the plug-ins: a large cluster on a real API server, beside plain kubectl."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio
import yaml

from pcidevices.api.v1beta1 import API_VERSION, NODE_LABEL
from tests.bench.rows import Row
from tests.contract.apiserver.client import Api, connected
from tests.e2e.cluster import BIN, running_cluster


_DEVICES = int(os.environ.get("PCIDEVICES_BENCH_DEVICES", "10000"))
_PER_NODE, _AT_ONCE, _ROUNDS = 100, 32, 5
_WATCHER = """
import json, os, subprocess, sys, time
begun = time.perf_counter()
process = subprocess.Popen(sys.argv[1:], stdout=subprocess.DEVNULL)
_, status, usage = os.wait4(process.pid, 0)
assert status == 0, status
print(json.dumps([time.perf_counter() - begun, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024]))
"""
"""A process of its own: what is started by a large one counts as that large for the kernel."""
_PATH = f"/apis/{API_VERSION}/pcidevices"


def start() -> Iterator[Row]:
    """How long a person waits for a plug-in to be there at all."""
    ours, rival = _measured("pci", "list", "--help"), _measured("get", "--help")
    yield Row("kubectl pci list --help", "s", ours.seconds, rival.seconds, "kubectl get --help", "≤ 0.3 s")


def listing() -> Iterator[Row]:
    """All devices of a hundred nodes."""
    with tempfile.TemporaryDirectory() as folder, running_cluster(Path(folder) / "cluster") as cluster:
        anyio.run(_fill, yaml.safe_load(cluster.kubeconfig.read_text()))
        where = f"--kubeconfig={cluster.kubeconfig}"
        ours, rival = _measured("pci", "list", where), _measured("get", "pcidevices", where)
    what = f"kubectl pci list, {_DEVICES:,} devices"
    yield Row(what, "s", ours.seconds, rival.seconds, "kubectl get pcidevices", "≤ 2 s")
    yield Row(f"{what}, CPU", "s", ours.cpu, rival.cpu, "kubectl get pcidevices", "≤ 1 s")
    yield Row(f"{what}, RSS", "MiB", ours.mib, rival.mib, "kubectl get pcidevices", "≤ 150 MiB")


@dataclass(frozen=True)
class _Cost:
    seconds: float
    cpu: float
    """Of all its processes."""
    mib: float
    """Of the largest of them; kubectl becomes its plug-in, and the plug-in runs kubectl."""


def _measured(*words: str) -> _Cost:
    """Medians of a few runs."""
    environment = {**os.environ, "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}"}
    command = [sys.executable, "-c", _WATCHER, str(BIN / "kubectl"), *words]
    runs = [json.loads(subprocess.check_output(command, env=environment)) for _ in range(_ROUNDS)]
    return _Cost(*(statistics.median(column) for column in zip(*runs, strict=True)))


async def _fill(kubeconfig: dict[str, Any]) -> None:
    """So many network cards, with their statuses, written side by side."""
    room = anyio.CapacityLimiter(_AT_ONCE)
    async with connected(kubeconfig) as (session, url), anyio.create_task_group() as tg:
        api = Api(session, url, "", namespace="default")
        for number in range(_DEVICES):
            tg.start_soon(_publish, api, number, room)


async def _publish(api: Api, number: int, room: anyio.CapacityLimiter) -> None:
    device = _device(number)
    async with room:
        answer = await api.post(_PATH, device)
        assert answer.status == 201, answer.body
        answer = await api.put(
            f"{_PATH}/{device['metadata']['name']}/status", {**answer.body, "status": device["status"]}
        )
        assert answer.status == 200, answer.body


def _device(number: int) -> dict[str, Any]:
    node, slot = f"node-{number // _PER_NODE:03}", number % _PER_NODE
    address = f"0000:{slot // 8 + 1:02x}:00.{slot % 8}"
    name = f"{node}-{address.replace(':', '').replace('.', '')}"
    seen = {"type": "Present", "status": "True", "reason": "Seen", "message": "the device was there at the last look"}
    return {
        "apiVersion": API_VERSION,
        "kind": "PCIDevice",
        "metadata": {"name": name, "labels": {NODE_LABEL: node}},
        "spec": {},
        "status": {
            "address": address,
            "vendorId": "8086",
            "deviceId": "10fb",
            "classId": "0200",
            "iommuGroup": str(slot),
            "iommuGroupMembers": [address],
            "nodeName": node,
            "resourceName": "intel.com/82599ES_10GIGABIT_SFI_SFP_NETWORK_CONNECTION",
            "description": "Ethernet controller: Intel Corporation 82599ES 10-Gigabit SFI/SFP+ Network Connection",
            "kernelDriverInUse": "ixgbe",
            "numaNode": slot // 50,
            "networkInterfaces": [f"ens{slot}"],
            "conditions": [{**seen, "lastTransitionTime": "2026-01-01T00:00:00Z"}],
        },
    }
