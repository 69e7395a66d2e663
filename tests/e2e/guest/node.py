"""The guest as a node: its kubelet, the pods on it, and a person with kubectl. Standard library only."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import threading
import time

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import rig

from tests.e2e.guest.agent import NODE, OUT, PATIENCE, Api, Object, Objects, name_of
from tests.e2e.guest.scene import Scene


FOLDER = Path("/srv/node")
PLUGINS = FOLDER / "kubelet/device-plugins"
PODS = "/api/v1/namespaces/default/pods"
NODES = "/api/v1/nodes"
CLUSTER = (sys.executable, "-B", str(Path(os.environ["RIG"], "../cluster")))
START = 240.0
"""Of the agent, beside kubelet's: a few seconds where nobody else works, and much more where many do."""
OFTEN = {"nodeStatusUpdateFrequency": "1s"}
COUNTED = re.compile(r'Processed device updates for resource" resourceName="([^"]+)" totalCount=\d+ healthyCount=(\d+)')
TRIES = 5
CRASHES = ("reconcile.crashed", "plugin.crashed", "call.crashed")


class NodeApi(Api):
    """The same API server, and what it has of the node and of the pods."""

    def __init__(self, kubeconfig: Path, *, patience: float = PATIENCE) -> None:
        super().__init__(kubeconfig, patience=patience)
        self.pods: Objects = {}
        self.nodes: Objects = {}
        for path, objects in ((PODS, self.pods), (NODES, self.nodes)):
            threading.Thread(target=self._watch, args=(path, objects), daemon=True).start()

    def wait_until_node(self, true: Callable[[Object], bool]) -> float:
        """Wait for the Node to be so; return the moment at which it was."""
        return self._wait_until(lambda nodes: NODE in nodes and true(nodes[NODE]["status"]), self.nodes)

    def wait_until_pod(self, name: str, true: Callable[[Object], bool]) -> float:
        """Wait for a pod to be so; return the moment at which it was."""
        return self._wait_until(lambda pods: name in pods and true(pods[name]["status"]), self.pods)

    def wait_until_no_pod(self, name: str) -> float:
        return self._wait_until(lambda pods: name not in pods, self.pods)

    def resource(self, address: str) -> str:
        return str(self.objects[name_of(address)]["status"]["resourceName"])

    def wait_until_allocatable(self, *addresses: str, count: int) -> float:
        """Wait until the Node says that so many of the devices' resources are to be had; return the moment."""
        names = {self.resource(address) for address in addresses}
        return self.wait_until_node(
            lambda status: {status.get("allocatable", {}).get(name) for name in names} == {str(count)}
        )


class Chain:
    """The node, and a person with kubectl."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self.api = NodeApi(scene.kubeconfig)

    def resource(self, address: str) -> str:
        return self.api.resource(address)

    def allocatable(self, *addresses: str, count: int = 1) -> float:
        return self.api.wait_until_allocatable(*addresses, count=count)

    def counted(self, *addresses: str, since: int = 0) -> float:
        """Wait until kubelet itself says that it has these and no others since then; return the moment."""
        wanted = {name: str(count) for name, count in Counter(map(self.resource, addresses)).items()}

        def all_counted() -> bool:
            with (FOLDER / "log/kubelet.log").open("rb") as log:
                log.seek(since)
                said = dict(COUNTED.findall(log.read().decode(errors="replace")))
            return wanted.items() <= said.items()

        rig.wait_until(all_counted, timeout=START)
        return time.monotonic()

    def create(self, name: str, *addresses: str, count: int = 1, **more: Any) -> float:
        """
        A pod that is bound to the node and wants so many of each device's resource; return when that was asked.

        What *more* says is of its container, but for the volumes.
        """
        limits = {self.resource(address): str(count) for address in addresses}
        volumes = more.pop("volumes", [])
        container = {"name": "main", "image": "example.com/any:1", "resources": {"limits": limits}, **more}
        spec = {"nodeName": NODE, "terminationGracePeriodSeconds": 1, "containers": [container], "volumes": volumes}
        begun = time.monotonic()
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec}
        self.api.request("POST", PODS, pod)
        return begun

    def running(self, name: str) -> float:
        return self.api.wait_until_pod(name, lambda status: status["phase"] == "Running")

    def start(self, name: str, *addresses: str, count: int = 1) -> None:
        """
        A pod that runs with so many of each resource.

        Where many work, a device that does not answer in time is not to be had for a moment: another pod is made then.
        """
        message = ""
        for _ in range(TRIES):
            self.scene.ready(*addresses)
            self.create(name, *addresses, count=count)
            self.api.wait_until_pod(name, lambda status: status["phase"] in {"Running", "Failed"})
            if self.api.pods[name]["status"]["phase"] == "Running":
                return
            message = self.refused(name)["message"]
            self.end(name)
        raise RuntimeError(f"{name} was refused {TRIES} times, at last: {message}")

    def refused(self, name: str) -> Object:
        """Wait until kubelet has refused a pod; return what it says of it."""
        self.api.wait_until_pod(name, lambda status: status["phase"] == "Failed")
        status = self.api.pods[name]["status"]
        return {"reason": status["reason"], "message": status["message"]}

    def end(self, *names: str) -> float:
        """Delete pods and wait until they are gone; return the moment."""
        for name in names:
            self.api.request("DELETE", f"{PODS}/{name}?gracePeriodSeconds=1")
        return max(self.api.wait_until_no_pod(name) for name in names)

    def created(self, pod: str) -> list[Object]:
        """What the runtime was to create for a pod."""
        lines = (FOLDER / "created.jsonl").read_text().splitlines()
        return [entry for entry in map(json.loads, lines) if entry["pod"] == pod]

    def addresses_of(self, pod: str) -> list[str]:
        """Of the devices that a pod's container was told of."""
        return sorted(it for value in self.given_to(pod)["envs"].values() for it in str(value).split(","))

    def given_to(self, pod: str) -> Object:
        """What the runtime was told to put into the pod's container, as far as it is ours."""
        (made,) = self.created(pod)
        return {
            "envs": {name: value for name, value in made["envs"].items() if name.startswith("PCI_RESOURCE_")},
            "devices": sorted(made["devices"], key=lambda device: str(device["containerPath"])),
        }

    def written_down(self) -> list[str]:
        """What kubelet's checkpoint says of devices that pods have."""
        written = json.loads((PLUGINS / "kubelet_internal_checkpoint").read_text())
        entries = written["Data"]["PodDeviceEntries"] or []
        return sorted(it for entry in entries for ids in entry["DeviceIDs"].values() for it in ids)

    def used_by(self, *addresses: str, pods: Iterable[str]) -> float:
        """Wait until the PCIDevices name these pods; return the moment."""
        wanted = list(pods)
        return self.api.wait_until(
            lambda objects: all(objects[name_of(it)]["status"].get("inUseBy", []) == wanted for it in addresses)
        )

    def looked_again(self, *addresses: str, times: int) -> None:
        """Wait until each claim has had so many turns more."""
        since = self.scene.agent.position()

        def all_had() -> bool:
            turns = [it["name"] for it in self.scene.agent.events("reconcile.finished", since=since)]
            return all(turns.count(name_of(address)) >= times for address in addresses)

        rig.wait_until(all_had, timeout=PATIENCE)

    def steps(self, *addresses: str, since: int) -> list[str]:
        """What the agent did to the devices since then."""
        return [str(step["step"]) for it in addresses for step in self.scene.steps(it, since=since)]


Scenarios = Mapping[str, Callable[[Chain, Object], None]]


def live(folder: Path, scenarios: Scenarios, *join: str, **kubelet: str) -> None:
    """
    Be a node of the cluster in *folder* for these scenarios, and report.

    The words of *join* are more of its options, *kubelet* is more of its configuration. The agent runs at the end,
    unless a scenario has ended it.
    """
    os.environ["PCIDEVICES_KUBELET_DIR"] = str(FOLDER / "kubelet")
    words = [str(Path(os.environ["RIG"], "join")), str(folder), *join, "--kubelet-config", json.dumps(OFTEN | kubelet)]
    begun = time.monotonic()
    with subprocess.Popen(words) as joining:
        scene = Scene(folder / "guest.kubeconfig")
        rig.wait_until(lambda: joining.poll() or scene.agent.events("agent.synced"), timeout=START)
        if status := joining.wait():
            sys.exit(f"the guest has not become a node: join has ended with {status}")
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    scene.report |= {"kernel": os.uname().release, "boot": boot}
    scene.report["seconds: join and sync"] = after(begun)
    scene.report["uptime"] = {"joined": _uptime()}
    chain = Chain(scene)
    try:
        for name, scenario in scenarios.items():
            with scene.scenario(name) as facts:
                scenario(chain, facts)
            scene.report["uptime"][name] = _uptime()
            scene.report["crashes"] = [it for crash in CRASHES for it in scene.agent.events(crash)]
            (OUT / "report.json").write_text(json.dumps(scene.report, indent=1))
    finally:
        shutil.copytree(FOLDER / "log", OUT / "node-log", dirs_exist_ok=True, ignore_dangling_symlinks=True)


def the_agent_ends(chain: Chain, facts: Object) -> None:
    """In order, since it is told to."""
    facts["seconds: SIGTERM to the end"] = round(chain.scene.agent.stop(), 2)
    facts["exit status"] = chain.scene.agent.process.returncode


def _uptime() -> float:
    return float(Path("/proc/uptime").read_text().split()[0])


def cluster(command: str, *words: str) -> None:
    """Do something to a program of the node."""
    subprocess.run([*CLUSTER, command, "--dir", str(FOLDER), *words], check=True)


def kubelet_log() -> int:
    return (FOLDER / "log/kubelet.log").stat().st_size


def after(begun: float, moment: float | None = None) -> float:
    return round((time.monotonic() if moment is None else moment) - begun, 2)
