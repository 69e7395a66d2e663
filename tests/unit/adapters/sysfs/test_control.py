"""Steps and looks over plain files, among them FIFOs that hang as the kernel does."""

from __future__ import annotations

import errno
import os

from pathlib import Path

import pytest

from anyio import create_task_group, sleep, wait_all_tasks_blocked
from anyio.lowlevel import checkpoint
from structlog.testing import capture_logs

from pcidevices.adapters.sysfs.control import SysfsControl
from pcidevices.adapters.sysfs.writers import in_threads
from pcidevices.domain.address import PciAddress
from pcidevices.domain.sight import Sight
from pcidevices.domain.steps import Bind, ClearOverride, LoadModule, Probe, SetOverride, Unbind
from pcidevices.errors import DriverMissing, SysfsWriteFailed, WriteTimedOut
from tests.support.sysfs_tree import SysfsTree
from tests.unit.adapters.sysfs.scene import LOOK_PATIENCE, A, B, Scene


@pytest.fixture
def scene(tree: SysfsTree) -> Scene:
    return Scene(tree)


async def test_a_step_is_written_and_logged(scene: Scene) -> None:
    with capture_logs() as logs:
        async with scene.control() as control:
            await control.take(Bind(A, "e1000e"))
            await control.take(LoadModule("vfio_pci"))

    assert scene.kernel.written == [("bind", str(A))]
    assert [(told["event"], told.get("address"), told["step"]) for told in logs] == [
        ("step.taken", str(A), "bind to e1000e"),
        ("step.taken", None, "load vfio_pci"),
    ]


async def test_a_refusal_is_told_with_its_meaning(scene: Scene) -> None:
    scene.kernel.error = OSError(16, "Device or resource busy")
    async with scene.control() as control:
        with pytest.raises(SysfsWriteFailed, match="EBUSY"):
            await control.take(Bind(A, "e1000e"))


async def test_a_driver_that_is_not_there_is_missing(tree: SysfsTree, scene: Scene) -> None:
    scene.kernel.error = FileNotFoundError(2, "No such file or directory")
    async with scene.control() as control:
        with pytest.raises(DriverMissing, match=str(tree.root / "bus/pci/drivers/vfio-pci/unbind")):
            await control.take(Unbind(A, "vfio-pci"))


async def test_an_override_to_a_driver_that_is_not_there_is_not_written(scene: Scene) -> None:
    """The kernel would take it, and the device could not go to any driver."""
    async with scene.control() as control:
        with pytest.raises(DriverMissing, match="cannot set the driver override mlx5_vfio_pci"):
            await control.take(SetOverride(A, "mlx5_vfio_pci"))

    assert scene.kernel.written == []


async def test_a_name_that_leads_elsewhere_is_not_written(scene: Scene) -> None:
    async with scene.control() as control:
        with pytest.raises(SysfsWriteFailed):
            await control.take(Bind(A, "../../../../etc"))

    assert scene.kernel.written == []


async def test_after_a_step_that_hangs_no_other_is_written_for_the_device(scene: Scene) -> None:
    scene.kernel.hangs_for = {A}
    with capture_logs() as logs:
        async with scene.control() as control:
            for step in (Unbind(A, "e1000e"), SetOverride(A, "vfio-pci"), ClearOverride(A), Bind(A, "x"), Probe(A)):
                with pytest.raises(WriteTimedOut, match="unbind from e1000e;"):
                    await control.take(step)
            await control.take(Bind(B, "e1000e"))

    assert scene.kernel.written == [("unbind", str(A)), ("bind", str(B))]
    assert [told["event"] for told in logs] == ["step.overdue", "step.taken"]


async def test_a_second_step_is_refused_also_before_the_first_is_overdue(scene: Scene) -> None:
    """Whoever asks for it: they must not meet in the kernel."""
    scene.kernel.hangs_for = {A}
    async with scene.control(patience=60) as control, create_task_group() as tg:
        tg.start_soon(control.take, Unbind(A, "e1000e"))
        while not scene.kernel.written:
            await control.look(B)

        with pytest.raises(WriteTimedOut):
            await control.take(Probe(A))
        tg.cancel_scope.cancel()


@pytest.mark.parametrize("error", [None, OSError(19, "No such device")])
async def test_when_it_returns_at_last_that_is_told_and_steps_are_taken_again(
    scene: Scene, error: OSError | None
) -> None:
    scene.kernel.hangs_for = {A}
    with capture_logs() as logs:
        async with scene.control() as control:
            with pytest.raises(WriteTimedOut):
                await control.take(Unbind(A, "e1000e"))
            under_way = (await control.look(A)).write_under_way
            scene.kernel.error = error
            scene.kernel.goes_on.set()
            await scene.has_returned.wait()
            scene.kernel.error = None

            assert under_way == "unbind from e1000e"
            assert (await control.look(A)).write_under_way is None
            await control.take(Bind(A, "e1000e"))

    (returned,) = (told for told in logs if told["event"] == "step.returned")
    assert returned["error"] == str(error or "")
    assert set(scene.returned) == {A}


async def test_a_step_whose_taker_was_cancelled_still_counts(scene: Scene) -> None:
    scene.kernel.hangs_for = {A}
    async with scene.control(patience=60) as control:
        async with create_task_group() as tg:
            tg.start_soon(control.take, Unbind(A, "e1000e"))
            while not scene.kernel.written:
                await control.look(B)
            tg.cancel_scope.cancel()

        with pytest.raises(WriteTimedOut):
            await control.take(Probe(A))
        scene.kernel.goes_on.set()
        await scene.has_returned.wait()

    assert scene.returned == [A]


async def test_leaving_waits_for_no_step(scene: Scene) -> None:
    scene.kernel.hangs_for = {A}
    async with scene.control() as control:
        with pytest.raises(WriteTimedOut):
            await control.take(Unbind(A, "e1000e"))

    assert scene.returned == []


async def test_steps_that_hang_leave_room_for_others(scene: Scene) -> None:
    """So many at once are written; one that was given up does not count."""
    many = [PciAddress(0, bus, 0, 0) for bus in range(0x10, 0x40)]
    scene.kernel.hangs_for = set(many)

    async def hang(control: SysfsControl, address: PciAddress) -> None:
        with pytest.raises(WriteTimedOut):
            await control.take(Unbind(address, "e1000e"))

    async with scene.control() as control:
        async with create_task_group() as tg:
            for address in many:
                tg.start_soon(hang, control, address)
        await control.take(Bind(A, "e1000e"))

    assert len(scene.kernel.written) == len(many) + 1


async def test_a_device_for_which_the_kernel_does_not_answer_is_silent_until_it_does(scene: Scene) -> None:
    scene.kernel.hangs_for = {A}
    async with scene.control() as control:
        silent = [(await control.look(A)).is_silent for _ in range(2)]
        other = await control.look(B)
        scene.kernel.goes_on.set()
        await scene.has_returned.wait()
        after = await control.look(A)

    assert silent == [True, True]
    assert (other.is_silent, after.is_silent) == (False, False)
    assert scene.returned == [A]


async def test_a_device_whose_override_cannot_be_read_is_silent_until_it_can(scene: Scene) -> None:
    scene.kernel.unreadable = OSError(errno.EIO, "the process that reads and writes has ended")
    async with scene.control() as control:
        silent = [(await control.look(A)).is_silent for _ in range(2)]
        scene.kernel.unreadable = None
        after = await control.look(A)

    assert (silent, after.is_silent) == ([True, True], False)


async def test_on_a_host_that_is_slow_in_everything_a_device_has_longer_to_answer(
    scene: Scene, tree: SysfsTree
) -> None:
    aliases = _fifo_of_aliases(tree)
    scene.kernel.hangs_for = {A}
    sights: list[Sight] = []

    async def look(control: SysfsControl) -> None:
        sights.append(await control.look(A))

    async with scene.control(silence=0.01) as control, create_task_group() as tg:
        tg.start_soon(look, control)
        await sleep(LOOK_PATIENCE / 2)  # waits: that the host is slow
        await in_threads(_write_text).write(aliases, "")
        scene.kernel.goes_on.set()

    assert [sight.is_silent for sight in sights] == [False]


async def test_what_cannot_be_seen_at_all_buys_the_rest_no_more_time(scene: Scene, tree: SysfsTree) -> None:
    """All looks wait for the list of module aliases, a FIFO; the one at A began first, and is not the last to end."""
    aliases = _fifo_of_aliases(tree)
    scene.kernel.hangs_for = {A}
    sights: list[Sight] = []

    async def look(control: SysfsControl) -> None:
        sights.append(await control.look(A))

    async with scene.control() as control, create_task_group() as tg:
        tg.start_soon(look, control)
        await checkpoint()
        await control.look(B)
        await wait_all_tasks_blocked()

        assert [sight.is_silent for sight in sights] == [True]
        await in_threads(_write_text).write(aliases, "")


async def test_when_nothing_at_all_can_be_read_the_device_is_unreadable(scene: Scene, tree: SysfsTree) -> None:
    """Here the list of module aliases is a FIFO."""
    aliases = _fifo_of_aliases(tree)
    async with scene.control() as control:
        sight = await control.look(A)

        assert sight.is_silent
        assert "does not answer" in repr(sight.device)
        await in_threads(_write_text).write(aliases, "")
        await scene.has_returned.wait()
        assert not (await control.look(B)).is_silent


def _fifo_of_aliases(tree: SysfsTree) -> Path:
    """Who reads it waits until somebody writes to it."""
    aliases = tree.root / "nowhere/lib/modules" / os.uname().release / "modules.alias"
    aliases.parent.mkdir(parents=True)
    os.mkfifo(aliases)
    return aliases


def _write_text(path: Path, text: str) -> None:
    path.write_text(text)
    path.unlink()
