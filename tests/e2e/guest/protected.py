"""Scenarios of what the host needs: refused, and taken when the need ends. Standard library only."""

from __future__ import annotations

import re
import subprocess
import time

from collections.abc import Callable
from pathlib import Path

import rig

from tests.contract.sysfs.realnetwork import RealNetwork
from tests.contract.sysfs.realstorage import RealStorage
from tests.e2e.guest.agent import Object
from tests.e2e.guest.scene import BOOT_DISK, DATA_DISK, Scene, state


SLAVE, BONDED = "0000:00:05.0", "0000:00:05.1"
MANAGEMENT, CONSOLE = "0000:00:0a.0", "0000:00:0b.0"
BRIDGES = {"LPC": "0000:00:1f.0", "root port": "0000:00:10.0", "PCI bridge": "0000:00:06.0"}
QUIET = 1.0
BY_ITSELF = 30.0


def what_the_host_needs(scene: Scene, facts: Object) -> None:
    """Each is refused with its reason, and nothing at all is done to it."""
    network = RealNetwork()
    always = {"management NIC": (MANAGEMENT, "DeviceProtected"), "boot VGA": (CONSOLE, "DeviceProtected")}
    always |= {name: (address, "NotClaimable") for name, address in BRIDGES.items()}
    for name, (address, reason) in always.items():
        facts[name] = _refused(scene, address, reason)
        scene.give_back(address)

    def bond() -> None:
        subprocess.run(["modprobe", "bonding", "max_bonds=0"], check=True)
        Path("/sys/class/net/bonding_masters").write_text("+bond9")
        network.set_down(_interface(BONDED))
        Path("/sys/class/net/bond9/bonding/slaves").write_text(f"+{_interface(BONDED)}")

    def unbond() -> None:
        Path("/sys/class/net/bonding_masters").write_text("-bond9")

    bridged = _interface(SLAVE)
    for name, address, begin, end in (
        ("bridge slave", SLAVE, lambda: network.enslave(bridged, "br9"), lambda: network.free(bridged)),
        ("bond slave", BONDED, bond, unbond),
    ):
        _until_its_end(scene, facts, name, address, begin, end)


def disks(scene: Scene, facts: Object) -> None:
    """Mounted, swapped to, mapped: refused until it is not so; or taken all the same, by name."""
    storage = RealStorage()
    data = Path("/run/data")
    for name, begin, end in (
        ("mounted", lambda: storage.mount(_disk(DATA_DISK), str(data)), lambda: storage.unmount(str(data))),
        ("swap", lambda: storage.swap_on(_disk(DATA_DISK)), lambda: storage.swap_off(_disk(DATA_DISK))),
        ("dm leg", lambda: storage.map("leg", _disk(DATA_DISK)), lambda: storage.unmap("leg")),
    ):
        _until_its_end(scene, facts, name, DATA_DISK, begin, end)

    storage.partition(_disk(BOOT_DISK))
    partition = f"{_disk(BOOT_DISK)}p1"
    rig.wait_until(Path(f"/dev/{partition}").exists)
    storage.mount(partition, "/run/boot")
    facts["boot disk"] = _refused(scene, BOOT_DISK, "DeviceProtected")
    scene.give_back(BOOT_DISK)

    scene.claim(BOOT_DISK, allow=DATA_DISK)
    scene.told("DeviceProtected", BOOT_DISK)
    facts["allowed for another"] = state(BOOT_DISK)
    scene.give_back(BOOT_DISK)

    scene.claim(BOOT_DISK, allow=BOOT_DISK)
    scene.ready(BOOT_DISK)
    facts["allowed"] = {"claimed": state(BOOT_DISK), "the mount is dead": _is_dead(Path("/run/boot"))}
    subprocess.run(["umount", "--lazy", "/run/boot"], check=True)
    scene.give_back(BOOT_DISK)
    facts["allowed"]["after"] = state(BOOT_DISK)


def _until_its_end(
    scene: Scene, facts: Object, name: str, address: str, begin: Callable[[], object], end: Callable[[], object]
) -> None:
    """Refused while a use lasts; Ready by itself after its end."""
    begin()
    facts[name] = seen = _refused(scene, address, "DeviceProtected")
    end()
    ended = time.monotonic()
    try:
        seen["seconds from the end of the use to Ready"] = round(scene.ready(address, within=BY_ITSELF) - ended, 2)
    except TimeoutError as error:
        seen["never by itself"] = str(error)
    scene.give_back(address)
    seen["after"] = state(address)


def _refused(scene: Scene, address: str, reason: str) -> Object:
    since, before = scene.agent.position(), rig.driver(address)
    scene.claim(address)
    scene.told(reason, address)
    time.sleep(QUIET)  # waits: nothing must be done meanwhile
    steps = [step["step"] for step in scene.steps(address, since=since)]
    drivers = [before, rig.driver(address)]
    return {"reason": scene.reason(address), "message": scene.message(address), "steps": steps, "drivers": drivers}


def _disk(address: str) -> str:
    """Its name now, which changes when it comes back; below the controller is only one of the paths to it."""
    home = rig.device(address)
    path: Path = rig.wait_until(lambda: next(home.glob("nvme/nvme*/nvme*n*"), None))
    name = re.sub(r"c\d+", "", path.name)
    rig.wait_until(Path(f"/dev/{name}").exists)
    return name


def _interface(address: str) -> str:
    return str(next(rig.device(address).glob("net/*")).name)


def _is_dead(place: Path) -> bool:
    try:
        (place / "new").write_text("something")
        with (place / "new").open("rb+") as file:
            subprocess.run(["sync", file.name], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        return True
    return False
