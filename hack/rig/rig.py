"""
The kernel's PCI files, for scripts in the guest. Standard library only, since each import takes its time there.

    sys.path.append(os.environ["RIG"])
    import rig

Errors are the kernel's own: OSError with its errno. A read or write that the kernel does not finish within `timeout`
is a BlockedError; it goes on in a thread of ours, and nothing ends that before the kernel lets it go.
"""

import os
import threading
import time

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from qmp import Qmp, QmpError
from uevents import Uevent, Uevents
from vfio import VfioUser


__all__ = [
    "BUS",
    "BlockedError",
    "Qmp",
    "QmpError",
    "Uevent",
    "Uevents",
    "VfioUser",
    "bind",
    "device",
    "driver",
    "full",
    "give_back",
    "group",
    "override",
    "read",
    "unbind",
    "wait_until",
    "write",
]
T = TypeVar("T")
BUS = Path("/sys/bus/pci")


class BlockedError(Exception):
    """The kernel has not finished in time."""


def full(address: str) -> str:
    """`0000:00:03.0` of `00:03.0`."""
    return address if address.count(":") == 2 else f"0000:{address}"


def device(address: str) -> Path:
    """The folder of a device."""
    return BUS / "devices" / full(address)


def driver(address: str) -> str | None:
    """What it is bound to. None already while an unbind hangs."""
    return _target(device(address) / "driver")


def group(address: str) -> str | None:
    """Its IOMMU group."""
    return _target(device(address) / "iommu_group")


def _target(link: Path) -> str | None:
    try:
        return link.readlink().name
    except FileNotFoundError:
        return None


def read(path: Path, *, timeout: float | None = None) -> str:
    """What a file says, without the newline at its end."""
    return _in_time(lambda: path.read_text().strip(), f"read {path}", timeout)


def write(path: Path, text: str, *, timeout: float | None = None) -> float:
    """All the text in one write; the seconds it took."""

    def once() -> float:
        start = time.monotonic()
        file = os.open(path, os.O_WRONLY)
        try:
            os.write(file, text.encode())
        finally:
            os.close(file)
        return time.monotonic() - start

    return _in_time(once, f"write {path}", timeout)


def _in_time(do: Callable[[], T], what: str, timeout: float | None) -> T:
    if timeout is None:
        return do()
    outcome: list[T | OSError] = []

    def keep() -> None:
        try:
            outcome.append(do())
        except OSError as error:
            outcome.append(error)

    thread = threading.Thread(target=keep, daemon=True)
    thread.start()
    thread.join(timeout)
    if not outcome:
        raise BlockedError(f"{what}: not within {timeout} s")
    if isinstance(outcome[0], OSError):
        raise outcome[0]
    return outcome[0]


def override(address: str, name: str | None) -> None:
    """Reserve a device for one driver, or for none in particular."""
    write(device(address) / "driver_override", f"{name or ''}\n")


def unbind(address: str, *, timeout: float | None = None) -> float:
    """Take a device from its driver; the seconds it took."""
    return write(device(address) / "driver/unbind", full(address), timeout=timeout)


def bind(address: str, name: str = "vfio-pci") -> None:
    """Give a device to a driver, whose module is there."""
    override(address, name)
    if driver(address) not in (name, None):
        unbind(address)
    if _probe(address) != name:
        raise RuntimeError(f"{full(address)} is bound to {driver(address)}, not to {name}")


def give_back(address: str) -> None:
    """Let the kernel choose the driver again."""
    override(address, None)
    if driver(address):
        unbind(address)
    # For a moment after the end of a hanging unbind a probe succeeds and does nothing.
    wait_until(lambda: _probe(address))


def _probe(address: str) -> str | None:
    """Which driver has it then. The write itself succeeds whatever comes of it."""
    write(BUS / "drivers_probe", full(address))
    return driver(address)


def wait_until(condition: Callable[[], T], *, timeout: float = 60) -> T:
    """What the condition says once it says something true."""
    end = time.monotonic() + timeout
    pause = 0.02
    while not (answer := condition()):
        if time.monotonic() > end:
            raise TimeoutError(f"not within {timeout} s")
        time.sleep(pause)
        pause = min(1.2 * pause, 0.3)  # programs are slow here: to look all the time would hold up what is waited for
    return answer
