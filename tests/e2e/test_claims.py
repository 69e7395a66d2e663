"""Claims on real kernels, with a real API server: devices go to vfio-pci and come home, whatever happens meanwhile."""

from __future__ import annotations

import json
import os
import subprocess
import sys

from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.cluster import ROOT, WRITES, Cluster, Object, running_cluster


pytestmark = pytest.mark.guest

KILLS = os.environ.get("PCIDEVICES_TEST_KILLS", "3")
"""Of the agent, on each kernel; more are worth a try now and then."""
NIC, TWIN, SPARE = "0000:00:03.0", "0000:00:04.0", "0000:00:05.0"
GPU, SOUND, PLUGGED = "0000:07:00.0", "0000:07:00.1", "0000:02:00.0"

Report = dict[str, Any]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with running_cluster(tmp_path_factory.mktemp("cluster")) as cluster:
        # Claims of a Node that is not there would be ended after a while.
        cluster.kubectl("create", "-f", "-", given={"apiVersion": "v1", "kind": "Node", "metadata": {"name": "guest"}})
        yield cluster


@pytest.fixture(scope="module")
def guest(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Report]:
    """Boot a kernel and go through scenarios; what the guest noted."""

    def run(kernel: str, *scenarios: str) -> Report:
        out = tmp_path_factory.mktemp(f"guest-{kernel}")
        inner = [sys.executable, "tests/e2e/guest/claims.py", cluster.folder / "guest.kubeconfig", *scenarios]
        rig = [ROOT / "hack/vm", "--kernel", kernel, "--out", out, "--timeout", str(900 + 40 * int(KILLS))]
        rig += [f"--env=QEMU={_qemu()}", f"--env=PCIDEVICES_TEST_KILLS={KILLS}", "--env=PCIDEVICES_TEST_CYCLES", "--"]
        subprocess.run([str(word) for word in (*rig, *inner)], check=True, cwd=ROOT)
        whole: Report = json.loads((out / "report.json").read_text())
        return whole

    return run


@pytest.fixture(scope="module", params=["6.12", "6.1"])
def report(request: pytest.FixtureRequest, cluster: Cluster, guest: Callable[..., Report]) -> Report:
    """One guest's whole life; the tests below read what it noted."""
    whole = guest(request.param)
    for what in ("claim", "rest", "release"):
        whole["cost"][what] = _requests(cluster, *whole["cost"][what])
    print(json.dumps(whole, indent=1))
    return whole


def _qemu() -> Path:
    """The rig's own, which runs in the guest as well."""
    caches = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return Path(os.environ.get("PCIDEVICES_CACHE") or caches / "pcidevices").resolve() / "rig/qemu-10"


def _requests(cluster: Cluster, since: float, until: float) -> list[str]:
    """What the agent asked of the API server between two moments, but for its watches."""
    entries: list[Object] = [json.loads(line) for line in (cluster.folder / "audit.jsonl").read_text().splitlines()]
    return [
        f"{entry['verb']} {entry['requestURI']}"
        for entry in entries
        if entry.get("userAgent", "").startswith("pcidevices/")
        and entry["verb"] != "watch"
        and since < datetime.fromisoformat(entry["requestReceivedTimestamp"]).timestamp() < until
    ]


@pytest.mark.parametrize("name", ["every kind", "group", "twins", "times", "cost", "machine", "host", "disks"])
def test_each_scenario_comes_to_its_end(report: Report, name: str) -> None:
    assert "failed" not in report[name], report[name]["failed"]


@pytest.mark.parametrize(
    ("devices", "drivers"),
    [
        ("0000:00:03.0", ["e1000e"]),
        ("0000:04:10.0", ["igbvf"]),
        ("0000:00:08.0", ["nvme"]),
        ("0000:01:01.0", ["8139cp"]),
        (f"{GPU} {SOUND}", ["bochs-drm", "snd_hda_intel"]),
    ],
)
def test_each_kind_of_device_is_handed_over_and_comes_home(report: Report, devices: str, drivers: list[str]) -> None:
    """On vfio-pci while it is claimed, on its own driver after, with no override left at either time."""
    seen, addresses = report["every kind"][devices], devices.split()

    home = {address: [driver, "(null)"] for address, driver in zip(addresses, drivers, strict=True)}
    assert seen["before"] == seen["after"] == home
    assert seen["claimed"] == {address: ["vfio-pci", "(null)"] for address in addresses}
    assert seen["on vfio"] == addresses
    assert seen["on vfio after"] == []


@pytest.mark.parametrize(
    ("one", "sibling", "driver"),
    [(GPU, SOUND, "snd_hda_intel"), ("0000:06:00.0", "0000:06:00.1", "e1000e")],
)
def test_one_of_a_group_is_not_ready_and_names_the_other(report: Report, one: str, sibling: str, driver: str) -> None:
    """It is bound all the same, and nothing is done to the sibling that nobody has claimed."""
    seen = report["group"][one]

    assert f"{sibling} is on {driver}" in seen["message"]
    assert (seen["driver"], seen["sibling"]) == ("vfio-pci", driver)
    assert seen["after"][sibling] == [driver, "(null)"]


def test_of_two_of_the_same_only_the_claimed_one_moves(report: Report) -> None:
    """Also when the other one has no driver, and would be taken by whoever asks for its ids."""
    seen = report["twins"]

    assert seen["with a driver"] == {NIC: ["vfio-pci", "(null)"], TWIN: ["e1000e", "(null)"]}
    assert seen["without"] == {NIC: ["vfio-pci", "(null)"], TWIN: [None, "(null)"]}
    assert seen["after"] == {NIC: ["e1000e", "(null)"], TWIN: ["e1000e", "(null)"]}


def test_a_claim_is_ready_soon(report: Report) -> None:
    """Half a second is usual, most of it the kernel's; the bound is for slow hosts."""
    assert report["times"]["create to Ready"]["p50"] < 5


def test_a_claim_costs_six_requests_at_most_and_rest_costs_none(report: Report) -> None:
    """Finalizer, record, Ready, the PCIDevice (twice, if it is seen between two drivers) and the Event."""
    assert len(report["cost"]["claim"]) <= 6
    assert [entry for entry in report["cost"]["rest"] if entry.split()[0] in WRITES] == []
    assert report["cost"]["scans at rest"] == 0


def test_a_virtual_machine_has_what_was_claimed_for_it(report: Report) -> None:
    """A real one: its firmware finds the devices by their ids."""
    assert report["machine"]["ids"] == {GPU: "1234:1111", SOUND: "8086:2668", TWIN: "8086:10d3"}


def test_nothing_is_unbound_under_a_virtual_machine(report: Report) -> None:
    """Deleted claims wait and say for whom; other devices come and go; after its end all go home."""
    seen = report["machine"]

    assert set(seen["reasons at the end"]) == {"DeviceInUse"}
    assert all(f"process {seen['machine']} (qemu-system-x86)" in message for message in seen["messages"].values())
    assert seen["steps meanwhile"] == []
    assert {driver for driver, _ in seen["meanwhile"].values()} == {"vfio-pci"}
    assert seen["still runs"]
    assert seen["another one"] == {NIC: ["e1000e", "(null)"]}
    assert seen["after"] == seen["before"]


@pytest.mark.parametrize(
    ("scenario", "what", "reason", "told"),
    [
        ("host", "management NIC", "DeviceProtected", "the default route"),
        ("host", "boot VGA", "DeviceProtected", "the display of the boot console"),
        ("host", "bridge slave", "DeviceProtected", "belongs to br9"),
        ("host", "bond slave", "DeviceProtected", "belongs to bond9"),
        ("host", "LPC", "NotClaimable", "is a bridge (class 0601)"),
        ("host", "root port", "NotClaimable", "is a bridge (class 0604)"),
        ("host", "PCI bridge", "NotClaimable", "is a bridge (class 0604)"),
        ("disks", "mounted", "DeviceProtected", "is mounted at /run/data"),
        ("disks", "swap", "DeviceProtected", "is swap space"),
        ("disks", "dm leg", "DeviceProtected", "is held by dm-0 (leg)"),
        ("disks", "boot disk", "DeviceProtected", "p1 is mounted at /run/boot"),
    ],
)
def test_what_the_host_needs_is_left_alone(report: Report, scenario: str, what: str, reason: str, told: str) -> None:
    """Refused with its reason; no step at all is taken."""
    seen = report[scenario][what]

    assert seen["reason"] == reason
    assert told in seen["message"]
    assert seen["steps"] == []
    assert seen["drivers"][0] == seen["drivers"][1]


@pytest.mark.parametrize(
    ("scenario", "what"),
    [("host", "bridge slave"), ("host", "bond slave"), ("disks", "mounted"), ("disks", "swap"), ("disks", "dm leg")],
)
def test_a_claim_goes_on_by_itself_when_the_use_ends(report: Report, scenario: str, what: str) -> None:
    """Nobody tells the agent of an unmount; it looks."""
    assert "never by itself" not in report[scenario][what]
    assert report[scenario][what]["seconds from the end of the use to Ready"] < 20


def test_a_mounted_disk_is_taken_when_its_annotation_names_it(report: Report) -> None:
    """And only then: another device's address allows nothing."""
    disk = "0000:00:07.0"

    assert report["disks"]["allowed for another"] == {disk: ["nvme", "(null)"]}
    assert report["disks"]["allowed"]["claimed"] == {disk: ["vfio-pci", "(null)"]}
    assert report["disks"]["allowed"]["the mount is dead"]
    assert report["disks"]["allowed"]["after"] == {disk: ["nvme", "(null)"]}


def test_an_unbind_that_hangs_is_told_and_ends_with_the_use(report: Report) -> None:
    """After the patience of one write; the device goes home when it is let go, with another agent than began it."""
    seen = report["hang"]

    assert "failed" not in seen, seen["failed"]
    assert "unbind from vfio-pci" in seen["message"]
    assert seen["still waits"]
    assert seen["reason with the next agent"][0] in {"DeviceInUse", "DeviceSilent", "WriteTimedOut"}
    assert seen["after"] == {NIC: ["e1000e", "(null)"]}


def test_an_unbind_that_hangs_holds_up_nobody_else(report: Report) -> None:
    """The report has the times before and meanwhile; the bound is for slow hosts."""
    assert report["hang"]["others meanwhile"]["p99"] < 30


def test_a_claim_that_waits_is_not_written_again_and_again(report: Report) -> None:
    """What it says stays the same while it waits: once for the time-out, at most once more for who is seen."""
    assert report["hang"]["turns meanwhile"].get("claims: changed", 0) <= 2


def test_an_agent_whose_write_hangs_is_well(report: Report) -> None:
    """One device waits; to start the agent anew would end nothing of that."""
    assert set(report["hang"]["probes meanwhile"]) == {"/healthz 200", "/readyz 200"}
    assert report["hang"]["metric meanwhile"] == [f'pcidevices_hung_writes{{address="{NIC}"}} 1.0']


def test_an_agent_whose_write_hangs_ends_when_it_is_told_to(report: Report) -> None:
    """The write goes on in a process that it leaves behind."""
    assert report["hang"]["SIGTERM to the end"] <= 5
    assert report["hang"]["exit status"] == 0


def test_what_the_ancestor_left_is_taken_over_without_a_step(report: Report) -> None:
    """Its claims are Ready as they stand, with the driver that it recorded; one of them in use throughout."""
    seen = report["inherited"]

    assert "failed" not in seen, seen["failed"]
    assert seen["before"] == {address: ["vfio-pci", "(null)"] for address in (NIC, TWIN, SPARE)}
    assert seen["taken over"] == {address: ["vfio-pci", "(null)"] for address in (NIC, TWIN)}
    assert seen["steps"] == []
    assert seen["status"]["kernelDriverToUnbind"] == "e1000e"
    assert seen["held"] == {TWIN: ["vfio-pci", "(null)"]}


def test_what_the_ancestor_left_goes_home_when_its_claims_are_deleted(report: Report) -> None:
    """Also a claim that was deleted while nobody served it; no finalizer of the ancestor keeps any of them."""
    seen = report["inherited"]

    assert seen["deleted before"] == {SPARE: ["e1000e", "(null)"]}
    assert seen["after"] == seen["home"]


def test_a_card_that_is_pulled_is_waited_for_and_taken_again(report: Report) -> None:
    seen = report["card"]

    assert "failed" not in seen, seen["failed"]
    assert f"there is nothing at {PLUGGED}" in seen["pulled"]
    assert seen["the same again"] == {PLUGGED: ["vfio-pci", "(null)"]}


def test_another_card_in_its_place_is_left_alone(report: Report) -> None:
    """Both are named; the new one stays on its driver, also when the claim is deleted."""
    seen = report["card"]["another one"]

    assert "was 8086:10d3" in seen["message"]
    assert "is 8086:10c9" in seen["message"]
    assert seen["state"] == seen["after"] == {PLUGGED: ["igb", "(null)"]}
    assert seen["steps"] == []


def test_an_agent_that_is_killed_at_any_moment_leaves_nothing_that_the_next_one_cannot_end(report: Report) -> None:
    """What is claimed comes to be Ready, what is not goes home, and no override is left; the guest looked each time."""
    seen = report["kills"]

    assert "failed" not in seen, f"seed {seen['seed']}: {seen['failed']}"
    assert seen["kills"] >= int(KILLS)
    assert set(map(tuple, seen["after"].values())) == {("e1000e", "(null)")}


def test_the_agent_lives_through_all_of_it(report: Report) -> None:
    assert report["crashes"] == []
    assert report["exit status"] == 0
