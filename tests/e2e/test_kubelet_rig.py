"""hack/cluster with a node: the real kubelet, on this machine or in a guest, and nothing left of it afterwards."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import socket
import subprocess
import time

from collections.abc import AsyncIterator, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpclib.client
import grpclib.server
import psutil
import pytest

from pcidevices.kubeletapi import v1beta1
from tests.e2e.cluster import ROOT, Cluster, wait_until


pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="a node takes root")

EXTRAS = ("kubelet", "fakecri", "pause", "relay", "kube-controller-manager", "kube-scheduler")
OFTEN = '--kubelet-config={"nodeStatusUpdateFrequency":"1s"}'
SYSCTLS = ("kernel/panic", "kernel/panic_on_oops", "vm/overcommit_memory", "vm/panic_on_oom")
RESOURCE = "example.com/nic"


@dataclass(frozen=True)
class Rig(Cluster):
    """A cluster that may have a node."""

    def run(self, command: str, *arguments: str | Path) -> str:
        done = hack("cluster", command, "--dir", self.folder, *arguments)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def start(self, name: str, **spec: object) -> None:
        """Create a pod of one container."""
        container = {"name": "main", "image": "example.com/any:1", **spec.pop("container", {})}  # type: ignore[dict-item]
        whole = {"terminationGracePeriodSeconds": 1, "containers": [container], **spec}
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": whole}
        self.kubectl("create", "-f", "-", given=pod)

    def get(self, *what: str) -> dict[str, Any]:
        answer: dict[str, Any] = json.loads(self.kubectl("get", *what, "-o", "json"))
        return answer

    def wait_until_it_runs(self, name: str) -> dict[str, Any]:
        wait_until(lambda: self.get("pod", name)["status"]["phase"] == "Running", f"pod {name} runs")
        return self.get("pod", name)

    def created(self, pod: str) -> list[dict[str, Any]]:
        """What the runtime was to create for a pod."""
        lines = [json.loads(line) for line in (self.folder / "created.jsonl").read_text().splitlines()]
        return [line for line in lines if line["pod"] == pod]

    def processes(self) -> dict[str, psutil.Process]:
        facts = json.loads((self.folder / "cluster.json").read_text())
        return {name: psutil.Process(process["pid"]) for name, process in facts["processes"].items()}


def hack(program: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [ROOT / "hack" / program, *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)


@contextmanager
def running(folder: Path, *options: str) -> Iterator[Rig]:
    started = hack("cluster", "up", "--dir", folder, *options)
    try:
        assert started.returncode == 0, started.stderr
        print(started.stderr)
        yield Rig(folder)
    finally:
        hack("cluster", "down", "--dir", folder)


@pytest.fixture(scope="module", autouse=True)
def _built() -> None:
    """The programs, which can take minutes when Go has built none of them before."""
    built = hack("cluster", "build", "etcd", "kube-apiserver", *EXTRAS)
    if "no go on PATH" in built.stderr:
        pytest.skip(built.stderr.strip())
    assert built.returncode == 0, built.stderr


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    with running(tmp_path_factory.mktemp("rig"), "--kubelet", "--controllers", OFTEN) as rig:
        yield rig


def conditions(node: dict[str, Any]) -> dict[str, str]:
    return {condition["type"]: condition["status"] for condition in node["status"]["conditions"]}


def test_the_node_is_ready_when_up_returns(rig: Rig) -> None:
    """Its kubelet is the real one, over the runtime that runs nothing."""
    node = rig.get("node", "janus")

    assert conditions(node)["Ready"] == "True"
    assert node["status"]["nodeInfo"]["kubeletVersion"] == "v1.36.3"
    assert node["status"]["nodeInfo"]["containerRuntimeVersion"] == "fakecri://0.1.0"


def test_a_pod_bound_to_the_node_runs_and_is_recorded(rig: Rig) -> None:
    """Of each container there is a line that says what kubelet wanted."""
    rig.start("bound", nodeName="janus", container={"env": [{"name": "COLOUR", "value": "green"}]})

    rig.wait_until_it_runs("bound")

    (line,) = rig.created("bound")
    assert (line["namespace"], line["container"], line["image"]) == ("default", "main", "example.com/any:1")
    assert line["envs"]["COLOUR"] == "green"
    assert "/etc/hosts" in {mount["containerPath"] for mount in line["mounts"]}
    assert line["devices"] == []


def test_the_scheduler_finds_the_node(rig: Rig) -> None:
    """With controllers a pod needs no node's name, and a Deployment makes pods."""
    rig.start("free")
    rig.kubectl("create", "deployment", "many", "--image=example.com/any:1", "--replicas=2")

    assert rig.wait_until_it_runs("free")["spec"]["nodeName"] == "janus"
    rig.kubectl("wait", "--for=condition=Available", "--timeout=30s", "deployment/many")


class Plugin(v1beta1.DevicePluginBase):
    """One device, with everything a plugin can give."""

    def __init__(self) -> None:
        self.over = asyncio.Event()

    async def get_device_plugin_options(self, _empty: object) -> v1beta1.DevicePluginOptions:
        return v1beta1.DevicePluginOptions()

    async def list_and_watch(self, _empty: object) -> AsyncIterator[v1beta1.ListAndWatchResponse]:
        yield v1beta1.ListAndWatchResponse(devices=[v1beta1.Device(id="one", health="Healthy")])
        await self.over.wait()

    async def allocate(self, request: v1beta1.AllocateRequest) -> v1beta1.AllocateResponse:
        assert [list(container.devices_ids) for container in request.container_requests] == [["one"]]
        given = v1beta1.ContainerAllocateResponse(
            envs={"NIC": "0000:04:00.0"},
            annotations={"example.com/given": "yes"},
            devices=[v1beta1.DeviceSpec(container_path="/dev/there", host_path="/dev/null", permissions="mrw")],
            mounts=[v1beta1.Mount(container_path="/given", host_path="/etc", read_only=True)],
        )
        return v1beta1.AllocateResponse(container_responses=[given])


async def test_what_a_plugin_gives_is_recorded(rig: Rig) -> None:
    """A plugin outside the node uses the folder of the cluster as it would use kubelet's."""
    plugins, before = rig.folder / "kubelet/device-plugins", sockets()
    plugin = Plugin()
    server = grpclib.server.Server([plugin])
    await server.start(path=str(plugins / "nic.sock"))
    try:
        async with grpclib.client.Channel(path=str(plugins / "kubelet.sock")) as channel:
            request = v1beta1.RegisterRequest(version="v1beta1", endpoint="nic.sock", resource_name=RESOURCE)
            await v1beta1.RegistrationStub(channel).register(request)
        container = {"resources": {"limits": {RESOURCE: "1"}}}
        await asyncio.to_thread(
            wait_until, lambda: rig.get("node", "janus")["status"]["allocatable"].get(RESOURCE) == "1", "it is offered"
        )
        rig.start("given", container=container)
        await asyncio.to_thread(rig.wait_until_it_runs, "given")
    finally:
        plugin.over.set()
        await asyncio.to_thread(wait_until, lambda: len(sockets() - before) <= 1, "kubelet has let go")
        server.close()
        await server.wait_closed()

    (line,) = rig.created("given")
    assert line["envs"]["NIC"] == "0000:04:00.0"
    assert line["annotations"]["example.com/given"] == "yes"
    assert line["devices"] == [{"hostPath": "/dev/null", "containerPath": "/dev/there", "permissions": "mrw"}]
    assert {"hostPath": "/etc", "containerPath": "/given", "readOnly": True} in line["mounts"]


def sockets() -> set[str]:
    """Those we have open. Kubelet's connections are of its network: our list of sockets with their paths lacks them."""
    files = []
    for entry in Path("/proc/self/fd").iterdir():
        with suppress(FileNotFoundError):
            files.append(str(entry.readlink()))
    return {file for file in files if file.startswith("socket:")}


def test_a_kubelet_that_is_restarted_keeps_its_pods(rig: Rig) -> None:
    """The sockets of plugins are gone, as on a real node; containers are not made anew."""
    rig.start("kept", nodeName="janus")
    before = rig.wait_until_it_runs("kept")["status"]["containerStatuses"][0]
    stale = rig.folder / "kubelet/device-plugins/stale.sock"
    with closing(socket.socket(socket.AF_UNIX)) as listener:
        listener.bind(str(stale))

    begun = time.monotonic()
    rig.run("restart", "kubelet")

    print(f"kubelet was restarted in {time.monotonic() - begun:.2f} s")
    assert not stale.exists()
    assert rig.get("pod", "kept")["status"]["containerStatuses"][0]["containerID"] == before["containerID"]
    assert len(rig.created("kept")) == 1


def test_a_kubelet_starts_while_the_api_server_is_away(rig: Rig) -> None:
    """It is there for plugins before it knows its pods."""
    rig.run("stop", "kube-apiserver")
    rig.run("restart", "kubelet")
    rig.run("start", "kube-apiserver")

    wait_until(lambda: conditions(rig.get("node", "janus"))["Ready"] == "True", "the node is Ready")


def test_kubelet_can_harm_nothing_here(rig: Rig) -> None:
    """It works in an empty folder and sees this machine's tree read-only; its settings are not the machine's."""
    look = 'pwd; ls -A; test -w /etc && echo writable; for f; do cat "/proc/sys/$f"; done'

    there = rig.run("exec", "--", "sh", "-c", look, "sh", *SYSCTLS).splitlines()

    assert there == [str(rig.folder / "empty"), "10", "1", "1", "0"]
    kubelet = rig.processes()["kubelet"]
    assert kubelet.cwd() == str(rig.folder / "empty")
    assert not list((rig.folder / "empty").iterdir())


def test_nothing_is_left_after_down(tmp_path: Path) -> None:
    """No process, no mount, no link; the settings of the machine are as they were."""
    before = remains(tmp_path)
    with running(tmp_path, "--kubelet", OFTEN) as rig:
        rig.start("there", nodeName="janus")
        rig.wait_until_it_runs("there")
        processes = rig.processes()
        namespace = namespace_of(processes["kubelet"])
        rig.run("down")

    assert set(processes) == {"etcd", "kube-apiserver", "node", "relay", "fakecri", "kubelet"}
    wait_until(lambda: not any(process.is_running() for process in processes.values()), "all processes are gone")
    assert not [process for process in psutil.process_iter() if namespace_of(process) == namespace]
    assert remains(tmp_path) == before
    assert (tmp_path / "created.jsonl").stat().st_size > 0
    assert not (tmp_path / "kubelet").exists()


def namespace_of(process: psutil.Process) -> str:
    """The mounts that a process sees."""
    try:
        return str(Path(f"/proc/{process.pid}/ns/mnt").readlink())
    except OSError:  # ended meanwhile, or nobody's business
        return ""


def remains(folder: Path) -> dict[str, Any]:
    """What a node below this folder could leave behind."""
    return {
        "mounts": [line for line in Path("/proc/self/mounts").read_text().splitlines() if str(folder) in line],
        "links": sorted(path.name for path in Path("/sys/class/net").iterdir()),
        "sysctls": [Path("/proc/sys", name).read_text() for name in SYSCTLS],
        "kubelet's folder": Path("/var/lib/kubelet").exists(),
    }


def cgroups(container: str) -> list[Path]:
    """Where containerd has put a container, in all hierarchies."""
    return list(Path("/sys/fs/cgroup").glob(f"**/k8s.io/{container}"))


def test_containers_run_on_a_real_runtime(tmp_path: Path) -> None:
    """Containerd starts what an image says; it finds the API server, which finds it; `down` leaves nothing of it."""
    if not (program := shutil.which("busybox")):
        pytest.skip("the image is made of busybox-static, which the rig installs")
    before = remains(tmp_path)
    (tmp_path / "image").mkdir()
    shutil.copy(program, tmp_path / "image/busybox")
    says = "echo up; /busybox nc -w 5 $KUBERNETES_SERVICE_HOST 443 < /dev/null && echo found; exec /busybox sleep 1000"
    with running(tmp_path / "rig", "--node", OFTEN) as rig:
        rig.run("image", "--name", "localhost/box:1", tmp_path / "image")
        container = {"image": "localhost/box:1", "imagePullPolicy": "Never", "command": ["/busybox", "sh", "-c", says]}
        rig.start("real", nodeName="janus", container=container)
        rig.wait_until_it_runs("real")
        logs = rig.folder / "log/node/pods"
        wait_until(lambda: any("found" in log.read_text() for log in logs.glob("*_real_*/main/*.log")), "it has spoken")
        told, ran = rig.kubectl("logs", "real"), rig.kubectl("exec", "real", "--", "/busybox", "echo", "inside")
        rig.run("restart", "kubelet")
        status = rig.get("pod", "real")["status"]["containerStatuses"][0]
        runtime, _, identity = status["containerID"].partition("://")
        assert cgroups(identity)
        rig.run("down")

    assert (told, ran) == ("up\nfound\n", "inside\n")
    assert (runtime, status["restartCount"]) == ("containerd", 0)
    assert not cgroups(identity)
    assert remains(tmp_path) == before


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (("restart", "kubelet"), 1, "has no kubelet"),
        (("exec", "true"), 1, "has no node"),
        (("up", "--kubelet", "--node"), 2, "not allowed with argument"),
        (("up", "--kubelet-config", "[]"), 2, "invalid fields value"),
    ],
)
def test_what_went_wrong_is_one_sentence(tmp_path: Path, arguments: tuple[str, ...], code: int, sentence: str) -> None:
    """Not every cluster has a node."""
    facts = {"folder": "", "node_name": "", "also_at": [], "binaries": {}, "tokens": {}, "cache": "", "parts": ["etcd"]}
    (tmp_path / "cluster.json").write_text(json.dumps({**facts, "processes": {}}))
    (tmp_path / "etcd").mkdir()

    told = hack("cluster", arguments[0], "--dir", tmp_path, *arguments[1:])

    assert told.returncode == code
    assert sentence in told.stderr
    assert len(told.stderr.splitlines()) == 1
