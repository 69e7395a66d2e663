"""``pcidevices list``."""

from __future__ import annotations

import json

from dataclasses import replace
from typing import Any

import pytest
import yaml

from pcidevices.cli import main
from tests.support.sysfs_tree import GPU, NIC, ROOT_PORT, SRIOV_NIC, SysfsTree


ALWAYS = {
    "address",
    "vendorId",
    "deviceId",
    "classId",
    "iommuGroup",
    "nodeName",
    "resourceName",
    "description",
    "kernelDriverInUse",
    "numaNode",
}


def rows(capsys: pytest.CaptureFixture[str], output: str = "json") -> list[dict[str, Any]]:
    """What is told in a form for programs."""
    assert main(["list", "-o", output]) == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    told: list[dict[str, Any]] = json.loads(captured.out) if output == "json" else yaml.safe_load(captured.out)
    return told


def table(capsys: pytest.CaptureFixture[str], *arguments: str) -> list[str]:
    assert main(["list", *arguments]) == 0
    return capsys.readouterr().out.splitlines()


def test_a_device_is_told_with_the_keys_of_its_status(capsys: pytest.CaptureFixture[str], tree: SysfsTree) -> None:
    tree.plug("0000:04:00.0", replace(GPU, numa=0, boot_vga=1), driver="nouveau", group=25)

    assert rows(capsys) == [
        {
            "address": "0000:04:00.0",
            "vendorId": "10de",
            "deviceId": "1c03",
            "classId": "0300",
            "iommuGroup": "25",
            "nodeName": "janus",
            "resourceName": "nvidia.com/GP106_GEFORCE_GTX_1060_6GB",
            "description": "VGA compatible controller: NVIDIA Corporation GP106 [GeForce GTX 1060 6GB]",
            "kernelDriverInUse": "nouveau",
            "numaNode": 0,
            "subsystem": "1458:3702",
            "revision": "a1",
            "iommuGroupMembers": ["0000:04:00.0"],
            "bootVga": True,
        }
    ]


def test_what_is_not_known_is_null_and_never_left_out(capsys: pytest.CaptureFixture[str], tree: SysfsTree) -> None:
    tree.plug("0000:04:00.0")

    (row,) = rows(capsys)
    assert row.keys() >= ALWAYS
    assert [key for key in sorted(ALWAYS) if row[key] is None] == ["iommuGroup", "kernelDriverInUse", "numaNode"]


def test_yaml_says_what_json_says(capsys: pytest.CaptureFixture[str], tree: SysfsTree) -> None:
    tree.plug("0000:04:00.0", GPU, driver="nouveau", group=25)
    tree.plug("0000:05:00.0", SRIOV_NIC)

    assert rows(capsys, "yaml") == rows(capsys, "json")


def test_ids_of_digits_stay_text(capsys: pytest.CaptureFixture[str], tree: SysfsTree) -> None:
    """``1458`` and ``0x``-less ``8086`` are no numbers, ``1e10`` neither."""
    tree.plug("0000:04:00.0", replace(NIC, ids="8086:1e10", class_code="020000"))

    for output in ("json", "yaml"):
        (row,) = rows(capsys, output)
        assert (row["vendorId"], row["deviceId"], row["classId"]) == ("8086", "1e10", "0200")


@pytest.mark.parametrize("output", ["json", "yaml"])
def test_a_node_without_devices_has_an_empty_list(
    capsys: pytest.CaptureFixture[str], tree: SysfsTree, output: str
) -> None:
    assert tree.bus.is_dir()
    assert rows(capsys, output) == []


def test_a_node_without_devices_has_a_table_with_a_head(capsys: pytest.CaptureFixture[str], tree: SysfsTree) -> None:
    assert tree.bus.is_dir()
    assert table(capsys) == ["ADDRESS   ID   DRIVER   GROUP   DESCRIPTION"]


def test_a_table_has_a_line_for_each_device(capsys: pytest.CaptureFixture[str], tree: SysfsTree) -> None:
    tree.plug("10000:e1:00.0", NIC, group=3)
    tree.plug("0000:04:00.0", GPU, driver="nouveau")

    head, gpu, nic = table(capsys)
    assert head == "ADDRESS         ID          DRIVER    GROUP   DESCRIPTION"
    assert gpu.startswith("0000:04:00.0    10de:1c03   nouveau   -       VGA compatible controller: NVIDIA Corp")
    assert nic.startswith("10000:e1:00.0   8086:10d3   -         3       Ethernet controller: Intel Corporation")


def test_a_wide_table_tells_more(capsys: pytest.CaptureFixture[str], tree: SysfsTree) -> None:
    tree.plug("0000:04:00.0", replace(SRIOV_NIC, numa=0), driver="igb")
    tree.virtual_function("0000:04:00.0", "0000:04:10.0")
    tree.interface("0000:04:00.0", "eth1")
    tree.disk("0000:04:00.0", "sda")

    head, physical, virtual = table(capsys, "-o", "wide")
    assert head.split()[4:8] == ["NUMA", "CLASS", "SR-IOV", "BELOW"]
    assert physical.split()[4:8] == ["0", "0200", "1/7", "eth1,sda"]
    assert virtual.split()[4:8] == ["-", "0200", "0000:04:00.0", "-"]


def test_bridges_are_listed_too(capsys: pytest.CaptureFixture[str], tree: SysfsTree) -> None:
    tree.plug("0000:00:1c.0", ROOT_PORT, driver="pcieport")

    (row,) = rows(capsys)
    assert row["bridge"] is True


def test_a_serial_number_is_told(capsys: pytest.CaptureFixture[str], tree: SysfsTree) -> None:
    tree.plug("0000:04:00.0", replace(NIC, attributes={"serial_number": "00-1b-21\n"}))

    (row,) = rows(capsys)
    assert row["serialNumber"] == "00-1b-21"


@pytest.mark.parametrize("output", ["table", "wide", "json", "yaml"])
def test_a_device_that_cannot_be_read_is_told_beside_the_list(
    capsys: pytest.CaptureFixture[str], tree: SysfsTree, output: str
) -> None:
    """What can be read is listed all the same, in a form that programs can still read."""
    tree.plug("0000:04:00.0")
    (tree.plug("0000:05:00.0") / "class").write_text("xyz\n")

    assert main(["list", "-o", output]) == 0
    captured = capsys.readouterr()
    assert "0000:04:00.0" in captured.out
    assert "0000:05:00.0" not in captured.out
    assert captured.err == "pcidevices: 0000:05:00.0: class is 'xyz', not a number like the kernel's; left out\n"
