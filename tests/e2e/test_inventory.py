"""The agent on real kernels, with a real API server: lspci for a cluster, live."""

from __future__ import annotations

import json
import os
import re
import subprocess

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest

from tests.e2e.cluster import ROOT, Cluster, running_cluster


pytestmark = pytest.mark.guest

AT_REST = float(os.environ.get("PCIDEVICES_TEST_REST", "20"))

Report = dict[str, Any]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with running_cluster(tmp_path_factory.mktemp("cluster")) as cluster:
        yield cluster


@pytest.fixture(scope="module", params=["6.12", "6.1"])
def report(request: pytest.FixtureRequest, cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Report:
    """One guest's whole life; the tests below read what it noted."""
    out = tmp_path_factory.mktemp(f"guest-{request.param}")
    cluster.kubectl("delete", "pcidevices", "--all")
    guest = ["python3", "tests/e2e/guest/inventory.py", str(cluster.folder / "guest.kubeconfig"), str(AT_REST)]
    rig = [str(ROOT / "hack/vm"), "--kernel", request.param, "--numa", "--out", str(out)]
    subprocess.run([*rig, "--timeout", str(300 + AT_REST), "--", *guest], check=True, cwd=ROOT)
    whole: Report = json.loads((out / "report.json").read_text())
    whole["writes at rest"] = [
        entry
        for entry in cluster.writes(since=whole["rest began"])
        if datetime.fromisoformat(entry["requestReceivedTimestamp"]).timestamp() < whole["rest ended"]
    ]
    shown = {key: value for key, value in whole.items() if key not in {"lspci", "lspci -k", "objects"}}
    print(json.dumps(shown, indent=1))
    return whole


def test_the_objects_are_what_lspci_shows(report: Report) -> None:
    """Every function but the PCI-to-PCI bridges, with the ids, the names and the driver that lspci shows."""
    functions = dict(_functions(report["lspci"]))
    drivers = dict(_drivers(report["lspci -k"]))

    published = {status["address"]: status for status in report["objects"]}

    assert published.keys() == {address for address, facts in functions.items() if facts["class"] != "0604"}
    for address, status in published.items():
        facts = functions[address]
        assert (status["classId"], f"{status['vendorId']}:{status['deviceId']}") == (facts["class"], facts["ids"])
        assert status.get("kernelDriverInUse") == drivers.get(address)
        assert status["description"].split(":")[0] == facts["class name"]
        assert status.get("revision", "00") == facts["revision"]
        assert status["nodeName"] == "guest"


def test_what_lspci_does_not_show_is_told_too(report: Report) -> None:
    """IOMMU groups and their members, NUMA nodes, SR-IOV, and the disks and interfaces below."""
    published = {status["address"]: status for status in report["objects"]}

    gpu = published["0000:07:00.0"]
    assert gpu["iommuGroupMembers"] == ["0000:07:00.0", "0000:07:00.1"]
    assert published["0000:81:00.0"]["numaNode"] == 1
    assert "numaNode" not in published["0000:00:03.0"]
    assert published["0000:04:00.0"]["sriov"] == {"role": "PhysicalFunction", "totalVfs": 7, "numVfs": 0}
    assert published["0000:00:0b.0"]["bootVga"] is True
    assert len(published["0000:00:07.0"]["blockDevices"]) == 1
    assert len(published["0000:00:0a.0"]["networkInterfaces"]) == 1
    assert published["0000:00:07.0"]["serialNumber"]


def test_changes_show_by_themselves(report: Report) -> None:
    """Plug, unplug, bind and unbind by hand reach the API server; a second is the goal, the bound is for slow hosts."""
    for what in ("plug", "unplug", "bind by hand", "unbind by hand"):
        assert max(report["seconds"][what]) < 5, what


def test_a_burst_costs_one_scan_or_two(report: Report) -> None:
    assert 1 <= report["scans: 7 VFs appear"] <= 2
    assert 1 <= report["scans: 7 VFs vanish"] <= 2


def test_at_rest_nothing_is_written_and_nothing_is_read(report: Report) -> None:
    """No write of the agent in the API server's audit log, and no scan but the resync's."""
    assert report["writes at rest"] == []
    assert report["at rest"]["scans"] == 0


def test_a_signal_ends_the_agent_in_good_order(report: Report) -> None:
    assert report["exit status"] == 0


def _functions(lspci: str) -> Iterator[tuple[str, dict[str, str]]]:
    pattern = re.compile(r"(\S+) (.+?) \[([0-9a-f]{4})\]: .*\[([0-9a-f]{4}:[0-9a-f]{4})\](?: \(rev ([0-9a-f]{2})\))?")
    for line in lspci.splitlines():
        match = pattern.match(line)
        assert match, line
        address, class_name, class_id, ids, revision = match.groups()
        yield address, {"class name": class_name, "class": class_id, "ids": ids, "revision": revision or "00"}


def _drivers(lspci: str) -> Iterator[tuple[str, str]]:
    address = ""
    for line in lspci.splitlines():
        if line and not line[0].isspace():
            address = line.split()[0]
        elif "Kernel driver in use: " in line:
            yield address, line.partition("in use: ")[2]
