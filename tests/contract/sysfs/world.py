"""What the suite needs of a machine, and the machine's bus in the words of the tests."""

from __future__ import annotations

import errno
import threading
import time

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

import pytest


Uevent = Mapping[str, str]
Unsubscribe = Callable[[], object]

PATIENCE = 60


class Storage(Protocol):
    """What the host does with disks and partitions, by their names."""

    def mount(self, name: str, where: str, *, elsewhere: bool = False) -> None: ...

    def unmount(self, where: str) -> None: ...

    def swap_on(self, name: str) -> None: ...

    def swap_off(self, name: str) -> None: ...

    def map(self, label: str, *names: str) -> None: ...

    def unmap(self, label: str) -> None: ...


class Network(Protocol):
    """What the host does with network interfaces, by their names."""

    def set_address(self, name: str, *addresses: str) -> None: ...

    def set_down(self, name: str) -> None: ...

    def enslave(self, name: str, master: str) -> None: ...

    def free(self, name: str) -> None: ...

    def put_on(self, name: str, upper: str) -> None: ...

    def take_off(self, name: str, upper: str) -> None: ...

    def send_away(self, name: str) -> None: ...

    def call_back(self, name: str) -> None: ...


class World(Protocol):
    """
    A simulated node or a real kernel. *moment* is how long a write that will not return is watched.

    The disk at 0000:00:08.0 has one partition, that at 0000:00:07.0 has none.
    """

    sysfs: Path
    proc: Path
    dev: Path
    udev: Path
    is_6_1: bool
    moment: float

    @property
    def storage(self) -> Storage: ...

    @property
    def network(self) -> Network: ...

    def write(self, path: Path, text: str) -> None: ...

    def subscribe(self, callback: Callable[[Uevent], object]) -> Unsubscribe: ...

    def hold(self, address: str) -> None: ...

    def release(self, address: str) -> None: ...

    def plug(self, port: int) -> str: ...

    def unplug(self, port: int) -> None: ...

    def load(self, module: str) -> None: ...

    def unload(self, module: str) -> None: ...


def wait_for(condition: Callable[[], bool]) -> None:
    """Look again and again; kernels tell nobody when they are done."""
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, "it did not come to pass"
        time.sleep(0.01)  # waits: see above


@contextmanager
def refused(number: int) -> Iterator[None]:
    """The kernel says no, with this errno."""
    try:
        yield
    except OSError as error:
        assert errno.errorcode[error.errno or 0] == errno.errorcode[number]  # noqa: PT017 - the errno is the answer
    else:
        pytest.fail(f"accepted, not refused with {errno.errorcode[number]}")


class Background:
    """A write that may hang."""

    def __init__(self, write: Callable[[], None]) -> None:
        self.error: OSError | None = None
        self._write = write
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def is_blocked(self, moment: float) -> bool:
        self._thread.join(moment)
        return self._thread.is_alive()

    def join(self) -> None:
        """Wait for the write to return, and for what it has to say."""
        self._thread.join(PATIENCE)
        assert not self._thread.is_alive(), "the write still hangs"
        if self.error is not None:
            raise self.error

    def _run(self) -> None:
        try:
            self._write()
        except OSError as error:
            self.error = error


class Recorder:
    """The uevents since it was made."""

    def __init__(self) -> None:
        self.uevents: list[Uevent] = []

    def of(self, *subsystems: str) -> list[str]:
        """What happened to devices of these subsystems: action and name, in order."""
        return [
            f"{event['ACTION']} {event['DEVPATH'].rpartition('/')[2]}"
            for event in tuple(self.uevents)
            if event["SUBSYSTEM"] in subsystems
        ]

    def has(self, action: str, address: str) -> bool:
        return f"{action} {address}" in self.of("pci")

    def last(self, action: str, address: str) -> Uevent:
        return next(
            event
            for event in reversed(self.uevents)
            if event["ACTION"] == action and event.get("PCI_SLOT_NAME") == address
        )


class Bus:
    """The PCI bus of a world. Everything is asked of the files, and done by writes."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.folder = world.sysfs / "bus/pci"

    def device(self, address: str) -> Path:
        return self.folder / "devices" / address

    def read(self, address: str, attribute: str) -> str:
        return (self.device(address) / attribute).read_text().strip()

    def driver(self, address: str) -> str | None:
        return self._target(self.device(address) / "driver")

    def group(self, address: str) -> str | None:
        return self._target(self.device(address) / "iommu_group")

    def is_present(self, address: str) -> bool:
        return self.device(address).exists()

    def has_node(self, group: str | None) -> bool:
        return (self.world.dev / "vfio" / str(group)).exists()

    def set(self, address: str, attribute: str, text: str) -> None:
        self.world.write(self.device(address) / attribute, text)

    def override(self, address: str, driver: str) -> None:
        self.set(address, "driver_override", f"{driver}\n")

    def unbind(self, address: str) -> None:
        self.set(address, "driver/unbind", address)

    def probe(self, address: str) -> None:
        self.world.write(self.folder / "drivers_probe", address)

    def bind(self, address: str, driver: str) -> None:
        self.to_driver(driver, "bind", address)

    def to_driver(self, driver: str, attribute: str, text: str) -> None:
        self.world.write(self.folder / "drivers" / driver / attribute, text)

    def rescan(self) -> None:
        self.world.write(self.folder / "rescan", "1")

    def to_vfio(self, address: str) -> None:
        self.override(address, "vfio-pci")
        if self.driver(address) is not None:
            self.unbind(address)
        self.probe(address)
        assert self.driver(address) == "vfio-pci"

    def give_back(self, address: str, driver: str | None) -> None:
        """Until it is so: just after an unbind a probe may still find the old driver leaving, and do nothing."""
        self.override(address, "")
        if self.driver(address) not in (driver, None):
            self.unbind(address)

        def is_back() -> bool:
            if self.driver(address) is None:
                self.probe(address)
            return self.driver(address) == driver

        wait_for(is_back)

    @contextmanager
    def recording(self) -> Iterator[Recorder]:
        recorder = Recorder()
        stop = self.world.subscribe(recorder.uevents.append)
        try:
            yield recorder
        finally:
            stop()

    @contextmanager
    def held(self, *addresses: str) -> Iterator[None]:
        """A virtual machine has the devices."""
        for address in addresses:
            self.world.hold(address)
        try:
            yield
        finally:
            for address in addresses:
                self.world.release(address)

    def _target(self, link: Path) -> str | None:
        try:
            return link.readlink().name
        except FileNotFoundError:
            return None
