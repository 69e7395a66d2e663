"""The agent's own hands and eyes, on the machine of the suite: looks, steps, and steps that hang."""

from __future__ import annotations

import signal
import subprocess
import sys
import time

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from anyio import Event, create_task_group, fail_after, lowlevel, to_thread

from pcidevices.adapters.sysfs.control import SysfsControl
from pcidevices.adapters.sysfs.modules import KernelModules, Modules
from pcidevices.adapters.sysfs.scan import scan
from pcidevices.adapters.sysfs.writers import in_processes, in_threads
from pcidevices.cli.simulation import SimulatedModules
from pcidevices.domain.address import PciAddress
from pcidevices.domain.device import PciDevice
from pcidevices.domain.sight import Sight
from pcidevices.domain.steps import Bind, ClearOverride, LoadModule, Probe, SetOverride, Step, Unbind
from pcidevices.errors import DriverMissing, SysfsWriteFailed, WriteTimedOut
from tests.contract.sysfs.world import PATIENCE, Background, Bus, World, wait_for


NIC, TWIN, DISK = "0000:00:03.0", "0000:00:04.0", "0000:00:08.0"
GPU, AUDIO = "0000:07:00.0", "0000:07:00.1"
BRIDGE, OLD_NIC, OLD_EDU, EDU, PORT = "0000:00:06.0", "0000:01:01.0", "0000:01:02.0", "0000:00:0e.0", "0000:00:14.0"
IGB = "0000:04:00.0"
NOWHERE = "0000:7f:00.0"
VFIO = "vfio-pci"
HERE = Path(__file__).parent


class Returned:
    """The devices for which the kernel has answered after all."""

    def __init__(self) -> None:
        self.addresses: list[str] = []
        self._any = Event()

    def note(self, address: PciAddress) -> None:
        self.addresses.append(str(address))
        self._any.set()

    async def wait(self) -> None:
        with fail_after(PATIENCE):
            await self._any.wait()


class Scene:
    """The control of a world, in the words of the tests."""

    def __init__(self, control: SysfsControl, returned: Returned) -> None:
        self._control = control
        self.returned = returned

    async def look(self, address: str) -> Sight:
        with fail_after(PATIENCE):
            return await self._control.look(at(address))

    async def answered(self, address: str) -> Sight:
        """The first look that the kernel answers: a read that waited for a write returns after that."""
        with fail_after(PATIENCE):
            while (sight := await self._control.look(at(address))).is_silent:
                await lowlevel.checkpoint()
        return sight

    async def take(self, *steps: Step) -> None:
        with fail_after(PATIENCE):
            for step in steps:
                await self._control.take(step)

    async def to_vfio(self, address: str, driver: str | None) -> None:
        where = at(address)
        unbind = (Unbind(where, driver),) if driver else ()
        await self.take(SetOverride(where, VFIO), *unbind, Bind(where, VFIO), ClearOverride(where))

    async def back(self, address: str, driver: str) -> None:
        await self.take(Unbind(at(address), VFIO), Bind(at(address), driver))

    async def driver(self, address: str) -> str | None:
        device = (await self.look(address)).device
        assert isinstance(device, PciDevice)
        return device.driver


def at(address: str) -> PciAddress:
    return PciAddress.parse(address)


def is_real(world: World) -> bool:
    return world.sysfs == Path("/sys")


@asynccontextmanager
async def controlling(world: World, *, patience: float = PATIENCE / 2) -> AsyncIterator[Scene]:
    modules: Modules = KernelModules(Path("/lib/modules")) if is_real(world) else SimulatedModules(world.load)
    returned = Returned()
    async with (
        in_processes() as in_others,
        SysfsControl(
            sysfs=world.sysfs,
            proc=world.proc,
            dev=world.dev,
            udev=world.udev,
            kernel=in_others if is_real(world) else in_threads(world.write),
            modules=modules,
            on_return=returned.note,
            patience=patience,
        ) as control,
    ):
        yield Scene(control, returned)


@contextmanager
def held_by_another_process(address: str) -> Iterator[int]:
    """Its process id."""
    program = (
        "import sys; from tests.contract.sysfs.vfio import VfioUser; user = VfioUser(sys.argv[1]); "
        "print(flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", program, address]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=HERE.parents[2]) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"\n"
        yield process.pid
        process.communicate()


async def test_every_device_is_seen_as_a_scan_sees_it(bus: Bus) -> None:
    """With its group and all; idle, nobody has one open, although a bridge is enabled for those below it."""
    devices = scan(bus.world.sysfs).scan.devices
    async with controlling(bus.world) as scene:
        for device in devices:
            sight = await scene.look(str(device.address))

            others = {str(one.address) for one in sight.others if isinstance(one, PciDevice)}
            assert isinstance(sight.device, PciDevice)
            assert replace(sight.device, serial=None) == device
            assert others == {str(one) for one in device.iommu_group_members} - {str(device.address)}
            assert (sight.override, sight.holders, sight.is_silent, sight.write_under_way) == (None, (), False, None)


async def test_a_look_tells_what_the_kernel_has_for_the_device(bus: Bus) -> None:
    async with controlling(bus.world) as scene:
        sight = await scene.look(NIC)

    assert sight.modalias == bus.read(NIC, "modalias")
    assert (sight.vfio.module, sight.vfio.name) == ("vfio_pci", VFIO)
    assert sight.vfio_drivers == {VFIO}
    assert {VFIO, "e1000e", "nvme", "pcieport"} <= sight.drivers


async def test_a_disk_tells_its_serial_number_while_its_driver_has_it(bus: Bus) -> None:
    async with controlling(bus.world) as scene:
        disk = (await scene.look(DISK)).device
        await scene.to_vfio(DISK, "nvme")
        given = (await scene.look(DISK)).device

    assert isinstance(disk, PciDevice)
    assert isinstance(given, PciDevice)
    assert disk.serial
    assert given.serial is None


async def test_a_function_is_seen_with_its_virtual_ones(bus: Bus) -> None:
    bus.set(IGB, "sriov_numvfs", "2")
    async with controlling(bus.world) as scene:
        functions = (await scene.look(IGB)).virtual_functions

    seen = [str(one.address) for one in functions if isinstance(one, PciDevice)]
    assert seen == ["0000:04:10.0", "0000:04:10.2"]


async def test_where_there_is_nothing_nothing_is_seen(bus: Bus) -> None:
    async with controlling(bus.world) as scene:
        sight = await scene.look(NOWHERE)

    assert (sight.device, sight.others, sight.override, sight.is_silent) == (None, (), None, False)


@pytest.mark.parametrize("addresses", [(TWIN,), (DISK,), (GPU, AUDIO), (OLD_NIC,)])
async def test_steps_take_a_device_to_vfio_and_back(bus: Bus, addresses: tuple[str, ...]) -> None:
    """On vfio-pci nobody has it, and no override is left: a device that is plugged again is the host's."""
    drivers = {address: bus.driver(address) or "" for address in addresses}
    async with controlling(bus.world) as scene:
        for address in addresses:
            await scene.to_vfio(address, drivers[address])
        for address in addresses:
            sight = await scene.look(address)
            assert isinstance(sight.device, PciDevice)
            assert (sight.device.driver, sight.override, sight.holders) == (VFIO, None, ())
            assert sight.device in scan(bus.world.sysfs).scan.devices

        for address in addresses:
            await scene.back(address, drivers[address])

        assert {address: await scene.driver(address) for address in addresses} == drivers


async def test_a_probe_gives_a_device_back_as_well(bus: Bus) -> None:
    async with controlling(bus.world) as scene:
        await scene.to_vfio(NIC, "e1000e")
        await scene.take(Unbind(at(NIC), VFIO))

        async def is_back() -> bool:
            await scene.take(Probe(at(NIC)))
            return await scene.driver(NIC) == "e1000e"

        with fail_after(PATIENCE):
            while not await is_back():  # just after an unbind a probe may find the old driver leaving
                pass


async def test_an_override_is_told_and_moves_nothing(bus: Bus) -> None:
    async with controlling(bus.world) as scene:
        await scene.take(SetOverride(at(NIC), VFIO))
        sight = await scene.look(NIC)
        await scene.take(ClearOverride(at(NIC)))

        assert sight.override == VFIO
        assert await scene.driver(NIC) == "e1000e"
        assert (await scene.look(NIC)).override is None


async def test_many_devices_go_at_once(bus: Bus) -> None:
    drivers = {address: bus.driver(address) for address in (NIC, TWIN, DISK, GPU, AUDIO, EDU)}
    async with controlling(bus.world) as scene:
        async with create_task_group() as tg:
            for address, driver in drivers.items():
                tg.start_soon(scene.to_vfio, address, driver)

        assert {await scene.driver(address) for address in drivers} == {VFIO}


@pytest.mark.parametrize(
    ("step", "answer"),
    [
        (Bind(at(EDU), "nvme"), "ENODEV"),
        (Bind(at(EDU), VFIO), "ENODEV"),
        (Bind(at(NIC), "e1000e"), "EBUSY"),
        (Unbind(at(NIC), "nvme"), "ENODEV"),
        (Unbind(at(EDU), VFIO), "ENODEV"),
        (Bind(at(NOWHERE), "e1000e"), "ENODEV"),
        (Unbind(at(NOWHERE), "e1000e"), "ENODEV"),
        (Probe(at(NOWHERE)), "ENODEV"),
        (SetOverride(at(NOWHERE), VFIO), "ENOENT"),
    ],
    ids=repr,
)
async def test_what_the_kernel_refuses_is_told(bus: Bus, step: Step, answer: str) -> None:
    async with controlling(bus.world) as scene:
        with pytest.raises(SysfsWriteFailed, match=f"answers {answer} to"):
            await scene.take(step)

    assert bus.driver(NIC) == "e1000e"


@pytest.mark.parametrize(("driver", "error"), [("no-such-driver", DriverMissing), ("x" * 256, SysfsWriteFailed)])
async def test_an_override_to_a_driver_that_is_not_there_is_refused(
    bus: Bus, driver: str, error: type[Exception]
) -> None:
    async with controlling(bus.world) as scene:
        with pytest.raises(error):
            await scene.take(SetOverride(at(NIC), driver))

        assert (await scene.look(NIC)).override is None


async def test_a_bridge_cannot_be_given_to_vfio(bus: Bus) -> None:
    """The kernel says so when its own driver has left already."""
    async with controlling(bus.world) as scene:
        await scene.take(SetOverride(at(BRIDGE), VFIO))

        with pytest.raises(SysfsWriteFailed, match="answers EINVAL to"):
            await scene.take(Bind(at(BRIDGE), VFIO))


@pytest.mark.parametrize("kind", [Bind, Unbind])
async def test_a_driver_that_the_kernel_has_not_is_missing(bus: Bus, kind: type[Bind | Unbind]) -> None:
    async with controlling(bus.world) as scene:
        with pytest.raises(DriverMissing):
            await scene.take(kind(at(EDU), "no-such-driver"))


async def test_a_module_is_loaded_and_brings_its_driver(bus: Bus) -> None:
    bus.world.unload(VFIO)
    async with controlling(bus.world) as scene:
        before = await scene.look(NIC)
        await scene.take(LoadModule(before.vfio.module), LoadModule(before.vfio.module))
        after = await scene.look(NIC)

    assert (before.vfio.name, before.vfio_drivers) == (None, frozenset())
    assert (after.vfio.name, after.vfio_drivers) == (VFIO, frozenset({VFIO}))


async def test_what_a_device_asks_for_is_loaded_by_its_modalias(bus: Bus) -> None:
    async with controlling(bus.world) as scene:
        await scene.take(LoadModule((await scene.look(NIC)).modalias))


async def test_a_module_that_the_host_has_not_is_missing(bus: Bus) -> None:
    async with controlling(bus.world) as scene:
        with pytest.raises(DriverMissing, match="no_such_module"):
            await scene.take(LoadModule("no_such_module"))


async def test_a_device_that_is_held_has_a_holder(bus: Bus) -> None:
    """Its sibling says so too, since they go to one machine."""
    for address in (GPU, AUDIO):
        bus.to_vfio(address)
    async with controlling(bus.world) as scene:
        with bus.held(GPU):
            of_both = [{str(one.address) for one in (await scene.look(each)).holders} for each in (GPU, AUDIO)]
        free = [(await scene.look(each)).holders for each in (GPU, AUDIO)]

    assert of_both == [{GPU}, {GPU}]
    assert free == [(), ()]


async def test_a_device_that_its_host_driver_has_left_enabled_has_no_holder(bus: Bus) -> None:
    """Neither without driver nor on vfio-pci, until somebody opens it. (Drivers such as i915 leave devices so.)"""
    bus.unbind(NIC)
    bus.set(NIC, "enable", "1")
    async with controlling(bus.world) as scene:
        without_driver = (await scene.look(NIC)).holders
        bus.to_vfio(NIC)
        idle = bus.read(NIC, "enable"), (await scene.look(NIC)).holders
        with bus.held(NIC):
            held = [holder.address for holder in (await scene.look(NIC)).holders if holder.address]
        bus.unbind(NIC)
        bus.set(NIC, "enable", "0")

    assert without_driver == ()
    assert idle == ("1", ())
    assert held == [at(NIC)]


async def test_the_process_that_has_the_group_open_is_named(bus: Bus) -> None:
    if not is_real(bus.world):
        pytest.skip("a simulated virtual machine is no process")
    bus.to_vfio(NIC)
    async with controlling(bus.world) as scene:
        with held_by_another_process(NIC) as pid:
            sight = await scene.look(NIC)

    assert [holder.address for holder in sight.holders] == [at(NIC), None]
    assert sight.holders[1].text.startswith(f"process {pid} (python")


async def test_an_unbind_that_hangs_is_left_alone_and_told(bus: Bus) -> None:
    """Until it returns nothing else is written for the device: it would wait in the kernel, and be done later."""
    bus.to_vfio(NIC)
    bus.override(NIC, "")
    async with controlling(bus.world, patience=3 * bus.world.moment) as scene:
        with bus.held(NIC):
            with pytest.raises(WriteTimedOut, match="unbind from vfio-pci;"):
                await scene.take(Unbind(at(NIC), VFIO))
            sight = await scene.look(NIC)
            begun = time.monotonic()
            for step in (
                SetOverride(at(NIC), VFIO),
                ClearOverride(at(NIC)),
                Unbind(at(NIC), VFIO),
                Bind(at(NIC), VFIO),
                Probe(at(NIC)),
            ):
                with pytest.raises(WriteTimedOut):
                    await scene.take(step)
            refused_in = time.monotonic() - begun
            bus.world.release(NIC)
            await scene.returned.wait()
        after = await scene.answered(NIC)

    assert sight.write_under_way == "unbind from vfio-pci"
    assert [str(holder.address) for holder in sight.holders] == [NIC]
    assert isinstance(sight.device, PciDevice)
    assert sight.device.driver is None
    assert sight.is_silent == (is_real(bus.world) and bus.world.is_6_1)
    assert refused_in < 3 * bus.world.moment
    assert set(scene.returned.addresses) == {NIC}
    assert isinstance(after.device, PciDevice)
    assert (after.device.driver, after.write_under_way, after.holders) == (None, None, ())
    assert (after.override, after.is_silent) == (None, False)


async def test_other_devices_are_moved_and_seen_meanwhile(bus: Bus) -> None:
    bus.to_vfio(NIC)
    async with controlling(bus.world) as scene:
        with bus.held(NIC):
            async with controlling(bus.world, patience=3 * bus.world.moment) as hasty:
                with pytest.raises(WriteTimedOut):
                    await hasty.take(Unbind(at(NIC), VFIO))
                await scene.to_vfio(TWIN, "e1000e")
                on_vfio = await scene.driver(TWIN)
                await scene.back(TWIN, "e1000e")
                bus.world.release(NIC)
                await hasty.returned.wait()

        assert (on_vfio, await scene.driver(TWIN)) == (VFIO, "e1000e")


async def test_an_unbind_by_somebody_else_that_hangs_shows(bus: Bus) -> None:
    """6.1 does not answer for such a device; on 6.12 it seems to be without driver, but is enabled."""
    bus.to_vfio(NIC)
    async with controlling(bus.world) as scene:
        with bus.held(NIC):
            unbind = Background(lambda: bus.unbind(NIC))
            wait_for(lambda: bus.driver(NIC) is None)
            sights = [await scene.look(NIC) for _ in range(3)]
            bus.world.release(NIC)
            await to_thread.run_sync(unbind.join)
        is_silent = is_real(bus.world) and bus.world.is_6_1
        if is_silent:
            await scene.returned.wait()
        after = await scene.look(NIC)

    assert [[str(holder.address) for holder in sight.holders] for sight in sights] == [[NIC]] * 3
    assert [sight.is_silent for sight in sights] == [is_silent] * 3
    assert (after.is_silent, after.holders) == (False, ())


def test_a_process_whose_write_hangs_ends_when_it_is_told_to(bus: Bus) -> None:
    """No signal ends a process that sleeps in an unbind, so that must be another one, also for the look after it."""
    if not is_real(bus.world):
        pytest.skip("a simulated write sleeps in a thread that can be left")
    bus.to_vfio(NIC)
    with bus.held(NIC):
        child = subprocess.Popen([sys.executable, HERE / "unbinds.py", NIC], stdout=subprocess.PIPE, text=True)
        assert child.stdout is not None
        line = child.stdout.readline()
        begun = time.monotonic()
        child.send_signal(signal.SIGTERM)
        status = child.wait(PATIENCE)
        lasted = time.monotonic() - begun
        child.stdout.close()
        still_held = bus.read(NIC, "enable")

    wait_for(lambda: not (bus.device(NIC) / "vfio-dev").exists())
    assert (line, status, still_held) == ("WriteTimedOut\n", 0, "1")
    assert lasted < 5
    assert bus.driver(NIC) is None
