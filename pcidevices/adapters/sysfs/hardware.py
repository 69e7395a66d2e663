"""The PCI functions of this node: a scan now, and another whenever something hints at a change."""

from __future__ import annotations

import random

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import structlog

from anyio import current_time, move_on_after, sleep

from pcidevices import metrics
from pcidevices.domain.address import PciAddress
from pcidevices.domain.device import Scan
from pcidevices.errors import HostExhausted
from pcidevices.runtime.debounce import Debounce
from pcidevices.runtime.expendable import Expendable
from pcidevices.runtime.pulse import Pulse
from pcidevices.runtime.threads import in_daemon_thread, on_the_loop

from .files import cannot_see
from .modules import Modules
from .pciids import PciIds
from .scan import Seen, nothing_known, scan
from .slow import serial_if_told
from .vfiodrivers import vfio_modules_of


log = structlog.get_logger()

QUIET = 0.08
"""Seconds without a hint that end a burst."""
LONGEST_BURST = 1.0
_SLOW_TIMEOUT = 1.0
_SLOW_BUDGET = 0.25
_OVERDUE = 30.0
_ONCE_MORE = 1.0
LONGEST_BLINDNESS = 60.0
"""Seconds to try again where the host has nothing left to look with; a blind agent is worse than none."""
LONGEST_SCAN = 60.0
"""Seconds. It takes some milliseconds, and reads what the kernel has at hand; what takes longer hangs."""


class _Life(NamedTuple):
    """One device from plug to unplug, with one driver: its slow attributes are asked for once."""

    address: PciAddress
    inode: int
    driver: str | None


class SysfsHardware:
    """
    Implements the port `Hardware` for the tree below *sysfs*.

    A scan is one call in a worker thread. The slow attributes are read beside it, once in each
    device's life: a device that does not answer is published without them, and costs nobody else
    anything. *resync* is the longest time, in seconds, without a look. *pulse* tells when a look does not return.
    *modules* tell which drivers are VFIO's where their names do not.
    """

    def __init__(  # noqa: PLR0913  what it looks at, and three patiences
        self,
        sysfs: Path,
        *,
        pci_ids: PciIds,
        hints: Debounce,
        resync: float,
        modules: Modules | None = None,
        pulse: Pulse | None = None,
        longest_scan: float = LONGEST_SCAN,
        longest_blindness: float = LONGEST_BLINDNESS,
    ) -> None:
        self._sysfs = sysfs
        self._pci_ids = pci_ids
        self._hints = hints
        self._resync = resync
        self._modules = modules
        self._pulse = pulse or Pulse()
        self._longest_scan = longest_scan
        self._longest_blindness = longest_blindness
        self._serials: dict[tuple[PciAddress, int], str] = {}

    async def scans(self) -> AsyncIterator[Scan]:
        late = on_the_loop(lambda: self._hints.hint("late attribute"))
        slow = Expendable(self._serial, timeout=_SLOW_TIMEOUT, on_late=late)
        blind_since: float | None = None
        while True:
            self._pulse.expect("the end of a scan", within=self._longest_scan)
            begun = current_time()
            try:
                with metrics.SCAN_SECONDS.time():
                    seen = await in_daemon_thread(self.look, overdue=_OVERDUE, tell_overdue=_tell_overdue)
            except HostExhausted as error:  # what was seen before is better than what can be seen now
                blind_since = begun if blind_since is None else blind_since
                if begun - blind_since > self._longest_blindness:
                    raise
                log.warning("scan.failed", reason=error.reason, error=str(error))
                await sleep(_ONCE_MORE)
                continue
            blind_since = None
            lives = [_Life(d.address, seen.lives[d.address], d.driver) for d in seen.scan.devices]
            slow.ask(lives)
            await slow.settle(_SLOW_BUDGET)
            if slow.stuck:
                log.warning("device.silent", addresses=sorted(str(life.address) for life in slow.stuck))
            yield replace(self._with_serials(seen, slow.results), begun=begun)
            # The resync is spread: the nodes of a cluster need not all look at the same moment.
            pause = _SLOW_TIMEOUT if slow.busy else self._resync * random.uniform(0.9, 1.1)  # noqa: S311  no secret
            hints: dict[str, int] = {"resync": 1}
            self._pulse.expect("the next scan", within=pause + self._longest_scan)
            with move_on_after(pause):
                hints = await self._hints.wait()
            log.debug("scan.due", hints=hints)
            for source, count in hints.items():
                metrics.HINTS.labels(source).inc(count)

    def look(self) -> Seen:
        """One scan with names. Blocking; raises SysfsUnreadable, or HostExhausted."""
        try:
            known = nothing_known if self._modules is None else vfio_modules_of(self._sysfs, self._modules)
            return scan(self._sysfs, known, names=self._pci_ids.names_of)
        except OSError as error:
            raise cannot_see(f"cannot look around in {self._sysfs}", error, unless="is it a sysfs?") from error

    def _serial(self, life: _Life) -> str | None:
        return serial_if_told(self._sysfs / f"bus/pci/devices/{life.address}")

    def _with_serials(self, seen: Seen, found: dict[_Life, str | None]) -> Scan:
        # A serial stays known when the driver that told it has gone.
        self._serials = {key: serial for key, serial in self._serials.items() if seen.lives.get(key[0]) == key[1]} | {
            (life.address, life.inode): serial for life, serial in found.items() if serial
        }
        devices = tuple(
            replace(d, serial=serial) if (serial := self._serials.get((d.address, seen.lives[d.address]))) else d
            for d in seen.scan.devices
        )
        return Scan(devices, seen.scan.unreadable)


def _tell_overdue(seconds: float) -> None:
    log.error("scan.overdue", seconds=seconds, consequence="changes of the hardware are not seen")
