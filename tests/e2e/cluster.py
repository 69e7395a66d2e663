"""A real API server and agents over simulated nodes, as processes of their own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any


ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
WRITES = frozenset({"create", "update", "patch", "delete", "deletecollection"})

Object = dict[str, Any]


@dataclass(frozen=True)
class Cluster:
    """A real kube-apiserver with our definitions."""

    folder: Path

    @property
    def kubeconfig(self) -> Path:
        return self.folder / "kubeconfig"

    def kubectl(self, *arguments: str | Path, given: object = None) -> str:
        command = [str(BIN / "kubectl"), f"--kubeconfig={self.kubeconfig}", f"--cache-dir={self.folder / 'cache'}"]
        words = [*command, *map(str, arguments)]
        done = subprocess.run(words, input=json.dumps(given), capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"kubectl {arguments}: {done.stderr}"
        return done.stdout

    def define(self) -> None:
        """Make our kinds known."""
        self.kubectl("apply", "-f", ROOT / "manifests/crds/crds.yaml")
        self.wait_until_defined()

    def wait_until_defined(self) -> None:
        """Wait for all kinds that were defined; `kubectl wait` fails where there are no conditions yet."""
        wait_until(self._is_defined, "the defined kinds are served")

    def _is_defined(self) -> bool:
        definitions = json.loads(self.kubectl("get", "customresourcedefinitions", "-o", "json"))["items"]
        told = [it.get("status", {}).get("conditions") or () for it in definitions]
        return all(any(one["type"] == "Established" and one["status"] == "True" for one in ones) for ones in told)

    def devices(self, node_name: str) -> dict[str, Object]:
        """The node's PCIDevices by name."""
        whole = json.loads(self.kubectl("get", "pcidevices", "-l", f"nodename={node_name}", "-o", "json"))
        return {item["metadata"]["name"]: item for item in whole["items"]}

    def control(self, command: str, component: str = "kube-apiserver") -> None:
        """Start, stop or restart a component."""
        subprocess.run([ROOT / "hack/cluster", command, "--dir", self.folder, component], check=True)

    def writes(self, *, since: float = 0.0) -> list[Object]:
        """What agents wrote (or tried to) after the moment *since*, from the server's audit log."""
        lines = (self.folder / "audit.jsonl").read_text().splitlines()
        entries = [json.loads(line) for line in lines if '"pcidevices/' in line]
        return [
            entry
            for entry in entries
            if entry["verb"] in WRITES
            and entry.get("userAgent", "").startswith("pcidevices/")
            and datetime.fromisoformat(entry["requestReceivedTimestamp"]).timestamp() > since
        ]


@contextmanager
def running_control_plane(folder: Path, *options: str) -> Iterator[Cluster]:
    """An API server for the length of the block, with nothing of ours on it."""
    subprocess.run([ROOT / "hack/cluster", "up", "--dir", folder, *options], check=True)
    try:
        yield Cluster(folder)
    finally:
        subprocess.run([ROOT / "hack/cluster", "down", "--dir", folder], check=True)


@contextmanager
def running_cluster(folder: Path) -> Iterator[Cluster]:
    """A cluster for the length of the block."""
    with running_control_plane(folder) as cluster:
        cluster.define()
        yield cluster


@dataclass
class Agent:
    """`pcidevices agent` over a simulated node that *spec* describes."""

    process: subprocess.Popen[bytes]
    log: Path
    spec: Path

    def events(self, name: str) -> list[Object]:
        lines = [json.loads(line) for line in self.log.read_text().splitlines() if line.startswith("{")]
        return [line for line in lines if line["event"] == name]

    def wait_for_event(self, name: str, *, count: int = 1, within: float = 30.0) -> None:
        wait_until(lambda: len(self.events(name)) >= count, f"{name}, {count} times in {self.log}", within=within)

    def cpu_seconds(self) -> float:
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextmanager
def running_agent(
    folder: Path,
    node_name: str,
    *,
    kubeconfig: Path | None,
    spec: str,
    around: Sequence[str] = (),
    environment: dict[str, str] | None = None,
) -> Iterator[Agent]:
    """An agent for the length of the block; it must end by itself and in good order when it is told to."""
    spec_file, log = folder / f"{node_name}.yaml", folder / f"agent-{time.monotonic_ns()}.log"
    spec_file.write_text(spec)
    command = [*around, BIN / "pcidevices", "agent", "--simulate", spec_file, "--node-name", node_name]
    command += ["--log-format", "json", "--log-level", "debug"]
    command += ["--kubeconfig", kubeconfig] if kubeconfig else []
    with log.open("wb") as file:
        process = subprocess.Popen(
            [str(part) for part in command], stderr=file, env={**os.environ, **(environment or {})}
        )
    try:
        yield Agent(process, log, spec_file)
        assert process.poll() is None, f"the agent ended by itself: {log.read_text()[-2000:]}"
    finally:
        process.send_signal(signal.SIGTERM)
        status = process.wait(10)
    assert status == 0, log.read_text()[-2000:]


def wait_until(true: Callable[[], bool], what: str, *, within: float = 30.0) -> None:
    """Poll the outside world until it is so."""
    deadline = time.monotonic() + within
    while not true():
        assert time.monotonic() < deadline, f"not within {within} s: {what}"
        time.sleep(0.1)  # waits: the outside world tells nobody


def a_spec(devices: int, *, device_id: str = "10fb") -> str:
    """A node with so many network cards."""
    lines = [
        f'  0000:{1 + i // 32:02x}:{i % 32:02x}.0: {{id: "8086:{device_id}", class: 0200, driver: ixgbe}}'
        for i in range(devices)
    ]
    return "\n".join(['kernel: "6.12"', "iommu: on", "devices:", *lines, ""])
