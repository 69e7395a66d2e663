"""The whole way of a device: a claim, the real kubelet, a pod, a virtual machine, and home again."""

from __future__ import annotations

import json
import os
import re
import subprocess
import time

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.cluster import ROOT, Cluster


pytestmark = pytest.mark.guest

TWIN, GPU, SOUND, PLUGGED = "0000:00:04.0", "0000:07:00.0", "0000:07:00.1", "0000:02:00.0"
DEVICES = (TWIN, GPU, SOUND)
ON_VFIO = {it: ["vfio-pci", "(null)"] for it in DEVICES}
HOME = {TWIN: ["e1000e", "(null)"], GPU: ["bochs-drm", "(null)"], SOUND: ["snd_hda_intel", "(null)"]}

Report = dict[str, Any]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Without a node: that is the guest."""
    build = [str(ROOT / "hack/cluster"), "build", "etcd", "kube-apiserver", "kubelet", "fakecri", "pause", "relay"]
    built = subprocess.run(build, capture_output=True, text=True, check=False)
    if "no go on PATH" in built.stderr:
        pytest.skip(built.stderr.strip())
    assert built.returncode == 0, built.stderr
    folder = tmp_path_factory.mktemp("cluster")
    subprocess.run([ROOT / "hack/cluster", "up", "--dir", folder, "--node-name", "guest"], check=True)
    try:
        cluster = Cluster(folder)
        cluster.kubectl("apply", "-f", ROOT / "manifests/crds.yaml")
        cluster.kubectl("wait", "--for=condition=Established", "crd", "--all")
        cluster.kubectl("get", "pcidevices,pcideviceclaims")  # the first watch of a new kind may be refused
        yield cluster
    finally:
        subprocess.run([ROOT / "hack/cluster", "down", "--dir", folder], check=True)


@pytest.fixture(scope="module")
def report(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Report:
    """One guest's whole life; the tests below read what it noted."""
    out = tmp_path_factory.mktemp("guest")
    rig = [str(ROOT / "hack/vm"), "--kernel=6.12", f"--out={out}", "--timeout=900", f"--env=QEMU={_qemu()}", "--"]
    begun = time.monotonic()
    subprocess.run([*rig, "python3", "tests/e2e/guest/chain.py", str(cluster.folder)], check=True, cwd=ROOT)
    whole: Report = json.loads((out / "report.json").read_text())
    whole["seconds: the whole run"] = round(time.monotonic() - begun, 1)
    print(json.dumps(whole, indent=1))
    return whole


def _qemu() -> Path:
    """The rig's own, which runs in the guest as well."""
    caches = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return Path(os.environ.get("PCIDEVICES_CACHE") or caches / "pcidevices").resolve() / "rig/qemu-10"


@pytest.mark.parametrize(
    "name", ["pod", "machine", "greedy", "kubelet", "agent", "sockets", "forgets", "home", "pulled"]
)
def test_each_scenario_comes_to_its_end(report: Report, name: str) -> None:
    assert "failed" not in report[name], report[name]["failed"]


def test_a_container_gets_the_addresses_and_the_nodes_of_its_devices_and_no_more(report: Report) -> None:
    """One variable for each resource; /dev/vfio/vfio and the group of each device, once."""
    seen = report["pod"]

    variables = {it: "PCI_RESOURCE_" + re.sub("[./]", "_", seen["resources"][it]).upper() for it in DEVICES}
    assert seen["given"]["envs"] == {variables[it]: it for it in DEVICES}
    nodes = sorted({"/dev/vfio/vfio", *(f"/dev/vfio/{seen['groups'][it]}" for it in DEVICES)})
    assert seen["given"]["devices"] == [
        {"hostPath": node, "containerPath": node, "permissions": "mrw"} for node in nodes
    ]
    assert len(nodes) == 3


def test_a_virtual_machine_finds_what_its_pod_was_given(report: Report) -> None:
    """It is started with the addresses of the variables; its firmware lists the cards, and they are enabled."""
    assert report["machine"]["ids"] == {GPU: "1234:1111", SOUND: "8086:2668", TWIN: "8086:10d3"}
    assert set(report["machine"]["enable"].values()) == {"1"}


def test_the_device_names_its_pod_soon(report: Report) -> None:
    """The kubelet is asked every ten seconds; the rest is for slow hosts."""
    assert report["pod"]["seconds: pod to inUseBy"] < 20


def test_a_pod_that_asks_for_more_than_there_is_reads_why_not(report: Report) -> None:
    seen = report["greedy"]

    assert seen["reason"] == "UnexpectedAdmissionError"
    assert "requested number of devices unavailable" in seen["message"]
    assert "Requested: 2, Available: 0" in seen["message"]


@pytest.mark.parametrize("disturbance", ["kubelet", "agent", "sockets"])
def test_what_is_in_use_stays_where_it_is(report: Report, disturbance: str) -> None:
    """Kubelet and agent find each other again, and meanwhile nothing at all is done to a device."""
    seen = report[disturbance]

    assert seen["steps"] == []
    assert seen["drivers"] == ON_VFIO
    assert set(seen["claims"].values()) == {"Ready"}
    assert seen["seconds: to counted again"] < 60


def test_a_claim_that_is_deleted_waits_for_the_machine_and_its_pod(report: Report) -> None:
    """Both are named; the kubelet gives the device to nobody else."""
    seen = report["machine"]

    for message in seen["messages"].values():
        assert f"process {seen['machine']} (qemu-system-x86)" in message
        assert "pod default/vm" in message
    assert seen["still runs"]


def test_without_a_machine_the_pod_alone_keeps_the_device(report: Report) -> None:
    """Nobody has it open then."""
    seen = report["machine"]

    assert {message.partition(" is in use: ")[2] for message in seen["messages without the machine"].values()} == {
        "pod default/vm"
    }
    assert set(seen["enable without the machine"].values()) == {"0"}
    assert seen["steps"] == []


def test_a_kubelet_that_has_forgotten_its_pods_frees_nothing(report: Report) -> None:
    """It has just started, and cannot reach the API server; what it has written down counts."""
    seen = report["forgets"]

    assert all("a pod that the kubelet does not name now" in message for message in seen["messages"].values())
    assert seen["steps"] == []
    assert seen["drivers"] == ON_VFIO


def test_all_goes_home_when_the_last_pod_of_the_node_ends(report: Report) -> None:
    """Although the kubelet names no pod at all then, as after its start."""
    seen = report["home"]

    assert report["pod"]["home"] == seen["after"] == HOME
    assert seen["seconds: the pod's end to claims gone"] < 30


def test_a_card_that_is_pulled_from_a_machine_concerns_nobody_else(report: Report) -> None:
    """It is gone when the machine lets it go; till then others are claimed and given back as ever."""
    seen = report["pulled"]

    assert seen["still runs"]
    assert seen["still there"]
    assert seen["another one's seconds to Ready"] < 30
    assert f"there is nothing at {PLUGGED}" in seen["message when it is gone"]


def test_the_agent_lives_through_all_of_it(report: Report) -> None:
    assert report["crashes"] == []
    assert report["exit status"] == 0
