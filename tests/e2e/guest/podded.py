"""
Runs in the guest, which becomes a node with containerd: the agent is a pod there, and claims and gives back.

    hack/vm -- python3 tests/e2e/guest/podded.py CLUSTER

CLUSTER is the folder of `hack/cluster up --node-name guest --controllers` on the host; the manifests are applied there.
Writes /mnt/report.json: for each scenario what was seen. Standard library only.
"""

from __future__ import annotations

import http.client
import json
import os
import shutil
import subprocess
import sys

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path


sys.path += [os.environ["RIG"], str(Path.cwd())]

import rig

from tests.e2e.guest.agent import NODE, OUT, Object, Refused, driver_is, name_of
from tests.e2e.guest.node import FOLDER, OFTEN, PLUGINS, PODS, NodeApi, cluster
from tests.e2e.guest.person import Person, noted
from tests.e2e.guest.scene import GPU, SOUND, TWIN, state


DAEMONSET = "/apis/apps/v1/namespaces/pcidevices-system/daemonsets/pcidevices"
AGENTS = "/api/v1/namespaces/pcidevices-system/pods"
DEVICES = (TWIN, GPU, SOUND)
IMAGE = "localhost/bare:1"
PATIENCE = 900.0
"""By the guest's clock, which is fast where a guest gets less than a processor. Containers and Python start slowly."""
HOLDS = 'exec 3<> "/dev/vfio/$GROUP" && echo held && exec /busybox sleep 100000'


class Node(Person):
    """This guest, and a person with kubectl."""

    api: NodeApi

    def __init__(self, folder: Path) -> None:
        super().__init__(NodeApi(folder / "guest.kubeconfig", patience=PATIENCE))
        self.report: Object = {"kernel": os.uname().release}

    @contextmanager
    def scenario(self, name: str) -> Iterator[Object]:
        """A part of the report. What fails ends it all."""
        try:
            with noted(self.report, name) as facts:
                yield facts
        finally:
            (OUT / "report.json").write_text(json.dumps(self.report, indent=1))

    def until(self, true: Callable[[], bool], what: str) -> None:
        """Wait for what no watch brings; what is not there yet is not so."""

        def holds() -> bool:
            try:
                return true()
            except (Refused, KeyError, OSError, http.client.HTTPException):
                return False

        try:
            rig.wait_until(holds, timeout=PATIENCE)
        except TimeoutError:
            raise TimeoutError(f"not within {PATIENCE:.0f} s: {what}") from None

    def rolled_out(self) -> bool:
        """Whether the DaemonSet's pod is that of its newest template, and ready."""
        whole = self.api.get(DAEMONSET)
        status = whole["status"]
        seen = status.get("observedGeneration") == whole["metadata"]["generation"]
        return bool(seen and status.get("updatedNumberScheduled") == 1 and status.get("numberReady") == 1)

    def agent(self) -> Object:
        """Its pod."""
        (pod,) = (it for it in self.api.get(AGENTS)["items"] if "deletionTimestamp" not in it["metadata"])
        return dict(pod)

    def hold(self, address: str) -> None:
        """A pod that has the group of a device open."""
        container = {
            "name": "main",
            "image": IMAGE,
            "imagePullPolicy": "Never",
            "command": ["/busybox", "sh", "-c", HOLDS],
            "env": [{"name": "GROUP", "value": str(rig.group(address))}],
            "resources": {"limits": {self.api.resource(address): "1"}},
        }
        spec = {"nodeName": NODE, "terminationGracePeriodSeconds": 1, "containers": [container]}
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "holder"}, "spec": spec}
        self.api.request("POST", PODS, pod)
        self.api.wait_until_pod("holder", lambda status: status["phase"] == "Running")

    def holder(self) -> list[object]:
        """The very container, and what it has said."""
        (status,) = self.api.get(f"{PODS}/holder")["status"]["containerStatuses"]
        said = [log.read_text() for log in FOLDER.glob("log/node/pods/default_holder_*/main/*.log")]
        return [status["containerID"], status["restartCount"], "held" in "".join(said)]


def bare_image(folder: Path) -> Path:
    """
    Links, a shell, and the list of libraries, which `ctypes` looks into: all else is mounted, since an image takes
    minutes to unpack here.
    """
    (folder / "etc").mkdir(parents=True)
    shutil.copy("/etc/ld.so.cache", folder / "etc/ld.so.cache")
    for name in ("bin", "lib", "lib64", "sbin"):
        (folder / name).symlink_to(f"usr/{name}")
    shutil.copy("/bin/busybox", folder / "busybox")
    return folder


def rolls_out(node: Node, facts: Object) -> None:
    node.until(node.rolled_out, "the agent's pod is ready")
    facts["pod"] = node.agent()["spec"]
    (main,) = (it for it in Path("/proc").glob("[0-9]*/cmdline") if b"pcidevices\0agent" in it.read_bytes())
    facts["process"] = (main.parent / "status").read_text()
    addresses = {name_of(it) for it in DEVICES}
    node.api.wait_until(lambda objects: addresses <= objects.keys())
    facts["published"] = len(node.api.objects)


def claims(node: Node, facts: Object) -> None:
    facts["home"] = state(*DEVICES)
    # The node has a network namespace of its own here, which has none of the guest's cards: any may be in use.
    node.claim(TWIN, allow=TWIN)
    node.claim(GPU)
    node.told("GroupNotViable", GPU)  # the pod sees the neighbour, although it has only parts of sysfs
    node.claim(SOUND)
    node.ready(*DEVICES)
    facts["taken"] = state(*DEVICES)
    node.api.wait_until_allocatable(*DEVICES, count=1)
    node.hold(TWIN)
    used = ["default/holder"]
    node.until(lambda: node.api.objects[name_of(TWIN)]["status"].get("inUseBy") == used, "the device names its pod")


def upgrades(node: Node, facts: Object) -> None:
    facts["before"], before = node.holder(), node.agent()["metadata"]["uid"]
    with rig.Uevents() as uevents:
        whole = node.api.get(DAEMONSET)
        whole["spec"]["template"]["metadata"].setdefault("annotations", {})["example.com/version"] = "next"
        node.api.request("PUT", DAEMONSET, whole)
        node.until(lambda: node.rolled_out() and node.agent()["metadata"]["uid"] != before, "the new agent is ready")
        node.api.wait_until_allocatable(*DEVICES, count=1)
        while uevents.read():
            pass
        facts["done to devices"] = [[it.action, it.address] for it in uevents.seen if it.address in DEVICES]
    facts["after"] = node.holder()
    facts["taken"] = state(*DEVICES)
    facts["reasons"] = {it: node.reason(it) for it in DEVICES}


def releases(node: Node, facts: Object) -> None:
    node.delete(*DEVICES)
    node.gone(GPU, SOUND)
    node.told("DeviceInUse", TWIN)
    facts["held"] = state(*DEVICES)
    node.api.request("DELETE", f"{PODS}/holder?gracePeriodSeconds=1")
    node.gone(TWIN)
    facts["home"] = state(*DEVICES)
    node.api.wait_until(driver_is(TWIN, "e1000e"))


def ends(node: Node, facts: Object) -> None:
    name = node.agent()["metadata"]["name"]
    logs = sorted(FOLDER.glob("log/node/pods/pcidevices-system_*/agent/*.log"))
    node.api.request("DELETE", DAEMONSET)
    node.until(lambda: not node.api.get(AGENTS)["items"], f"{name} is gone")
    facts["sockets"] = sorted(it.name for it in PLUGINS.iterdir() if it.is_socket() and it.name != "kubelet.sock")
    facts["overrides"] = sorted({it.read_text().strip() for it in rig.BUS.glob("devices/*/driver_override")})
    facts["logs"] = len(logs)


SCENARIOS = {"rolls out": rolls_out, "claims": claims, "upgrades": upgrades, "releases": releases, "ends": ends}


def main(folder: Path) -> None:
    node = Node(folder)
    try:
        with node.scenario("joins"):
            join = [str(Path(os.environ["RIG"], "join")), str(folder), "--node", "--kubelet-config", json.dumps(OFTEN)]
            subprocess.run(join, check=True)
            cluster("image", "--name", IMAGE, str(bare_image(FOLDER / "bare")))
        for name, scenario in SCENARIOS.items():
            with node.scenario(name) as facts:
                scenario(node, facts)
    finally:
        shutil.copytree(FOLDER / "log", OUT / "node-log", dirs_exist_ok=True, ignore_dangling_symlinks=True)


main(Path(sys.argv[1]))
