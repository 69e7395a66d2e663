"""The one way by which devices change: look, and take a step."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Self

import structlog

from anyio import CapacityLimiter, create_task_group, current_time

from pcidevices.domain.address import PciAddress
from pcidevices.domain.device import Unreadable
from pcidevices.domain.sight import Sight
from pcidevices.domain.steps import LoadModule, SetOverride, Step

from .modules import Modules
from .patience import Questions, in_a_thread
from .seeing import Places, override_of, see, together
from .slow import serial_of
from .stepwrites import DeviceStep, must_have, refusal, told, write_of
from .underway import WritesUnderWay
from .writers import ReadAndWrite


log = structlog.get_logger()

PATIENCE = 5.0
"""Seconds for one write. A host driver's probe takes less than one; what takes longer waits for somebody."""
LOOK_PATIENCE = 10.0
"""Seconds for a look at what the kernel tells at once: only a host that is short of processors needs them."""
SILENCE = 2.0
"""Seconds after which a device has not answered; on a host that was slow to tell the rest, twice what that took."""
_LOOKS_AT_ONCE = 4
_WRITES_AT_ONCE = 16


class SysfsControl:
    """
    Implements the port `Control` with sysfs, between entering and leaving it (``async with``).

    *kernel* reads and writes what may hang, *modules* loads drivers; nothing is changed in any other way.
    *on_return* is called for a device for which the kernel has answered after all, be it to a write or to a look.
    Leaving waits for nothing that hangs. *serial_of* reads the serial number of the device in a folder; it may hang.
    """

    def __init__(  # noqa: PLR0913  four folders, and what acts on them
        self,
        *,
        sysfs: Path,
        proc: Path,
        dev: Path,
        udev: Path,
        kernel: ReadAndWrite,
        modules: Modules,
        on_return: Callable[[PciAddress], object],
        patience: float = PATIENCE,
        look_patience: float = LOOK_PATIENCE,
        silence: float = SILENCE,
        serial_of: Callable[[Path], str | None] = serial_of,
    ) -> None:
        self._places = Places(sysfs=sysfs, proc=proc, dev=dev, udev=udev)
        self._kernel = kernel
        self._look_patience = look_patience
        self._silence = silence
        self._modules = modules
        self._tasks = create_task_group()
        self._under_way = WritesUnderWay(self._tasks, patience=patience, on_return=on_return)
        self._sights: Questions[PciAddress] = Questions(self._tasks, on_late=on_return)
        self._overrides: Questions[PciAddress] = Questions(self._tasks, on_late=on_return)
        # Apart: a dying device never tells its serial number, and that is no reason to leave it where it is.
        self._serials: Questions[PciAddress] = Questions(self._tasks, on_late=on_return)
        self._serial_of = serial_of
        # Threads that look at once only slow each other down, until the patience of some has gone.
        self._looks = CapacityLimiter(_LOOKS_AT_ONCE)
        self._writes = CapacityLimiter(_WRITES_AT_ONCE)

    async def __aenter__(self) -> Self:
        await self._tasks.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool | None:
        self._tasks.cancel_scope.cancel()
        return await self._tasks.__aexit__(kind, error, trace)

    async def look(self, address: PciAddress) -> Sight:
        async with self._looks:
            begun = current_time()
            home = self._places.home(address)
            override_in = self._overrides.ask(address, lambda: override_of(home, self._kernel.read))
            serial_in = self._serials.ask(address, lambda: in_a_thread(lambda: self._serial_in(home)))
            sight_in = self._sights.ask(address, lambda: in_a_thread(lambda: see(address, self._places, self._modules)))
            sight = await sight_in(self._look_patience)
            # What has never come says nothing of how slow the host is. Both waits count from the beginning.
            patience = self._silence if sight is None else max(self._silence, 2 * (current_time() - begun))
            override = await override_in(patience)
            answer = await serial_in(patience)
        is_silent = sight is None or override is None
        if sight is None:
            sight = Sight(address=address, device=Unreadable(str(address), "the kernel does not answer"))
        sight = together(sight, override, serial=answer[0] if answer else None)
        return replace(
            sight,
            is_silent=is_silent,
            serial_is_unanswered=answer is None,
            write_under_way=self._under_way.told(address),
        )

    def _serial_in(self, home: Path) -> tuple[str | None] | None:
        """What is answered; None when nothing is: a serial number that cannot be read is not that there is none."""
        try:
            return (self._serial_of(home),)
        except OSError as error:
            log.debug("serial.unread", address=home.name, error=str(error))
            return None

    async def take(self, step: Step) -> None:
        begun = current_time()
        if isinstance(step, LoadModule):
            await self._modules.load(step.name)
            log.debug("step.taken", step=told(step), seconds=round(current_time() - begun, 3))
        else:
            await self._do(step)
            seconds = round(current_time() - begun, 3)
            log.debug("step.taken", address=str(step.address), step=told(step), seconds=seconds)

    async def _do(self, step: DeviceStep) -> None:
        write = write_of(step)
        path = self._places.sysfs / write.file

        async def write_it() -> None:
            if isinstance(step, SetOverride):
                await in_a_thread(lambda: must_have(step.driver, write, self._places.sysfs))
            await self._kernel.write(path, write.text)

        async with self._writes:  # one that has been given up has left its place to another
            try:
                await self._under_way.do(write, write_it)
            except OSError as error:
                raise refusal(write, error, self._places.sysfs) from error
