"""
What a node is made of: namespaces, a container runtime and kubelet.

The node is a mount, a pid and a network namespace. In it, and nowhere else, kubelet's constant paths are folders of the
cluster; the end of its first process is the end of all that runs there, with its mounts and its network.
"""

from __future__ import annotations

import contextlib
import http
import json
import os
import shlex
import shutil
import socket
import subprocess
import sys
import time

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from .access import SERVICE, kubeconfig
from .binaries import top
from .component import Component, asked
from .control_plane import within
from .failure import RigError
from .images import write_image
from .processes import age


if TYPE_CHECKING:
    from .place import Place

# In the node, folders of its own: nothing of the cluster can be below them.
HIDDEN = (Path("/run"), Path("/var/lib"), Path("/var/log"))
CRI = "/run/cri.sock"
KUBELET = Path("/var/lib/kubelet")
PAUSE_IMAGE = "localhost/pause:1"
PODS = "10.1.0.0/16"
# What kubelet insists on. It would set them for the whole machine; so it sees files that have these values.
SYSCTLS = {
    "kernel/keys/root_maxbytes": 25_000_000,
    "kernel/keys/root_maxkeys": 1_000_000,
    "kernel/panic": 10,
    "kernel/panic_on_oops": 1,
    "vm/overcommit_memory": 1,
    "vm/panic_on_oom": 0,
}
CONTAINERD = """\
version = 2
root = "{folder}/containerd"
state = "/run/containerd"
disabled_plugins = [
  "io.containerd.internal.v1.opt",
  "io.containerd.snapshotter.v1.aufs",
  "io.containerd.snapshotter.v1.btrfs",
  "io.containerd.snapshotter.v1.devmapper",
  "io.containerd.snapshotter.v1.zfs",
]
[grpc]
  address = "{cri}"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{pause}"
  restrict_oom_score_adj = true
  disable_apparmor = true
[plugins."io.containerd.grpc.v1.cri".cni]
  bin_dir = "{packages}/usr/lib/cni"
  conf_dir = "{folder}/run/cni"
[plugins."io.containerd.grpc.v1.cri".containerd]
  snapshotter = "overlayfs"
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
  runtime_type = "io.containerd.runc.v2"
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
  SystemdCgroup = false
"""


def check(*folders: Path) -> None:
    """Whether a node can be here, and see these."""
    if os.geteuid():
        raise RigError("a node takes root: it has mounts and namespaces")
    for path in folders:
        for hidden in HIDDEN:
            if path.resolve().is_relative_to(hidden):
                raise RigError(f"{path} cannot be used: a node has a {hidden} of its own")


def packages(*, to_fetch: bool = True) -> str:
    """The folder with containerd, runc and the CNI plugins of Debian; fetched when it is not there, or an error."""
    folder = top() / "rig/containerd"
    if not folder.is_dir():
        if not to_fetch:
            raise RigError(f"there is no containerd in {folder.parent}: on the host, `hack/cluster build containerd`")
        script = Path(__file__).resolve().parents[1] / "rig/host/containerd.py"
        if subprocess.run([sys.executable, "-B", script], stdout=sys.stderr, check=False).returncode:
            raise RigError("containerd cannot be fetched")
    return str(folder)


def inside(place: Place, command: list[str]) -> list[str]:
    """
    The command line that runs a command in the node, in an empty folder.

    Of a container without a path for its log kubelet removes all that is in its working directory; and `/` is read-only
    there.
    """
    first = str(place.processes["node"].pid)
    where = f"--wdns={place.folder / 'empty'}"
    return ["nsenter", "--target", first, "--mount", "--pid", "--net", where, *command]


# The namespaces.


def prepare_node(place: Place) -> None:
    """The folders that are mounted, and the settings kubelet is to see."""
    for name in ("empty", "kubelet", "log/node"):
        (place.folder / name).mkdir(exist_ok=True, parents=True)
    for name, value in SYSCTLS.items():
        copy = place.run / "sysctl" / name
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_text(f"{value}\n")


def node(place: Place) -> list[str]:
    """The first process, after it has mounted what is the node's own."""
    folder = place.folder
    steps: list[tuple[str | Path, ...]] = [
        ("mount", "--make-rshared", "/"),
        ("mount", "--bind", folder, folder),
        ("mount", "-t", "tmpfs", "-o", "mode=755", "run", "/run"),
        ("mount", "-t", "tmpfs", "-o", "mode=755", "lib", "/var/lib"),
        ("mkdir", KUBELET),
        ("mount", "--bind", folder / "kubelet", KUBELET),
        ("mount", "--bind", folder / "log/node", "/var/log"),
        *(("mount", "--bind", place.run / "sysctl" / name, f"/proc/sys/{name}") for name in SYSCTLS),
        ("mount", "-o", "remount,bind,ro", "/"),
        ("ip", "link", "set", "lo", "up"),
        ("ip", "address", "add", f"{SERVICE}/32", "dev", "lo"),
        ("exec", place.binaries["pause"]),
    ]
    script = "\n".join(shlex.join(map(str, step)) for step in steps)
    return ["unshare", "--mount", "--pid", "--net", "--fork", "--mount-proc", "sh", "-ec", script]


def node_is_ready(place: Place) -> bool:
    """Whether everything is mounted."""
    program = Path(f"/proc/{place.processes['node'].pid}/exe")
    return program.readlink() == Path(place.binaries["pause"]).resolve()


def relay(place: Place) -> list[str]:
    """The API server in the node's network: for kubelet, and for pods, where its service is."""
    first, port = str(place.processes["node"].pid), place.ports["kube-apiserver"]
    return [place.binaries["relay"], first, f"{place.server}:{port}", f"127.0.0.1:{port}", f"{SERVICE}:443"]


def tunnel(place: Place) -> list[str]:
    """The other way round: kubelet and pods, for the API server."""
    script = Path(__file__).with_name("tunnel.py")
    first = str(place.processes["node"].pid)
    return ["nsenter", f"--target={first}", "--net", sys.executable, "-B", str(script), "tunnel.sock"]


def tunnel_is_ready(place: Place) -> bool:
    """Whether it can be used."""
    return listens(place.run / "tunnel.sock")


def at_once(_place: Place) -> bool:
    """Of a program that is there when it runs."""
    return True


# The container runtimes.


def fakecri(place: Place) -> list[str]:
    """The one that runs nothing and writes down what it was to run."""
    return [place.binaries["fakecri"], CRI, str(place.folder / "created.jsonl")]


def runtime_is_ready(place: Place) -> bool:
    """Whether somebody listens on its socket."""
    return listens(Path(f"/proc/{place.processes['node'].pid}/root{CRI}"))


def listens(path: Path) -> bool:
    """Whether somebody does."""
    with within(path.parent) as folder, socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(5)
        connection.connect(f"{folder}/{path.name}")
    return True


def prepare_containerd(place: Place) -> None:
    """Its configuration, and that of the network of its pods: a bridge."""
    folder, fetched = place.folder, place.binaries["containerd"]
    text = CONTAINERD.format(folder=folder, cri=CRI, pause=PAUSE_IMAGE, packages=fetched)
    (folder / "run/containerd.toml").write_text(text)
    (folder / "containerd").mkdir(exist_ok=True)
    bridge = {
        "type": "bridge",
        "bridge": "pods",
        "isGateway": True,
        "ipam": {
            "type": "host-local",
            "dataDir": "/run/cni-leases",
            "ranges": [[{"subnet": PODS}]],
            "routes": [{"dst": "0.0.0.0/0"}],
        },
    }
    network = {"cniVersion": "1.0.0", "name": "pods", "plugins": [bridge]}
    (folder / "run/cni").mkdir(exist_ok=True)
    (folder / "run/cni/pods.conflist").write_text(json.dumps(network))


def containerd(place: Place) -> list[str]:
    """The real one. What it starts in turn is found in PATH."""
    return [*surroundings(place), "containerd", f"--config={place.run / 'containerd.toml'}"]


def surroundings(place: Place) -> list[str]:
    """Containerd's programs work after this."""
    fetched = Path(place.binaries["containerd"])
    path = f"{fetched / 'usr/bin'}:{fetched / 'usr/sbin'}:/usr/sbin:/usr/bin:/sbin:/bin"
    return ["env", f"PATH={path}", "TMPDIR=/run"]


def containerd_is_ready(place: Place) -> bool:
    """Whether it serves, and has the image that the first process of every pod is from."""
    if not runtime_is_ready(place):
        return False
    rootfs = place.run / "pause"
    rootfs.mkdir(exist_ok=True)
    shutil.copy2(place.binaries["pause"], rootfs / "pause")
    add_image(place, rootfs, PAUSE_IMAGE, ["/pause"])
    return True


def add_image(place: Place, source: Path, name: str, command: list[str]) -> None:
    """Give containerd an image: an archive as it is, or a folder as an image of one layer."""
    archive = source
    if source.is_dir():
        archive = place.run / "image.tar"
        write_image(archive, name, source, command)
    ctr = ["ctr", f"--address={CRI}", "--namespace=k8s.io", "images", "import", str(archive)]
    done = subprocess.run(
        inside(place, [*surroundings(place), *ctr]),
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    if done.returncode:
        raise RigError(f"containerd does not take {source}: {done.stderr.strip()}")


def remove_cgroups(place: Place) -> None:
    """Containerd names a cgroup after each container; killed with their namespace, they stay, empty."""
    hierarchies = Path("/sys/fs/cgroup")
    parents = [*hierarchies.glob("*/k8s.io"), hierarchies / "k8s.io"]
    for container in (place.folder / "containerd/io.containerd.runtime.v2.task/k8s.io").glob("*"):
        for parent in parents:
            for folder, _, _ in os.walk(parent / container.name, topdown=False):
                Path(folder).rmdir()
    for parent in parents:
        with contextlib.suppress(OSError):  # another cluster's are in it
            parent.rmdir()


# Kubelet.


def prepare_kubelet(place: Place) -> None:
    """Its configuration and who it is."""
    server = f"https://127.0.0.1:{place.ports['kube-apiserver']}"
    (place.folder / "node.kubeconfig").write_text(kubeconfig(place, server, "node"))
    nothing = dict.fromkeys(
        ("memory.available", "nodefs.available", "nodefs.inodesFree", "imagefs.available", "imagefs.inodesFree"), "0%"
    )
    ours = {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "tlsCertFile": str(place.keys / "kube-apiserver.crt"),
        "tlsPrivateKeyFile": str(place.keys / "kube-apiserver.key"),
        "authentication": {"anonymous": {"enabled": True}, "webhook": {"enabled": False}},
        "authorization": {"mode": "AlwaysAllow"},
        "containerRuntimeEndpoint": f"unix://{CRI}",
        "cgroupDriver": "cgroupfs",
        "cgroupsPerQOS": False,
        "enforceNodeAllocatable": [],
        "failCgroupV1": False,
        "failSwapOn": False,
        "localStorageCapacityIsolation": False,
        "makeIPTablesUtilChains": False,
        "oomScoreAdj": 0,
        "resolvConf": "",
        "volumePluginDir": str(KUBELET / "volume-plugins"),
        "imageGCHighThresholdPercent": 100,
        "evictionHard": nothing,
    }
    (place.run / "kubelet.json").write_text(json.dumps(ours | place.kubelet, indent=1))


def kubelet(place: Place) -> list[str]:
    """The real one."""
    return [
        place.binaries["kubelet"],
        f"--config={place.run / 'kubelet.json'}",
        f"--kubeconfig={place.folder / 'node.kubeconfig'}",
        f"--hostname-override={place.node_name}",
        f"--node-ip={SERVICE}",
        "--v=2",
    ]


def kubelet_is_ready(place: Place) -> bool:
    """Whether plugins can register, and the API server has heard from this kubelet that the node is Ready."""
    listens(place.folder / "kubelet/device-plugins/kubelet.sock")
    if "kube-apiserver" in place.parts and not place.runs("kube-apiserver"):
        return True  # it cannot say more
    status, body = asked(place, f"/api/v1/nodes/{place.node_name}")
    if status != http.HTTPStatus.OK:
        return False
    since = int(time.time() - age(place.processes["kubelet"]))  # the node's times are whole seconds
    return any(
        condition["type"] == "Ready"
        and condition["status"] == "True"
        and datetime.fromisoformat(condition["lastHeartbeatTime"]).timestamp() >= since
        for condition in json.loads(body)["status"].get("conditions", ())
    )


NODE = (
    Component(
        name="node",
        command=node,
        is_ready=node_is_ready,
        programs=("pause",),
        prepare=prepare_node,
        forks=True,
        to_end=5,
    ),
    Component(name="relay", command=relay, is_ready=at_once, programs=("relay",), needs=("node",)),
    Component(
        name="tunnel",
        command=tunnel,
        is_ready=tunnel_is_ready,
        programs=(),
        needs=("node",),
        prepare=lambda place: (place.run / "tunnel.sock").unlink(missing_ok=True),
    ),
    Component(
        name="fakecri",
        command=fakecri,
        is_ready=runtime_is_ready,
        programs=("fakecri",),
        needs=("node",),
        inside=True,
        forks=True,
    ),
    Component(
        name="containerd",
        command=containerd,
        is_ready=containerd_is_ready,
        programs=("containerd",),
        needs=("node",),
        prepare=prepare_containerd,
        inside=True,
        forks=True,
        to_end=5,
    ),
    Component(
        name="kubelet",
        command=kubelet,
        is_ready=kubelet_is_ready,
        programs=("kubelet",),
        needs=("node", "relay", "fakecri", "containerd"),
        prepare=prepare_kubelet,
        inside=True,
        forks=True,
        to_start=300,
        to_end=5,
    ),
)
