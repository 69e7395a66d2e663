"""A virtual machine inside the container of its pod, over containerd and runc: it has what the pod was given."""

from __future__ import annotations

import os

import pytest

from tests.e2e.guestnode import Report, a_life, awaiting_a_guest


pytestmark = [
    pytest.mark.guest,
    pytest.mark.skipif(
        "PCIDEVICES_TEST_CONTAINERD" not in os.environ, reason="asked for by PCIDEVICES_TEST_CONTAINERD=1"
    ),
]

TWIN, GPU, SOUND = "0000:00:04.0", "0000:07:00.0", "0000:07:00.1"


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Report:
    with awaiting_a_guest(tmp_path_factory.mktemp("cluster"), "containerd") as cluster:
        return a_life(cluster, tmp_path_factory.mktemp("guest"), "container")


def test_a_machine_in_a_container_finds_the_cards_of_its_pod(report: Report) -> None:
    """It knows their addresses from the environment alone, and opens the nodes that the pod was given."""
    seen = report["container"]

    assert "failed" not in seen, seen["failed"]
    assert seen["ids"] == {GPU: "1234:1111", SOUND: "8086:2668", TWIN: "8086:10d3"}
    assert set(seen["enable"].values()) == {"1"}


def test_a_container_has_the_nodes_of_its_devices_and_no_others(report: Report) -> None:
    seen = report["container"]

    nodes = sorted({"vfio", *seen["groups"].values()})
    assert seen["says"][0] == f"in /dev/vfio: {' '.join(nodes)}"


def test_a_claim_waits_for_a_machine_in_a_container(report: Report) -> None:
    """Process and pod are named; when the pod has ended, all goes home."""
    seen = report["container"]

    for message in seen["messages"].values():
        assert "(qemu-system-x86)" in message
        assert "pod default/vm" in message
    assert seen["after"] == seen["home"]


def test_the_agent_lives_through_it(report: Report) -> None:
    assert report["crashes"] == []
    assert report["end"]["exit status"] == 0
