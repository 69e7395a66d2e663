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
import time

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path


sys.path += [os.environ["RIG"], str(Path.cwd())]

import rig

from tests.e2e.guest.agent import CLAIMS, NODE, OUT, Api, Object, Refused, driver_is, name_of
from tests.e2e.guest.scene import GPU, SOUND, TWIN, state


FOLDER = Path("/srv/node")
PLUGINS = FOLDER / "kubelet/device-plugins"
DAEMONSET = "/apis/apps/v1/namespaces/pcidevices-system/daemonsets/pcidevices"
AGENTS = "/api/v1/namespaces/pcidevices-system/pods"
PODS = "/api/v1/namespaces/default/pods"
CLUSTER = (sys.executable, "-B", str(Path(os.environ["RIG"], "../cluster")))
DEVICES = (TWIN, GPU, SOUND)
IMAGE = "localhost/bare:1"
PATIENCE = 900.0
"""By the guest's clock, which is fast where a guest gets less than a processor. Containers and Python start slowly."""
OFTEN = '{"nodeStatusUpdateFrequency":"1s"}'
HOLDS = 'exec 3<> "/dev/vfio/$GROUP" && echo held && exec /busybox sleep 100000'


class Node:
    """This guest, and a person with kubectl."""

    def __init__(self, folder: Path) -> None:
        self.api = Api(folder / "guest.kubeconfig")
        self.report: Object = {"kernel": os.uname().release}

    @contextmanager
    def scenario(self, name: str) -> Iterator[Object]:
        """A part of the report."""
        facts: Object = {}
        self.report[name] = facts
        begun = time.monotonic()
        try:
            yield facts
        except Exception as error:
            facts["failed"] = f"{type(error).__name__}: {error}"
            raise
        finally:
            facts["seconds"] = round(time.monotonic() - begun, 1)
            print(f"{name}: {str(facts)[:2000]}", flush=True)
            (OUT / "report.json").write_text(json.dumps(self.report, indent=1))

    def until(self, true: Callable[[], bool], what: str) -> None:
        """Wait; what is not there yet is not so."""

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

    def claim(self, *addresses: str) -> None:
        for address in addresses:
            spec = {"address": address, "nodeName": NODE}
            claim = {"apiVersion": "devices.harvesterhci.io/v1beta1", "kind": "PCIDeviceClaim", "spec": spec}
            self.api.request("POST", CLAIMS, {**claim, "metadata": {"name": name_of(address)}})

    def reasons(self) -> dict[str, str]:
        """What the claims say."""
        found = {}
        for name, claim in self.api.claims.items():
            conditions = claim.get("status", {}).get("conditions", ())
            found[name] = next((str(it["reason"]) for it in conditions if it["type"] == "Ready"), "")
        return found

    def resource(self, address: str) -> str:
        return str(self.api.objects[name_of(address)]["status"]["resourceName"])

    def allocatable(self, *addresses: str, count: int) -> None:
        """Wait for it."""
        names = {self.resource(address) for address in addresses}

        def is_so() -> bool:
            told = self.api.get(f"/api/v1/nodes/{NODE}")["status"]["allocatable"]
            return {told.get(name) for name in names} == {str(count)}

        self.until(is_so, f"{count} of {names}")

    def hold(self, address: str) -> None:
        """A pod that has the group of a device open."""
        container = {
            "name": "main",
            "image": IMAGE,
            "imagePullPolicy": "Never",
            "command": ["/busybox", "sh", "-c", HOLDS],
            "env": [{"name": "GROUP", "value": str(rig.group(address))}],
            "resources": {"limits": {self.resource(address): "1"}},
        }
        spec = {"nodeName": NODE, "terminationGracePeriodSeconds": 1, "containers": [container]}
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "holder"}, "spec": spec}
        self.api.request("POST", PODS, pod)
        self.until(lambda: self.api.get(f"{PODS}/holder")["status"]["phase"] == "Running", "the pod runs")

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
    node.until(lambda: addresses <= node.api.objects.keys(), "the devices are published")
    facts["published"] = len(node.api.objects)


def claims(node: Node, facts: Object) -> None:
    facts["home"] = state(*DEVICES)
    node.claim(*DEVICES)
    node.until(lambda: list(node.reasons().values()) == ["Ready"] * len(DEVICES), "the claims are Ready")
    facts["taken"] = state(*DEVICES)
    node.allocatable(*DEVICES, count=1)
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
        node.allocatable(*DEVICES, count=1)
        while uevents.read():
            pass
        facts["done to devices"] = [[it.action, it.address] for it in uevents.seen if it.address in DEVICES]
    facts["after"] = node.holder()
    facts["taken"] = state(*DEVICES)
    facts["reasons"] = node.reasons()


def releases(node: Node, facts: Object) -> None:
    for address in DEVICES:
        node.api.request("DELETE", f"{CLAIMS}/{name_of(address)}")
    node.until(lambda: node.reasons() == {name_of(TWIN): "DeviceInUse"}, "only what is held stays")
    facts["held"] = state(*DEVICES)
    node.api.request("DELETE", f"{PODS}/holder?gracePeriodSeconds=1")
    node.until(lambda: not node.api.claims, "all claims are gone")
    facts["home"] = state(*DEVICES)
    node.until(lambda: driver_is(TWIN, "e1000e")(node.api.objects), "the object says so")


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
            join = [str(Path(os.environ["RIG"], "join")), str(folder), "--node", "--kubelet-config", OFTEN]
            subprocess.run(join, check=True)
            image = [*CLUSTER, "image", "--dir", str(FOLDER), "--name", IMAGE, str(bare_image(FOLDER / "bare"))]
            subprocess.run(image, check=True)
        for name, scenario in SCENARIOS.items():
            with node.scenario(name) as facts:
                scenario(node, facts)
    finally:
        shutil.copytree(FOLDER / "log", OUT / "node-log", dirs_exist_ok=True, ignore_dangling_symlinks=True)


main(Path(sys.argv[1]))
