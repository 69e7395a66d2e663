"""
Device plugins as a process of their own: ours, or those that one would write first with grpcio.

``python -m tests.bench.plugins ours|rival FOLDER PLUGINS DEVICES`` listens, and registers at the kubelet in FOLDER. For
each number that it reads the device of this number becomes the first plugin's only unhealthy one. In the end it says
when each of these changes began, and for how many seconds the processor had worked for it until then.
"""

from __future__ import annotations

import asyncio
import sys
import time

from collections.abc import Callable
from pathlib import Path

import anyio

from pcidevices import logs
from pcidevices.adapters.kubelet.lifetime import DevicePlugin
from pcidevices.domain.address import PciAddress
from pcidevices.domain.offer import Offer, OfferedDevice
from pcidevices.runtime.latest import Latest


def resource_of(number: int) -> str:
    """The name of a plugin's resource."""
    return f"example.com/nic-{number}"


def address_of(number: int) -> str:
    """The id of a device."""
    return f"0000:{number // 256:02x}:{number // 8 % 32:02x}.{number % 8}"


async def ours(folder: Path, plugins: int, devices: int) -> None:
    """As in the agent, log and all, with the offers made here."""
    logs.configure("info", "json")
    whole = tuple(
        OfferedDevice(address=PciAddress.parse(address_of(number)), numa_node=0, iommu_group=str(number))
        for number in range(devices)
    )
    offers = [Latest(Offer(resource_of(number), whole)) for number in range(plugins)]

    def change(number: int) -> None:
        """What does not change is the same object, as of `pcidevices.domain.advertise`, whose time is not counted."""
        gone = whole[number]._replace(unhealthy="it is gone")
        offers[0].set(Offer(resource_of(0), (*whole[:number], gone, *whole[number + 1 :])))

    async with anyio.create_task_group() as tg:
        for one in offers:
            tg.start_soon(DevicePlugin(one, folder=folder).run)
        await obey(change)
        tg.cancel_scope.cancel()


async def obey(change: Callable[[int], None]) -> None:
    """Change what is asked for, until the input is empty. Neither thread nor task reads it: they would count."""
    changes: list[tuple[float, float]] = []
    ended = anyio.Event()

    def read() -> None:
        if line := sys.stdin.readline().strip():
            changes.append((time.monotonic(), time.process_time()))
            change(int(line))
        else:
            loop.remove_reader(sys.stdin)
            ended.set()

    loop = asyncio.get_running_loop()
    loop.add_reader(sys.stdin, read)
    await ended.wait()
    for begun, cpu in changes:
        print(begun, cpu)


def main(kind: str, folder: str, plugins: str, devices: str) -> None:
    if kind == "ours":
        anyio.run(ours, Path(folder), int(plugins), int(devices))
    else:
        from tests.bench.rival import rivals  # noqa: PLC0415  its libraries are not to count as ours

        anyio.run(rivals, Path(folder), int(plugins), int(devices))


if __name__ == "__main__":
    main(*sys.argv[1:])
