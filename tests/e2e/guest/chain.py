"""
Runs in the guest, which becomes a node: the whole way of a device, from a claim to a virtual machine and back.

    hack/vm --env=QEMU=FOLDER -- python3 tests/e2e/guest/chain.py CLUSTER [SCENARIO…]

CLUSTER is the folder of `hack/cluster up --node-name guest` on the host. Writes /mnt/report.json: for each scenario
what was seen, and /mnt/node-log: what kubelet said. Standard library only.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time

from collections.abc import Callable, Iterable
from datetime import datetime
from pathlib import Path
from typing import TypeVar


sys.path += [os.environ["RIG"], str(Path.cwd())]

import rig

from tests.e2e.guest.agent import NODE, OUT, PATIENCE, Api, Object, Objects, name_of
from tests.e2e.guest.identity import OTHER
from tests.e2e.guest.inuse import FIRMWARE, IDS, virtual_machine
from tests.e2e.guest.scene import GPU, PLUGGED, SOUND, TWIN, Scene, state


T = TypeVar("T")

FOLDER = Path("/srv/node")
PLUGINS = FOLDER / "kubelet/device-plugins"
PODS = "/api/v1/namespaces/default/pods"
NODES = "/api/v1/nodes"
CLUSTER = (sys.executable, "-B", str(Path(os.environ["RIG"], "../cluster")))
DEVICES = (TWIN, GPU, SOUND)
START = 240.0
"""Of the agent, beside kubelet's: a few seconds where nobody else works, and much more where many do."""
OFTEN = '{"nodeStatusUpdateFrequency":"1s"}'
COUNTED = re.compile(r'Processed device updates for resource" resourceName="([^"]+)" totalCount=\d+ healthyCount=(\d+)')


class NodeApi(Api):
    """The same API server, and what it has of the node and of the pods."""

    def __init__(self, kubeconfig: Path) -> None:
        super().__init__(kubeconfig)
        self.pods: Objects = {}
        self.nodes: Objects = {}
        for path, objects in ((PODS, self.pods), (NODES, self.nodes)):
            threading.Thread(target=self._watch, args=(path, objects), daemon=True).start()

    def wait_until_node(self, true: Callable[[Object], bool]) -> float:
        """Wait for the Node to be so; return the moment at which it was."""
        return self._wait_until(lambda nodes: NODE in nodes and true(nodes[NODE]["status"]), self.nodes, PATIENCE)

    def wait_until_pod(self, name: str, true: Callable[[Object], bool]) -> float:
        """Wait for a pod to be so; return the moment at which it was."""
        return self._wait_until(lambda pods: name in pods and true(pods[name]["status"]), self.pods, PATIENCE)

    def wait_until_no_pod(self, name: str) -> float:
        return self._wait_until(lambda pods: name not in pods, self.pods, PATIENCE)


class Chain:
    """The node, and a person with kubectl."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self.api = NodeApi(scene.kubeconfig)

    def resource(self, address: str) -> str:
        return str(self.api.objects[name_of(address)]["status"]["resourceName"])

    def allocatable(self, *addresses: str, count: int = 1) -> float:
        """Wait until the Node says that so many of the devices' resources are to be had; return the moment."""
        names = {self.resource(address) for address in addresses}
        return self.api.wait_until_node(
            lambda status: {status.get("allocatable", {}).get(name) for name in names} == {str(count)}
        )

    def counted(self, *addresses: str, since: int) -> float:
        """Wait until kubelet itself says that it has one of each since then; return the moment."""
        wanted = {self.resource(address): "1" for address in addresses}

        def all_counted() -> bool:
            with (FOLDER / "log/kubelet.log").open("rb") as log:
                log.seek(since)
                said = dict(COUNTED.findall(log.read().decode(errors="replace")))
            return wanted.items() <= said.items()

        rig.wait_until(all_counted, timeout=START)
        return time.monotonic()

    def create(self, name: str, *addresses: str, count: int = 1) -> float:
        """A pod that is bound to the node and wants so many of each device's resource; return when that was asked."""
        limits = {self.resource(address): str(count) for address in addresses}
        container = {"name": "main", "image": "example.com/any:1", "resources": {"limits": limits}}
        spec = {"nodeName": NODE, "terminationGracePeriodSeconds": 1, "containers": [container]}
        begun = time.monotonic()
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec}
        self.api.request("POST", PODS, pod)
        return begun

    def running(self, name: str) -> float:
        return self.api.wait_until_pod(name, lambda status: status["phase"] == "Running")

    def end(self, name: str) -> float:
        """Delete a pod and wait until it is gone; return the moment."""
        self.api.request("DELETE", f"{PODS}/{name}?gracePeriodSeconds=1")
        return self.api.wait_until_no_pod(name)

    def given_to(self, pod: str) -> Object:
        """What the runtime was told to put into the pod's container, as far as it is ours."""
        lines = (FOLDER / "created.jsonl").read_text().splitlines()
        (made,) = (entry for entry in map(json.loads, lines) if entry["pod"] == pod)
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


def cluster(command: str, *words: str) -> None:
    """Do something to a program of the node."""
    subprocess.run([*CLUSTER, command, "--dir", str(FOLDER), *words], check=True)


def kubelet_log() -> int:
    return (FOLDER / "log/kubelet.log").stat().st_size


def after(begun: float, moment: float | None = None) -> float:
    return round((time.monotonic() if moment is None else moment) - begun, 2)


def from_a_claim_to_a_pod(chain: Chain, facts: Object) -> None:
    """Claims, allocatable, a pod: what it was given."""
    scene = chain.scene
    facts["home"] = state(*DEVICES)
    facts["groups"] = {it: rig.group(it) for it in DEVICES}
    there = scene.claim(*DEVICES)
    ready = scene.ready(*DEVICES)
    facts["seconds: claims to Ready"] = after(there, ready)
    facts["seconds: Ready to allocatable"] = after(ready, chain.allocatable(*DEVICES))
    facts["resources"] = {it: chain.resource(it) for it in DEVICES}
    begun = chain.create("vm", *DEVICES)
    facts["seconds: pod to Running"] = after(begun, chain.running("vm"))
    facts["given"] = chain.given_to("vm")
    facts["seconds: pod to inUseBy"] = after(begun, chain.used_by(*DEVICES, pods=["default/vm"]))


def a_pod_that_asks_for_more(chain: Chain, facts: Object) -> None:
    """It is refused, and told why."""
    begun = chain.create("greedy", TWIN, count=2)
    failed = chain.api.wait_until_pod("greedy", lambda status: status["phase"] == "Failed")
    status = chain.api.pods["greedy"]["status"]
    facts |= {"reason": status["reason"], "message": status["message"], "seconds": after(begun, failed)}
    chain.end("greedy")


def _undisturbed(chain: Chain, facts: Object, disturb: Callable[[], object]) -> None:
    """Disturb; note when kubelet counts the devices again, and that nothing was done to them."""
    since, said = chain.scene.agent.position(), kubelet_log()
    begun, moment = time.monotonic(), time.time()
    disturb()
    facts["seconds: the disturbance itself"] = after(begun)
    facts["seconds: to counted again"] = after(begun, chain.counted(*DEVICES, since=said))
    facts["seconds: to allocatable again"] = after(begun, chain.allocatable(*DEVICES))
    registered = [it["timestamp"] for it in chain.scene.agent.events("plugin.registered", since=since)]
    facts["seconds: to registered again"] = [
        round(datetime.fromisoformat(it).timestamp() - moment, 2) for it in sorted(registered)
    ]
    facts["seconds: to kubelet's socket"] = round((PLUGINS / "kubelet.sock").stat().st_ctime - moment, 2)
    facts["steps"] = chain.steps(*DEVICES, since=since)
    facts["drivers"] = state(*DEVICES)
    facts["claims"] = {it: chain.scene.reason(it) for it in DEVICES}
    facts["plugins"] = [it["why"] for it in chain.scene.agent.events("plugin.ended", since=since)]


def kubelet_restarts(chain: Chain, facts: Object) -> None:
    _undisturbed(chain, facts, lambda: cluster("restart", "kubelet"))


def the_agent_is_killed(chain: Chain, facts: Object) -> None:
    def kill() -> None:
        chain.scene.agent.process.kill()
        chain.scene.agent.process.wait()
        chain.scene.restart()

    _undisturbed(chain, facts, kill)


def the_sockets_are_deleted(chain: Chain, facts: Object) -> None:
    def delete() -> None:
        for path in PLUGINS.glob("kubevirt-*.sock"):
            path.unlink()

    _undisturbed(chain, facts, delete)


def with_a_virtual_machine(chain: Chain, facts: Object) -> None:
    """A real one has what the pod was given; claims that are deleted wait for both."""
    scene, log = chain.scene, OUT / "firmware.log"
    given = [address for value in chain.given_to("vm")["envs"].values() for address in str(value).split(",")]
    begun = time.monotonic()
    with virtual_machine(log, *sorted(given)) as machine:
        rig.wait_until(lambda: machine.poll() is not None or _lists(log, IDS.values()), timeout=FIRMWARE)
        facts["seconds: machine to firmware"] = after(begun)
        facts["ids"] = {it: ids for it, ids in IDS.items() if _lists(log, [ids])}
        facts["enable"] = {it: rig.read(rig.device(it) / "enable") for it in DEVICES}
        for name, disturbance in DISTURBANCES.items():
            with scene.scenario(name) as noted:
                disturbance(chain, noted)
        since = scene.agent.position()
        begun = scene.delete(*DEVICES)
        facts["seconds: deletion to DeviceInUse"] = after(begun, scene.told("DeviceInUse", *DEVICES))
        facts["seconds: deletion to not allocatable"] = after(begun, chain.allocatable(*DEVICES, count=0))
        rig.wait_until(lambda: all("default/vm" in scene.message(it) for it in DEVICES), timeout=PATIENCE)
        facts["messages"] = {it: scene.message(it) for it in DEVICES}
        facts["machine"] = machine.pid
        facts["still runs"] = machine.poll() is None
    rig.wait_until(lambda: not any("process" in scene.message(it) for it in DEVICES), timeout=PATIENCE)
    chain.looked_again(*DEVICES, times=2)
    facts["messages without the machine"] = {it: scene.message(it) for it in DEVICES}
    facts["enable without the machine"] = {it: rig.read(rig.device(it) / "enable") for it in DEVICES}
    facts["steps"] = chain.steps(*DEVICES, since=since)


def kubelet_forgets(chain: Chain, facts: Object) -> None:
    """A kubelet that cannot reach the API server names no pod: claims that are being deleted wait all the same."""
    scene = chain.scene
    since = scene.agent.position()
    relay = json.loads((FOLDER / "cluster.json").read_text())["processes"]["relay"]["pid"]
    os.kill(relay, signal.SIGSTOP)
    with subprocess.Popen([*CLUSTER, "restart", "--dir", str(FOLDER), "kubelet"]) as restart:  # ends when it is Ready
        try:
            rig.wait_until(lambda: all("does not name" in scene.message(it) for it in DEVICES), timeout=PATIENCE)
            chain.looked_again(*DEVICES, times=3)
            facts["messages"] = {it: scene.message(it) for it in DEVICES}
        finally:
            os.kill(relay, signal.SIGCONT)
        begun = time.monotonic()
        rig.wait_until(lambda: all("default/vm" in scene.message(it) for it in DEVICES), timeout=PATIENCE)
        facts["seconds: the API server's return to the pod's name"] = after(begun)
        facts["restart"] = restart.wait()
    facts["steps"] = chain.steps(*DEVICES, since=since)
    facts["drivers"] = state(*DEVICES)


def home(chain: Chain, facts: Object) -> None:
    """The last pod of the node ends: all goes home."""
    begun = time.monotonic()
    ended = chain.end("vm")
    facts["seconds: deletion to the pod's end"] = after(begun, ended)
    facts["still written down"] = chain.written_down()
    facts["seconds: the pod's end to claims gone"] = after(ended, chain.scene.gone(*DEVICES))
    chain.allocatable(*DEVICES, count=0)
    facts["after"] = state(*DEVICES)
    facts["seconds: the pod's end to nobody uses it"] = after(ended, chain.used_by(*DEVICES, pods=[]))


def a_card_is_pulled(chain: Chain, facts: Object) -> None:
    """While a virtual machine has it: that waits for its end, and concerns nobody else."""
    scene, log = chain.scene, OUT / "pulled.log"
    with rig.Qmp() as qmp:
        qmp("device_add", **OTHER)
        rig.wait_until(lambda: rig.driver(PLUGGED) == "igb")
        scene.claim(PLUGGED)
        scene.ready(PLUGGED)
        chain.allocatable(PLUGGED)
        chain.create("unlucky", PLUGGED)
        chain.running("unlucky")
        with virtual_machine(log, PLUGGED) as machine:
            rig.wait_until(lambda: machine.poll() is not None or _lists(log, ["8086:10c9"]), timeout=FIRMWARE)
            pulled = time.monotonic()
            qmp("device_del", id=OTHER["id"])
            facts["seconds: pulled to not allocatable"] = after(pulled, chain.allocatable(PLUGGED, count=0))
            facts["seconds: pulled to told"] = after(pulled, scene.told("DeviceInUse", PLUGGED))
            facts["message"] = scene.message(PLUGGED)
            facts["still there"] = rig.device(PLUGGED).exists()
            there = scene.claim(TWIN)
            facts["another one's seconds to Ready"] = after(there, scene.ready(TWIN))
            facts["another one's seconds to allocatable"] = after(there, chain.allocatable(TWIN))
            facts["another one's seconds back"] = round(scene.give_back(TWIN), 2)
            facts["still runs"] = machine.poll() is None
        ended = time.monotonic()
        qmp.wait_for("DEVICE_DELETED", device=OTHER["id"])
        rig.wait_until(lambda: not rig.device(PLUGGED).exists())
        facts["seconds: the machine's end to gone"] = after(ended)
        facts["seconds: the machine's end to DeviceNotFound"] = after(ended, scene.told("DeviceNotFound", PLUGGED))
        facts["message when it is gone"] = scene.message(PLUGGED)
    chain.end("unlucky")
    facts["seconds: give back"] = round(scene.give_back(PLUGGED), 2)


def _lists(log: Path, ids: Iterable[str]) -> bool:
    """Whether the firmware says that it has found devices of all these ids."""
    text = log.read_text(errors="replace") if log.exists() else ""
    return all(f"id={one}" in text for one in ids)


DISTURBANCES = {
    "greedy": a_pod_that_asks_for_more,
    "kubelet": kubelet_restarts,
    "agent": the_agent_is_killed,
    "sockets": the_sockets_are_deleted,
}
SCENARIOS = {
    "pod": from_a_claim_to_a_pod,
    "machine": with_a_virtual_machine,
    "forgets": kubelet_forgets,
    "home": home,
    "pulled": a_card_is_pulled,
}


def main(folder: Path, *names: str) -> None:
    os.environ["PCIDEVICES_KUBELET_DIR"] = str(FOLDER / "kubelet")
    join = [str(Path(os.environ["RIG"], "join")), str(folder), "--kubelet-config", OFTEN]
    begun = time.monotonic()
    with subprocess.Popen(join) as joining:
        scene = Scene(folder / "guest.kubeconfig")
        rig.wait_until(lambda: scene.agent.events("agent.synced"), timeout=START)
        status = joining.wait()
    scene.report |= {"kernel": os.uname().release, "join": status, "seconds: join and sync": after(begun)}
    scene.report["uptime"] = {"joined": _uptime()}
    chain = Chain(scene)
    try:
        for name in names or SCENARIOS:
            with scene.scenario(name) as facts:
                SCENARIOS[name](chain, facts)
            scene.report["uptime"][name] = _uptime()
            _save(scene)
        scene.report["crashes"] = [it for crash in CRASHES for it in scene.agent.events(crash)]
        scene.report["seconds: SIGTERM to the end"] = round(scene.agent.stop(), 2)
        scene.report["exit status"] = scene.agent.process.returncode
        _save(scene)
    finally:
        shutil.copytree(FOLDER / "log", OUT / "node-log", dirs_exist_ok=True, ignore_dangling_symlinks=True)


CRASHES = ("reconcile.crashed", "plugin.crashed", "call.crashed")


def _save(scene: Scene) -> None:
    (OUT / "report.json").write_text(json.dumps(scene.report, indent=1))


def _uptime() -> float:
    return float(Path("/proc/uptime").read_text().split()[0])


main(Path(sys.argv[1]), *sys.argv[2:])
