"""Scans that come by themselves: at once, after hints, and after a while."""

from __future__ import annotations

import errno
import os

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import anyio
import pytest

from anyio import Condition, Event, create_task_group, current_time, fail_after
from structlog.testing import capture_logs

from pcidevices.adapters.sysfs.hardware import SysfsHardware
from pcidevices.adapters.sysfs.pciids import PciIds
from pcidevices.domain.device import PciDevice, Scan
from pcidevices.errors import SysfsUnreadable
from pcidevices.runtime.debounce import Debounce
from tests.support.holding import CannotHold, held
from tests.support.sysfs_tree import GPU, NIC, NVME, SysfsTree


ADDRESS = "0000:04:00.0"
WITH_SERIAL = replace(NIC, attributes={"serial_number": "00-1b-21\n"})


class Watching:
    """All scans so far."""

    def __init__(self, hints: Debounce) -> None:
        self.hint = hints.hint
        self.scans: list[Scan] = []
        self._came = Condition()

    async def until(self, true: Callable[[Scan], bool], *, at_least: int = 1, within: float = 10.0) -> Scan:
        """Wait for a scan that is so."""
        with fail_after(within):
            async with self._came:
                while len(self.scans) < at_least or not true(self.scans[-1]):
                    await self._came.wait()
                return self.scans[-1]

    async def number(self, count: int) -> Scan:
        """Wait for the *count*-th scan."""
        return await self.until(lambda _: True, at_least=count)

    async def read(self, hardware: SysfsHardware) -> None:
        async for scan in hardware.scans():
            async with self._came:
                self.scans.append(scan)
                self._came.notify_all()


@asynccontextmanager
async def watching(tree: SysfsTree, *, pci_ids: Path | None = None, resync: float = 600) -> AsyncIterator[Watching]:
    hints = Debounce(quiet=0.05, limit=0.3)
    hardware = SysfsHardware(tree.root, pci_ids=PciIds(pci_ids), hints=hints, resync=resync)
    watched = Watching(hints)
    async with create_task_group() as tg:
        tg.start_soon(watched.read, hardware)
        try:
            yield watched
        finally:
            tg.cancel_scope.cancel()


def serials(scan: Scan) -> list[str | None]:
    return [device.serial for device in scan.devices]


def only(scan: Scan) -> PciDevice:
    (device,) = scan.devices
    return device


async def test_the_first_scan_comes_at_once(tree: SysfsTree) -> None:
    tree.plug(ADDRESS)
    async with watching(tree) as watched:
        assert str(only(await watched.number(1)).address) == ADDRESS


async def test_a_hint_asks_for_a_scan(tree: SysfsTree) -> None:
    async with watching(tree) as watched:
        await watched.number(1)
        tree.plug(ADDRESS)
        watched.hint("test")

        assert only(await watched.number(2)).driver is None


async def test_a_hint_that_comes_during_a_scan_asks_for_another(tree: SysfsTree) -> None:
    """What it hints at may have come too late for the one that is under way."""
    async with watching(tree) as watched:
        watched.hint("test")
        await watched.number(2)


async def test_a_burst_of_hints_costs_one_scan(tree: SysfsTree) -> None:
    async with watching(tree) as watched:
        await watched.number(1)
        for _ in range(1000):
            watched.hint("uevent")
            watched.hint("inotify")
        await watched.number(2)
        watched.hint("the next burst")
        await watched.number(3)

        assert len(watched.scans) == 3


async def test_hints_that_never_stop_do_not_keep_a_scan_from_coming(tree: SysfsTree) -> None:
    async with watching(tree) as watched, create_task_group() as tg:

        async def for_ever() -> None:
            while True:
                watched.hint("test")
                await anyio.sleep(0.01)  # waits: the rhythm of the example, faster than any pause that is looked for

        tg.start_soon(for_ever)
        await watched.number(3)
        tg.cancel_scope.cancel()


async def test_without_hints_a_scan_comes_after_a_while(tree: SysfsTree) -> None:
    async with watching(tree, resync=0.1) as watched:
        begun = current_time()
        await watched.number(4)

        assert current_time() - begun >= 0.25


async def test_names_come_with_each_scan(tree: SysfsTree, tmp_path: Path) -> None:
    (tmp_path / "pci.ids").write_text("10de  NVIDIA Corporation\n\t1c03  GP106\n8086  Intel Corporation\n")
    tree.plug(ADDRESS, GPU)
    async with watching(tree, pci_ids=tmp_path / "pci.ids") as watched:
        assert only(await watched.number(1)).names[:2] == ("NVIDIA Corporation", "GP106")
        tree.plug("0000:05:00.0", NIC)
        watched.hint("test")
        scan = await watched.number(2)

        assert [device.names.vendor for device in scan.devices] == ["NVIDIA Corporation", "Intel Corporation"]


async def test_serial_numbers_come_with_the_first_scan(tree: SysfsTree) -> None:
    for slot in range(32):
        tree.plug(f"0000:04:{slot:02x}.0", WITH_SERIAL)
    async with watching(tree) as watched:
        assert serials(await watched.number(1)) == ["00-1b-21"] * 32


async def test_a_serial_number_is_kept_when_the_driver_that_told_it_is_gone(tree: SysfsTree) -> None:
    folder = tree.plug(ADDRESS, NVME, driver="nvme")
    tree.nvme(ADDRESS, "nvme0", serial="S4EUNJ0N123456")
    async with watching(tree) as watched:
        await watched.number(1)
        tree.bind(ADDRESS, "vfio-pci")
        (folder / "nvme").rename(folder.parent / "gone")
        watched.hint("test")
        scan = await watched.number(2)

        assert (only(scan).driver, serials(scan)) == ("vfio-pci", ["S4EUNJ0N123456"])


async def test_another_card_in_the_same_slot_has_its_own_serial_number_or_none(tree: SysfsTree) -> None:
    tree.plug(ADDRESS, WITH_SERIAL)
    async with watching(tree) as watched:
        await watched.number(1)
        tree.unplug(ADDRESS)
        tree.plug(ADDRESS, replace(WITH_SERIAL, attributes={"serial_number": "another\n"}))
        watched.hint("test")
        assert serials(await watched.number(2)) == ["another"]

        tree.unplug(ADDRESS)
        tree.plug(ADDRESS, NIC)
        watched.hint("test")
        assert serials(await watched.number(3)) == [None]


async def test_a_device_that_does_not_tell_its_serial_number_holds_nobody_up(tree: SysfsTree) -> None:
    """It is published without, and once it answers it is published with."""
    for slot in range(4):
        tree.plug(f"0000:04:{slot:02x}.0", WITH_SERIAL)
    hanging = tree["0000:04:01.0"] / "serial_number"
    with capture_logs() as logs:
        async with watching(tree) as watched:
            try:
                with held(hanging):
                    assert serials(await watched.until(lambda _: True, within=0.9))[0] == "00-1b-21"
                    await watched.until(lambda scan: serials(scan) == ["00-1b-21", None, "00-1b-21", "00-1b-21"])
                    await watched.until(lambda _: any(log["event"] == "device.silent" for log in logs))
            except CannotHold as error:
                pytest.skip(f"nothing hangs here: {error}")
            await watched.until(lambda scan: serials(scan) == ["00-1b-21"] * 4)

    (silent,) = (log for log in logs if log["event"] == "device.silent")
    assert silent["addresses"] == ["0000:04:01.0"]


async def test_a_bus_that_goes_away_ends_the_scans(tree: SysfsTree) -> None:
    """A blind agent is worse than none."""
    hints = Debounce(quiet=0.01, limit=0.1)
    scans = SysfsHardware(tree.root, pci_ids=PciIds(None), hints=hints, resync=600).scans()
    await anext(scans)
    tree.bus.rmdir()
    hints.hint("test")

    with fail_after(20), pytest.raises(SysfsUnreadable):
        await anext(scans)


async def test_while_there_is_nothing_left_to_look_with_the_last_scan_holds(
    tree: SysfsTree, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The agent goes on: everything that it offers would be gone with it. However long ago that scan was."""
    hints = Debounce(quiet=0.01, limit=0.1)
    hardware = SysfsHardware(tree.root, pci_ids=PciIds(None), hints=hints, resync=600, longest_blindness=0.0)
    scans = hardware.scans()
    before = await anext(scans)
    really, failed = os.listdir, Event()

    def nothing_left(path: Any = ".") -> list[str]:
        if isinstance(path, int) and not failed.is_set():
            failed.set()
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
        return really(path)

    monkeypatch.setattr(os, "listdir", nothing_left)
    hints.hint("test")
    with fail_after(20), capture_logs() as logs:
        after = await anext(scans)

    assert after == before
    assert [log["reason"] for log in logs if log["event"] == "scan.failed"] == ["HostExhausted"]


async def test_a_tree_without_a_bus_gives_no_scan(tmp_path: Path) -> None:
    hardware = SysfsHardware(tmp_path, pci_ids=PciIds(None), hints=Debounce(quiet=0.01, limit=0.1), resync=600)

    with pytest.raises(SysfsUnreadable):
        await anext(hardware.scans())
