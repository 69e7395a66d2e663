"""The rig itself: what docs/how-to/rig.md promises, and every test in the guest takes for granted. Two boots."""

import socket
import subprocess
import sys

from dataclasses import dataclass
from pathlib import Path

import pytest


pytestmark = pytest.mark.guest

CHECKOUT = Path(__file__).parents[2]
LOOK_AROUND = """
end() { readlink "/sys/bus/pci/devices/0000:$1" | sed 's|.*/||'; }
echo "kernel: $(uname -r)"
echo "place: $PWD"
echo "python: $("$PYTHON" -c 'import pcidevices; print(pcidevices.__name__)')"
echo complaint >&2
for device in 00:03.0 00:07.0 01:01.0 04:00.0 07:00.0; do echo "driver of $device: $(end $device/driver)"; done
for device in 00:03.0 00:04.0 01:01.0 01:02.0 07:00.0 07:00.1; do
  echo "group of $device: $(end $device/iommu_group)"
done
echo hello > "/dev/tcp/10.0.2.2/$PORT"
echo 7 > /sys/bus/pci/devices/0000:04:00.0/sriov_numvfs
python3 "$RIG/qmp.py" device_add driver=e1000e id=hot bus=rp0
for device in 02:00.0 04:10.0 04:11.4; do
  until [ "$(end $device/driver)" ]; do sleep 0.1; done
  echo "driver of $device: $(end $device/driver)"
done
python3 "$RIG/qmp.py" device_del id=hot
echo "left of 02:00.0: $(ls -d /sys/bus/pci/devices/0000:02:00.0 2>/dev/null)"
"""


@dataclass(frozen=True)
class Report:
    facts: dict[str, str]
    stderr: str
    heard: bytes
    folder: Path


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Report:
    """What a guest with everything in it says of itself."""
    folder = tmp_path_factory.mktemp("guest")
    with socket.create_server(("127.0.0.1", 0)) as server:
        environment = [f"--env=PYTHON={sys.executable}", f"--env=PORT={server.getsockname()[1]}"]
        ran = run(*environment, "--out", str(folder), "--timeout", "300", "--", LOOK_AROUND)
        assert ran.returncode == 0, ran.stderr
        server.settimeout(0)
        with server.accept()[0] as connection:
            heard = connection.recv(100)
    facts = dict(line.split(": ", 1) for line in ran.stdout.splitlines())
    return Report(facts=facts, stderr=ran.stderr, heard=heard, folder=folder)


def run(*words: str) -> subprocess.CompletedProcess[str]:
    vm = [str(CHECKOUT / "hack/vm"), *words]
    return subprocess.run(vm, cwd=CHECKOUT, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)


def test_a_command_runs_in_the_checkout_on_a_kernel_of_its_own(report: Report) -> None:
    """The guest has this machine's tree, with its virtual environment, on the kernel that was asked for."""
    assert report.facts["kernel"].startswith("6.12.")
    assert report.facts["place"] == str(CHECKOUT)
    assert report.facts["python"] == "pcidevices"


def test_standard_error_comes_out_apart(report: Report) -> None:
    """What the command complains about is on our standard error, not among its output."""
    assert report.stderr.endswith("complaint\n")


@pytest.mark.parametrize(
    ("device", "driver"),
    [
        ("00:03.0", "e1000e"),
        ("00:07.0", "nvme"),
        ("01:01.0", "8139cp"),
        ("04:00.0", "igb"),
        ("07:00.0", "bochs-drm"),
    ],
)
def test_a_device_has_the_driver_that_udev_would_load(report: Report, device: str, driver: str) -> None:
    """Drivers are loaded by what a device says it is, before the command runs."""
    assert report.facts[f"driver of {device}"] == driver


@pytest.mark.parametrize(("device", "driver"), [("02:00.0", "e1000e"), ("04:10.0", "igbvf"), ("04:11.4", "igbvf")])
def test_a_device_that_appears_later_gets_its_driver_too(report: Report, device: str, driver: str) -> None:
    """A device that QEMU plugs in and a virtual function are found while the command runs."""
    assert report.facts[f"driver of {device}"] == driver


def test_a_device_that_qemu_unplugs_is_gone(report: Report) -> None:
    """`device_del` has ended when the kernel has let the device go."""
    assert report.facts["left of 02:00.0"] == ""


def test_devices_are_grouped_as_on_real_hardware(report: Report) -> None:
    """Twins are apart; what is behind a bridge is together, and so are a GPU and its audio."""

    def group(device: str) -> str:
        return report.facts[f"group of {device}"]

    assert group("00:03.0") != group("00:04.0")
    assert group("01:01.0") == group("01:02.0")
    assert group("07:00.0") == group("07:00.1")


def test_the_guest_can_reach_this_machine(report: Report) -> None:
    """10.0.2.2 is this machine's loopback, by the management NIC."""
    assert report.heard == b"hello\n"


def test_the_kernel_log_is_kept(report: Report) -> None:
    """The folder of the run has the whole log of the kernel, from its first line to what the command caused."""
    log = (report.folder / "dmesg.txt").read_text()
    assert "Linux version" in log.splitlines()[0]
    assert "igbvf" in log


def test_the_exit_status_is_the_command_s(tmp_path: Path) -> None:
    """A command that fails fails outside, with the same number."""
    assert run("--bare", "--no-drivers", "--out", str(tmp_path), "--", "sh", "-c", "exit 3").returncode == 3
