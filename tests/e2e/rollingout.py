"""A node with containerd, an image that was built here, and what a person does with kubectl."""

from __future__ import annotations

import json
import time

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.e2e.cluster import ROOT, Object, wait_until
from tests.e2e.test_kubelet_rig import OFTEN, Rig, hack, running


NODE = "janus"
NAMESPACE = "pcidevices-system"
ADDRESS, CLAIM = "0000:01:00.0", "janus-000001000"
RESOURCE = "intel.com/82599ES_10GIGABIT_SFI_SFP_NETWORK_CONNECTION"
OVERLAYS = Path(__file__).parent / "rollout"
IMAGE = "localhost/pcidevices:rollout"
AGENT = f"system:serviceaccount:{NAMESPACE}:pcidevices"
# The machine may have no folder of modules and no VFIO; the node has, over the machine's own, in memory. What stands
# in for the nodes of VFIO is like /dev/null: nobody but a container opens them.
FURNISHED = """
set -e
over() { mkdir -p "/run/over$1/upper" "/run/over$1/work"
         mount -t overlay over -o "lowerdir=$1,upperdir=/run/over$1/upper,workdir=/run/over$1/work" "$1"; }
over /usr/lib && mkdir -p /usr/lib/modules
over /dev && mkdir -p /dev/vfio
for name in vfio 0 1; do test -e /dev/vfio/$name || mknod -m 600 /dev/vfio/$name c 1 3; done
"""
HOLDS = """
import json, os, time
given = {name: value for name, value in os.environ.items() if name.startswith("PCI_RESOURCE_")}
nodes = [f"/dev/vfio/{name}" for name in sorted(os.listdir("/dev/vfio"))]
for node in nodes:
    os.close(os.open(node, os.O_RDWR))
print(json.dumps({"given": given, "nodes": nodes}), flush=True)
time.sleep(10**6)
"""


def built(folder: Path, *options: str) -> tuple[Path, Path]:
    """The image's archive and its bill of materials."""
    done = hack("image", "build", "--tag", IMAGE, "--out", folder, *options)
    assert done.returncode == 0, done.stderr
    print(done.stderr)
    archive, bill = done.stdout.splitlines()
    return Path(archive), Path(bill)


class Rollout:
    """The cluster, and what of it is noted."""

    def __init__(self, rig: Rig) -> None:
        self.rig = rig
        self.report: Object = {}
        self._begun = time.monotonic()

    @contextmanager
    def stage(self, name: str) -> Iterator[Object]:
        """A part of the report, with the seconds that it took."""
        facts: Object = {}
        self.report[name] = facts
        begun = time.monotonic()
        yield facts
        facts["seconds"] = round(time.monotonic() - begun, 1)

    def furnish(self, archive: Path) -> None:
        """Give the node what hosts have, and the image, under two names."""
        self.rig.run("exec", "--", "sh", "-c", FURNISHED)
        self.rig.run("image", archive)
        packages = Path(json.loads((self.rig.folder / "cluster.json").read_text())["binaries"]["containerd"])
        ctr = (packages / "usr/bin/ctr", "--address=/run/cri.sock", "--namespace=k8s.io")
        self.rig.run("exec", "--", *map(str, ctr), "images", "tag", IMAGE, f"{IMAGE}-next")

    def apply(self, overlay: str) -> None:
        """What a user does, until it is rolled out."""
        self.rig.kubectl("apply", "-k", OVERLAYS / overlay)
        self.rig.kubectl("rollout", "status", "-n", NAMESPACE, "daemonset/pcidevices", "--timeout=120s")

    def agent(self) -> Object:
        """The one pod of the agent."""
        pods = self.rig.get("pods", "-n", NAMESPACE)["items"]
        (pod,) = (it for it in pods if "deletionTimestamp" not in it["metadata"])
        return dict(pod)

    def logs(self) -> list[Object]:
        """What the agent says, as kubectl shows it."""
        told = self.rig.kubectl("logs", "-n", NAMESPACE, self.agent()["metadata"]["name"])
        return [json.loads(line) for line in told.splitlines()]

    def answers(self, path: str) -> str:
        """Of the agent's HTTP server, through the API server."""
        name = self.agent()["metadata"]["name"]
        return self.rig.kubectl("get", "--raw", f"/api/v1/namespaces/{NAMESPACE}/pods/{name}:8080/proxy{path}")

    def inside(self, *command: str) -> str:
        """Of a command in the agent's container."""
        name = self.agent()["metadata"]["name"]
        return self.rig.kubectl("exec", "-n", NAMESPACE, name, "--", *command)

    # The claim, and the pod that holds what was claimed.

    def claim(self) -> None:
        spec = {"address": ADDRESS, "nodeName": NODE, "userName": "admin"}
        claim = {"apiVersion": "devices.harvesterhci.io/v1beta1", "kind": "PCIDeviceClaim", "spec": spec}
        self.rig.kubectl("create", "-f", "-", given={**claim, "metadata": {"name": CLAIM}})
        self.rig.kubectl("wait", "--for=condition=Ready", f"pcideviceclaim/{CLAIM}", "--timeout=60s")

    def allocatable(self) -> str | None:
        counts: dict[str, str] = self.rig.get("node", NODE)["status"]["allocatable"]
        return counts.get(RESOURCE)

    def wait_until_allocatable(self, count: str) -> None:
        wait_until(lambda: self.allocatable() == count, f"{count} allocatable")

    def hold(self) -> Object:
        """Start a pod that has the device; what it finds."""
        container = {
            "image": IMAGE,
            "imagePullPolicy": "Never",
            "command": ["/opt/pcidevices/bin/python", "-c", HOLDS],
            "resources": {"limits": {RESOURCE: "1"}},
        }
        self.rig.start("holder", container=container)
        self.rig.wait_until_it_runs("holder")
        wait_until(lambda: bool(self.rig.kubectl("logs", "holder")), "it has spoken")
        found: Object = json.loads(self.rig.kubectl("logs", "holder"))
        return found

    def holder(self) -> tuple[Any, ...]:
        """The very container."""
        pod = self.rig.get("pod", "holder")
        (status,) = pod["status"]["containerStatuses"]
        return pod["status"]["phase"], status["containerID"], status["restartCount"]

    def device(self, name: str = CLAIM) -> Object:
        device: Object = self.rig.get("pcidevice", name)
        return device

    def wait_until(self, true: Callable[[], bool], what: str) -> None:
        wait_until(true, what, within=60)

    def wait_until_there(self, name: str) -> None:
        wait_until(lambda: name in self.rig.devices(NODE), f"{name} is published")

    def wait_until_device(self, true: Callable[[Object], bool], what: str) -> None:
        wait_until(lambda: true(self.device()["status"]), what)

    # The end.

    def uninstall(self) -> None:
        """In the order that the guide says."""
        self.rig.kubectl("delete", "pcideviceclaims", "--all", "--timeout=60s")
        agents = ("daemonset", "pcidevices", "-n", NAMESPACE)
        self.rig.kubectl("delete", *agents, "--cascade=foreground", "--timeout=60s")
        self.rig.kubectl("delete", "-k", OVERLAYS / "next", "--ignore-not-found", "--timeout=120s")

    def sockets(self) -> list[str]:
        """Of device plugins."""
        plugins = self.rig.folder / "kubelet/device-plugins"
        return sorted(it.name for it in plugins.iterdir() if it.is_socket() and it.name != "kubelet.sock")

    def left(self) -> Object:
        """What of us is still there."""
        kinds = self.rig.kubectl("api-resources", "--verbs=list", "-o", "name").split()
        listed = ",".join(kind for kind in kinds if not kind.startswith("events"))
        selector = "app.kubernetes.io/part-of=pcidevices"
        return {
            "objects": self.rig.kubectl("get", listed, "-A", "-l", selector, "-o", "name").split(),
            "kinds": [kind for kind in kinds if kind.endswith("devices.harvesterhci.io")],
            "namespaces": self.rig.kubectl("get", "namespace", NAMESPACE, "--ignore-not-found", "-o", "name").split(),
            "sockets": self.sockets(),
            "overrides": overrides(),
        }


def refusals(folder: Path, user: str) -> list[Object]:
    """What the API server of a cluster has refused to somebody."""
    lines = (folder / "audit.jsonl").read_text().splitlines()
    entries = [json.loads(line) for line in lines if user in line]
    return [
        {"verb": it["verb"], "uri": it["requestURI"], "said": it["responseStatus"].get("message")}
        for it in entries
        if it["user"]["username"] == user and it.get("responseStatus", {}).get("code") in {401, 403}
    ]


def overrides() -> dict[str, str]:
    """Of this machine's devices, which nobody may have touched."""
    files = Path("/sys/bus/pci/devices").glob("*/driver_override")
    return {it.parent.name: it.read_text().strip() for it in files}


@contextmanager
def running_rollout(folder: Path, archive: Path) -> Iterator[Rollout]:
    """A cluster with a node for the length of the block."""
    with running(folder, "--node", "--controllers", OFTEN) as rig:
        rollout = Rollout(rig)
        rollout.furnish(archive)
        yield rollout


def version() -> str:
    """The program's."""
    return (ROOT / "pcidevices/__init__.py").read_text().split('__version__ = "')[1].split('"')[0]
