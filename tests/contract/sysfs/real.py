"""The machine that this runs on, which must be a guest of hack/vm: all that is here writes to the real sysfs."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import threading

from collections.abc import Callable
from pathlib import Path
from typing import cast

from pcidevices.adapters.sysfs.write import write
from tests.contract.sysfs.qmp import Qmp
from tests.contract.sysfs.realnetwork import RealNetwork
from tests.contract.sysfs.realstorage import RealStorage
from tests.contract.sysfs.vfio import VfioUser
from tests.contract.sysfs.world import Uevent, wait_for


_NETLINK_KOBJECT_UEVENT = 15
_MODULES = ("vfio-pci", "igbvf", "e1000e", "igb", "nvme", "8139cp", "bochs", "snd_hda_intel")
_DATA = Path("/sys/bus/pci/devices/0000:00:08.0")
_QMP = Path("/dev/virtio-ports/qmp")
_EDU = Path("/sys/bus/pci/devices/0000:00:0e.0/device")


def is_the_rig() -> bool:
    """Only there the suite may write to /sys: the rig says so, and no other machine has these two."""
    return bool(os.environ.get("RIG")) and _QMP.exists() and _EDU.exists() and _EDU.read_text() == "0x11e8\n"


class RealWorld:
    moment = 1.0

    def __init__(self) -> None:
        self.sysfs, self.proc, self.dev, self.udev = (Path(p) for p in ("/sys", "/proc", "/dev", "/run/udev/data"))
        self.storage, self.network = RealStorage(), RealNetwork()
        self.is_6_1 = os.uname().release.startswith("6.1.")
        self.write = write
        self._qmp = Qmp(_QMP)
        self._users: dict[str, VfioUser] = {}
        for module in _MODULES:
            self.load(module)
        wait_for(lambda: any(_DATA.glob("nvme/nvme*/nvme*n1")))
        (disk,) = _DATA.glob("nvme/nvme*/nvme*n1")
        self.storage.partition(f"{disk.parent.name}n1")

    def subscribe(self, callback: Callable[[Uevent], object]) -> Callable[[], None]:
        return Listener(callback).close

    def hold(self, address: str) -> None:
        self._users[address] = VfioUser(address)

    def release(self, address: str) -> None:
        with contextlib.suppress(KeyError):
            self._users.pop(address).close()

    def plug(self, port: int) -> str:
        wait_for(lambda: not self._is_in_the_machine(f"card{port}"))
        self._qmp("device_add", driver="e1000e", id=f"card{port}", bus=f"rp{port - 2}")
        return f"0000:{port:02x}:00.0"

    def unplug(self, port: int) -> None:
        self._qmp("device_del", id=f"card{port}")

    def _is_in_the_machine(self, name: str) -> bool:
        """A card that was pulled has left the kernel a moment before it has left QEMU."""
        cards = cast("list[dict[str, str]]", self._qmp("qom-list", path="/machine/peripheral"))
        return any(card["name"] == name for card in cards)

    def load(self, module: str) -> None:
        subprocess.run(["modprobe", module], check=True)

    def unload(self, module: str) -> None:
        subprocess.run(["modprobe", "-r", module], check=True)

    def close(self) -> None:
        for address in tuple(self._users):
            self.release(address)
        self.network.close()
        self.storage.close()
        self._qmp.close()


class Listener:
    """The kernel's uevents, as they come in over netlink."""

    def __init__(self, callback: Callable[[Uevent], object]) -> None:
        self._callback = callback
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_DGRAM, _NETLINK_KOBJECT_UEVENT)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        self._socket.settimeout(0.1)
        self._socket.bind((0, 1))
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._closed.set()
        self._thread.join()
        self._socket.close()

    def _run(self) -> None:
        while not self._closed.is_set():
            with contextlib.suppress(TimeoutError):
                fields = self._socket.recv(1 << 16).split(b"\0")[1:]
                self._callback(dict(field.decode().split("=", 1) for field in fields if b"=" in field))
