"""Writes that have not returned: never more than one for a device."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import structlog

from anyio.abc import TaskGroup

from pcidevices import metrics
from pcidevices.domain.address import PciAddress
from pcidevices.errors import HostExhausted, WriteTimedOut

from .patience import Call, Unanswered
from .stepwrites import StepWrite


log = structlog.get_logger()


class WritesUnderWay:
    """
    Does one write at a time for each device: a second one would wait in the kernel, and be done whenever it can be.

    *tasks* must live as long as writes may. *on_return* is called for a device whose write returned at last.
    """

    def __init__(self, tasks: TaskGroup, *, patience: float, on_return: Callable[[PciAddress], object]) -> None:
        self._tasks = tasks
        self._patience = patience
        self._on_return = on_return
        self._writes: dict[PciAddress, tuple[StepWrite, Call[None]]] = {}

    def told(self, address: PciAddress) -> str | None:
        """
        The write for the device that has not returned, for a person.

        Not for how long: what is told with every look, and is different each time, would be written each time.
        """
        return str(self._writes[address][0]) if address in self._writes else None

    async def do(self, write: StepWrite, write_it: Callable[[], Awaitable[None]]) -> None:
        """
        Call *write_it*, and return or raise what it does.

        Raises:
            WriteTimedOut: it has not returned in time; or another one for the same device has not, and then
                nothing was written.
        """
        address = write.address
        if address in self._writes:
            raise self._timed_out(address)

        async def until_returned() -> None:
            try:
                await write_it()
            finally:
                del self._writes[address]
                metrics.HUNG_WRITES.remove(str(address))

        call = Call(self._tasks, until_returned, on_late=lambda: self._returned(write, call))
        self._writes[address] = write, call
        try:
            await call.result(within=self._patience)
            _count(write, call, "done")
        except (OSError, HostExhausted):
            _count(write, call, "refused")
            raise
        except Unanswered:
            _count(write, call, "overdue")
            metrics.HUNG_WRITES.labels(str(address)).set(1)
            log.warning("step.overdue", address=str(address), step=str(write), seconds=self._patience)
            raise self._timed_out(address) from None

    def _timed_out(self, address: PciAddress) -> WriteTimedOut:
        return WriteTimedOut(
            f"{address}: has not returned: {self.told(address)}; the kernel waits until nobody uses the device: "
            "end the virtual machine, or the program, that has it"
        )

    def _returned(self, write: StepWrite, call: Call[None]) -> None:
        seconds, error = round(call.seconds, 1), str(call.error or "")
        log.info("step.returned", address=str(write.address), step=str(write), seconds=seconds, error=error)
        self._on_return(write.address)


def _count(write: StepWrite, call: Call[None], outcome: str) -> None:
    metrics.WRITE_SECONDS.labels(type(write.step).__name__, outcome).observe(call.seconds)
