"""
Runs in the guest, which becomes a node over containerd: a virtual machine inside the container of a pod.

    hack/vm --numa --env=QEMU=FOLDER -- python3 tests/e2e/guest/container.py CLUSTER

CLUSTER is the folder of `hack/cluster up --node-name guest` on the host. Writes /mnt/report.json and /mnt/node-log.
Standard library only.
"""

from __future__ import annotations

import os
import sys
import time

from pathlib import Path


sys.path += [os.environ["RIG"], str(Path.cwd())]

import rig

from tests.e2e.guest.agent import PATIENCE, Object
from tests.e2e.guest.inuse import FIRMWARE, IDS
from tests.e2e.guest.node import FOLDER, Chain, after, cluster, live, the_agent_ends
from tests.e2e.guest.scene import GPU, SOUND, TWIN, state


DEVICES = (TWIN, GPU, SOUND)
IMAGE = "localhost/machine:1"
LINKS = {name: f"usr/{name}" for name in ("bin", "lib", "lib64", "sbin")}
EMPTY = ("dev", "etc", "proc", "sys", "tmp", "usr")


def in_a_container(chain: Chain, facts: Object) -> None:
    """It has nothing but what the pod was given, and finds the cards; a claim that is deleted waits for it."""
    scene = chain.scene
    _image()
    facts["home"] = state(*DEVICES)
    facts["groups"] = {it: rig.group(it) for it in DEVICES}
    scene.claim(*DEVICES)
    scene.ready(*DEVICES)
    chain.allocatable(*DEVICES)
    begun = chain.create("vm", *DEVICES, **_container())
    facts["seconds: pod to Running"] = after(begun, chain.running("vm"))
    try:
        rig.wait_until(lambda: all(map(_lists, IDS.values())), timeout=FIRMWARE)
        facts["seconds: pod to firmware"] = after(begun)
    finally:
        facts["says"] = _said()[:20]
    facts["ids"] = {it: ids for it, ids in IDS.items() if _lists(ids)}
    facts["enable"] = {it: rig.read(rig.device(it) / "enable") for it in DEVICES}
    chain.used_by(*DEVICES, pods=["default/vm"])
    scene.delete(*DEVICES)
    rig.wait_until(lambda: all(_named(scene.message(it)) for it in DEVICES), timeout=PATIENCE)
    facts["messages"] = {it: scene.message(it) for it in DEVICES}
    ended = chain.end("vm")
    facts["seconds: the pod's end to claims gone"] = after(ended, scene.gone(*DEVICES))
    facts["after"] = state(*DEVICES)


def _named(message: str) -> bool:
    return "(qemu-system-x86)" in message and "pod default/vm" in message


def _image() -> None:
    """Of folders alone: /usr comes from the guest."""
    begun, root = time.monotonic(), Path("/run/image")
    root.mkdir()
    for name, target in LINKS.items():
        (root / name).symlink_to(target)
    for name in EMPTY:
        (root / name).mkdir()
    cluster("image", "--name", IMAGE, str(root), "/bin/sh")
    print(f"image: {after(begun)} s", flush=True)


def _container() -> Object:
    """As the documentation has it, with programs of the guest."""
    scripts, qemu = Path(__file__).resolve().parent, os.environ["QEMU"]
    folders = {"usr": "/usr", "scripts": str(scripts), "qemu": qemu}
    return {
        "image": IMAGE,
        "imagePullPolicy": "Never",
        "command": [sys.executable, "-B", str(scripts / "machine.py"), qemu],
        "securityContext": {"capabilities": {"add": ["IPC_LOCK"]}},
        "volumeMounts": [{"name": name, "mountPath": path, "readOnly": True} for name, path in folders.items()],
        "volumes": [{"name": name, "hostPath": {"path": path}} for name, path in folders.items()],
    }


def _said() -> list[str]:
    """By the container, without what the runtime writes before each line: when, where, and whether it is whole."""
    logs = (FOLDER / "log/node/pods").glob("default_vm_*/main/*.log")
    return [line.split(" ", 3)[3] for log in logs for line in log.read_text(errors="replace").splitlines()]


def _lists(ids: str) -> bool:
    """Whether the firmware says that it has found such a device."""
    return any(f"id={ids}" in line for line in _said())


if __name__ == "__main__":
    live(Path(sys.argv[1]), {"container": in_a_container, "end": the_agent_ends}, "--node")
