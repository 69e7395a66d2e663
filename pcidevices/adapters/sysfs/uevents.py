"""Hints from the kernel's own announcements."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress

import structlog

from anyio import sleep

from pcidevices.runtime.bare import bare_package


bare_package("pyroute2")

from pyroute2.netlink.uevent import MONITOR_GROUP_KERNEL, AsyncUeventSocket  # noqa: E402  after the package is in place


log = structlog.get_logger()

SOURCE = "uevent"
GAP = "uevent gap"
POLL = "poll"

_PCI_SUBSYSTEMS = frozenset({"pci", "vfio-dev"})
# What hangs below a device; its own events tell of add and remove. `change` of a disk comes with
# every close after a write, and interfaces of containers come and go all day.
_BELOW_SUBSYSTEMS = frozenset({"net", "block", "nvme", "nvme-subsystem"})
_BELOW_ACTIONS = frozenset({"add", "remove", "move"})
_VIRTUAL = "/devices/virtual/"
_VIRTUAL_NVME = "/devices/virtual/nvme-subsystem/"
_POLL = 30.0


def concerns_pci(event: Mapping[str, str]) -> bool:
    """Whether a uevent may change what a scan sees (Documentation/ABI/stable/sysfs-uevent; lib/kobject_uevent.c)."""
    subsystem = event.get("SUBSYSTEM")
    if subsystem in _PCI_SUBSYSTEMS:
        return True
    path = event.get("DEVPATH", "")
    return (
        subsystem in _BELOW_SUBSYSTEMS
        and event.get("ACTION") in _BELOW_ACTIONS
        and (not path.startswith(_VIRTUAL) or path.startswith(_VIRTUAL_NVME))
    )


class Gaps:
    """
    Watches SEQNUM for events that never arrived.

    The kernel drops events without a word to this socket when its buffer is full. In a network namespace
    other than the host's, events of network interfaces do not arrive either: then a gap says little,
    and one look in *every* seconds has to do.
    """

    def __init__(self, every: float) -> None:
        self._every = every
        self._next: int | None = None
        self._quiet_until = float("-inf")

    def found(self, event: Mapping[str, str], now: float) -> bool:
        """Whether events are missing before this one, and that is worth a look now."""
        number = int(event.get("SEQNUM") or 0)
        missing = self._next is not None and number > self._next
        # Two processors may send in another order than they counted.
        self._next = max(self._next or 0, number + 1) if number else self._next
        if not missing or now < self._quiet_until:
            return False
        self._quiet_until = now + self._every
        return True


class Uevents:
    """Implements the port `HintSource` with NETLINK_KOBJECT_UEVENT; no privilege, but the host's user namespace."""

    def __init__(self, *, clock: Callable[[], float], gap_every: float = 10.0) -> None:
        self._clock = clock
        self._gap_every = gap_every

    async def run(self, hint: Callable[[str], None]) -> None:
        try:
            async with AsyncUeventSocket() as socket:
                await socket.bind(groups=MONITOR_GROUP_KERNEL)
                hint(SOURCE)  # whatever happened before the socket was there
                gaps = Gaps(self._gap_every)
                while True:
                    with suppress(UnicodeDecodeError):  # a name that is no text; its number is missing before the next
                        async for event in socket.get():
                            facts = {key: str(value) for key, value in event.items() if key != "header"}
                            if concerns_pci(facts):
                                log.debug("uevent.received", action=facts.get("ACTION"), path=facts.get("DEVPATH"))
                                hint(SOURCE)
                            # pyroute2 tells of an error (ENOBUFS: some were dropped) by an event without anything.
                            if "SEQNUM" not in facts or gaps.found(facts, self._clock()):
                                log.debug("uevent.missed", before=facts.get("SEQNUM"))
                                hint(GAP)
        except OSError as error:
            log.warning("uevents.unavailable", error=str(error), consequence=f"looking every {_POLL:.0f} s instead")
            while True:
                await sleep(_POLL)
                hint(POLL)
