"""``pcidevices doctor``: the node's own part, without a cluster."""

from __future__ import annotations

import json
import os
import socket

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pcidevices.cli import main
from pcidevices.sim.node import SimulatedNode, load_spec


NIC, GPU, SOUND = "0000:01:00.0", "0000:02:00.0", "0000:02:00.1"
SPEC = f"""
kernel: "6.12"
iommu: on
modules:
  vfio-pci: loaded
devices:
  {NIC}: {{id: "8086:10fb", class: 0200, driver: ixgbe, net: {{name: ens1}}}}
  0000:00:1c.0: {{id: "8086:a190", class: 0604, bridge: {{buses: "02"}}}}
  {GPU}: {{id: "10de:1c02", class: 0300, driver: nouveau}}
  {SOUND}: {{id: "10de:10f1", class: 0403, driver: snd_hda_intel}}
"""


class Machine:
    """A simulated node, and a person on it."""

    def __init__(self, folder: Path, spec: str, capsys: pytest.CaptureFixture[str]) -> None:
        (folder / "node").mkdir()
        self.kubelet = folder / "kubelet"
        self.modules = folder / "lib/modules" / os.uname().release
        self.node = SimulatedNode(folder / "node", load_spec(spec))
        self._capsys = capsys
        (self.kubelet / "device-plugins").mkdir(parents=True)
        self.modules.mkdir(parents=True)

    def give_to_vfio(self, address: str) -> None:
        device = self.node.sysfs / "bus/pci/devices" / address
        self.node.write(device / "driver_override", "vfio-pci")
        self.node.write(device / "driver/unbind", address)
        self.node.write(self.node.sysfs / "bus/pci/drivers_probe", address)

    def asked(self, *words: str) -> tuple[int, list[dict[str, Any]]]:
        places = {
            "sysfs": self.node.sysfs,
            "proc": self.node.proc,
            "dev": self.node.dev,
            "udev": self.node.proc,
            "modules": self.modules.parent,
            "kubelet-dir": self.kubelet,
        }
        status = main(["doctor", "-o", "json", *(f"--{name}={path}" for name, path in places.items()), *words])
        (found,) = json.loads(self._capsys.readouterr().out)
        return status, found["links"]


@pytest.fixture
def machine(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Iterator[Machine]:
    machine = Machine(tmp_path, SPEC, capsys)
    yield machine
    machine.node.close()


def told(links: list[dict[str, Any]]) -> list[tuple[str, str]]:
    """What does not hold."""
    return [(link["what"], link["reason"]) for link in links if link["mark"] != "holds"]


def test_a_device_on_vfio_whose_group_is_not_viable_is_told(machine: Machine) -> None:
    machine.give_to_vfio(NIC)
    machine.give_to_vfio(GPU)
    status, links = machine.asked()

    assert status == 1
    assert [link["fact"] for link in links if link["what"] == "bound"] == [
        f"{NIC} is on vfio-pci",
        f"{GPU} is on vfio-pci",
    ]
    assert told(links) == [("group", "GroupNotViable"), ("kubelet", "KubeletAway")]


def test_who_has_a_device_is_told(machine: Machine) -> None:
    machine.give_to_vfio(NIC)
    machine.node.hold(NIC)
    _, links = machine.asked()

    assert next(link["fact"] for link in links if link["what"] == "use").startswith(f"{NIC} is in use: ")


def test_without_an_iommu_nothing_can_work(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    machine = Machine(tmp_path, SPEC.replace("iommu: on", "iommu: off"), capsys)
    _, links = machine.asked()

    assert ("iommu", "NoIommuGroup") in told(links)
    machine.node.close()


def test_a_module_that_the_running_kernel_does_not_have_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    machine = Machine(tmp_path, SPEC.replace("loaded", "missing"), capsys)
    (machine.modules / "modules.dep").write_text("kernel/drivers/net/dummy.ko:\n")
    status, links = machine.asked()

    assert (status, told(links)[0]) == (1, ("module", "DriverMissing"))
    machine.node.close()


def test_a_named_device_is_told_of_whatever_its_driver_is(machine: Machine) -> None:
    machine.node.network.set_address("ens1", "10.0.0.5/24")
    _, links = machine.asked("01:00.0", "0000:00:1c.0", "7f:00.0")

    assert told(links)[:3] == [
        ("bound", "DeviceProtected"),
        ("bound", "NotClaimable"),
        ("device", "DeviceNotFound"),
    ]


def test_sockets_that_kubevirt_leaves_behind_are_its_own_affair(machine: Machine) -> None:
    for name in ("kvm", "tun"):
        dead = socket.socket(socket.AF_UNIX)
        dead.bind(str(machine.kubelet / f"device-plugins/kubevirt-{name}.sock"))
        dead.close()
    _, links = machine.asked()

    assert [link for link in links if link["what"] == "socket"] == []


def test_a_plugins_socket_is_told_with_whether_somebody_listens(machine: Machine) -> None:
    folder = machine.kubelet / "device-plugins"
    dead, alive = socket.socket(socket.AF_UNIX), socket.socket(socket.AF_UNIX)
    dead.bind(str(folder / "kubevirt-d.ead.sock"))
    dead.close()
    alive.bind(str(folder / "kubevirt-a.live.sock"))
    alive.listen()
    _, links = machine.asked()
    alive.close()

    assert [(link["mark"], link["fact"].rpartition("/")[2]) for link in links if link["what"] == "socket"] == [
        ("holds", "kubevirt-a.live.sock"),
        ("cause", "kubevirt-d.ead.sock"),
    ]


def test_the_doctor_writes_nothing(machine: Machine) -> None:
    machine.give_to_vfio(NIC)
    before = _state(machine.node.sysfs)
    machine.asked()
    machine.asked(NIC, GPU)

    assert _state(machine.node.sysfs) == before


def test_an_address_that_is_none_is_refused(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "sys").mkdir()

    assert main(["doctor", "soon"]) == 2
    assert "not a PCI address" in capsys.readouterr().err


def _state(root: Path) -> dict[str, str]:
    return {str(path): path.read_text(errors="replace") for path in root.rglob("*") if path.is_file()}
