"""The whole way of a device: a claim, the real kubelet, a pod, a virtual machine, and home again."""

from __future__ import annotations

import json
import re

from collections.abc import Iterator

import pytest

from tests.e2e.cluster import Cluster
from tests.e2e.guestnode import Report, a_life, awaiting_a_guest


pytestmark = pytest.mark.guest

TWIN, GPU, SOUND, PLUGGED = "0000:00:04.0", "0000:07:00.0", "0000:07:00.1", "0000:02:00.0"
DEVICES = (TWIN, GPU, SOUND)
CARDS = ("0000:41:00.0", "0000:42:00.0", "0000:81:00.0", "0000:82:00.0")
DISK = "0000:00:08.0"
STANDING = (*CARDS, DISK, GPU, SOUND)
ON_VFIO = {it: ["vfio-pci", "(null)"] for it in (*DEVICES, *STANDING)}
HOME = {
    **{it: ["e1000e", "(null)"] for it in (TWIN, *CARDS)},
    DISK: ["nvme", "(null)"],
    GPU: ["bochs-drm", "(null)"],
    SOUND: ["snd_hda_intel", "(null)"],
}


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with awaiting_a_guest(tmp_path_factory.mktemp("cluster"), "fakecri") as cluster:
        yield cluster


@pytest.fixture(scope="module")
def lives(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> tuple[Report, Report]:
    """Of a node that is reset in between, while claims and pods stand; the tests below read what was noted."""
    out, again = tmp_path_factory.mktemp("guest"), tmp_path_factory.mktemp("again")
    return a_life(cluster, out, "chain"), a_life(cluster, again, "rebooted", out / "kubelet")


@pytest.fixture(scope="module")
def report(lives: tuple[Report, Report]) -> Report:
    return lives[0]


@pytest.fixture(scope="module")
def rebooted(lives: tuple[Report, Report]) -> Report:
    return lives[1]


FIRST = (
    "pod",
    "machine",
    "greedy",
    "kubelet",
    "agent",
    "sockets",
    "forgets",
    "home",
    "pulled",
    "preferred",
    "standing",
)
SECOND = ("claims", "pods", "aligned", "leave", "end")


@pytest.mark.parametrize(("life", "name"), [*((0, name) for name in FIRST), *((1, name) for name in SECOND)])
def test_each_scenario_comes_to_its_end(lives: tuple[Report, Report], life: int, name: str) -> None:
    assert "failed" not in lives[life][name], lives[life][name]["failed"]


def test_the_guest_is_the_node(cluster: Cluster, lives: tuple[Report, Report]) -> None:
    """Its kernel and its boot are those that the kubelet tells of; after the reset it is the same node."""
    (node,) = json.loads(cluster.kubectl("get", "nodes", "-o", "json"))["items"]

    conditions = {condition["type"]: condition["status"] for condition in node["status"]["conditions"]}
    assert conditions["Ready"] == "True"
    told = node["status"]["nodeInfo"]
    assert (told["kernelVersion"], told["bootID"]) == (lives[1]["kernel"], lives[1]["boot"])
    assert lives[0]["boot"] != lives[1]["boot"]


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
    assert seen["drivers"] == only(ON_VFIO, *DEVICES)
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
    assert seen["drivers"] == only(ON_VFIO, *DEVICES)


def test_all_goes_home_when_the_last_pod_of_the_node_ends(report: Report) -> None:
    """Although the kubelet names no pod at all then, as after its start."""
    seen = report["home"]

    assert report["pod"]["home"] == seen["after"] == only(HOME, *DEVICES)
    assert seen["seconds: the pod's end to claims gone"] < 30


def test_a_card_that_is_pulled_from_a_machine_concerns_nobody_else(report: Report) -> None:
    """It is gone when the machine lets it go; till then others are claimed and given back as ever."""
    seen = report["pulled"]

    assert seen["still runs"]
    assert seen["still there"]
    assert seen["another one's seconds to Ready"] < 30
    assert f"there is nothing at {PLUGGED}" in seen["message when it is gone"]


def test_a_pod_is_preferred_to_have_devices_of_one_numa_node(report: Report) -> None:
    """The kubelet asks the plugin when there are more than it needs; a node of which one is taken is not halved."""
    seen = report["preferred"]

    assert sorted(seen["of four"].values()) == [["0", "0"], ["1", "1"]]
    assert seen["of three"]["beside"] in (["0", "0"], ["1", "1"])
    assert seen["of three"]["alone"][0] not in seen["of three"]["beside"]


def test_claims_stand_when_the_node_boots(report: Report, rebooted: Report) -> None:
    """The devices come up on their drivers, and are taken again without anybody's doing; then all go home."""
    before, after = report["standing"], rebooted["claims"]

    assert before["home"] == only(HOME, DISK, GPU, SOUND)
    assert before["claimed"] == after["claimed"] == only(ON_VFIO, *STANDING)
    assert after["at the start"] == rebooted["leave"]["after"] == only(HOME, *STANDING)
    assert after["claims"] == rebooted["leave"]["claims"]


def test_pods_get_the_devices_again_when_the_node_boots(report: Report, rebooted: Report) -> None:
    """Kubelet refuses pods of before when it looks at them before it has their devices; their successors get them."""
    seen = rebooted["pods"]

    assert len(report["standing"]["written down"]) == len((DISK, GPU, SOUND)) + 2
    assert set(seen["came to"].values()) <= {"Running", "UnexpectedAdmissionError"}
    assert seen["given"]["again"] == [DISK, GPU, SOUND]
    assert len(seen["given"]["all"]) == 2


def test_a_kubelet_that_aligns_is_told_the_numa_nodes(rebooted: Report) -> None:
    """Three of the four cannot be of one node, and two always are."""
    seen = rebooted["aligned"]

    assert seen["refused"]["reason"] == "TopologyAffinityError"
    assert sorted(seen["of four"].values()) == [["0", "0"], ["1", "1"]]


def test_the_agent_lives_through_all_of_it(lives: tuple[Report, Report]) -> None:
    assert [life["crashes"] for life in lives] == [[], []]
    assert lives[1]["end"]["exit status"] == 0


def only(states: dict[str, list[str]], *addresses: str) -> dict[str, list[str]]:
    return {it: states[it] for it in addresses}
