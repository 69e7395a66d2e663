"""Reading and writing in other processes; FIFOs hang as sysfs does."""
# ruff: noqa: ASYNC240  small files, by a test

from __future__ import annotations

import errno
import os
import signal
import threading
import time

from collections.abc import AsyncIterator
from pathlib import Path

import psutil
import pytest

from anyio import create_task_group, fail_after, move_on_after
from anyio.lowlevel import checkpoint

from pcidevices.adapters.sysfs.writers import MOST_IDLE, ReadAndWrite, in_processes, in_threads
from pcidevices.errors import HostExhausted
from tests.support.waiting import wait_until


def processes() -> set[int]:
    """The writer processes of this one, zombies among them."""
    return {child.pid for child in psutil.Process().children()}


def is_reaping() -> bool:
    """A process that has ended is noticed a moment later."""
    return any(thread.name == "writer process" for thread in threading.enumerate())


async def written(kernel: ReadAndWrite, path: Path, text: str) -> None:
    await kernel.write(path, text)


def _write_text(path: Path, text: str) -> None:
    path.write_text(text)


def _nothing(_: Path, __: str) -> None:
    pass


@pytest.fixture
def attribute(tmp_path: Path) -> Path:
    path = tmp_path / "attribute"
    path.write_text("")
    return path


@pytest.fixture
async def fifo(tmp_path: Path) -> AsyncIterator[Path]:
    """Opening it hangs, until the end of the test at the latest."""
    path = tmp_path / "fifo"
    os.mkfifo(path)
    before = processes()
    yield path
    fd = os.open(path, os.O_RDWR | os.O_NONBLOCK)
    await wait_until(lambda: processes() <= before)
    os.close(fd)


@pytest.fixture(autouse=True)
async def _no_process_is_left() -> AsyncIterator[None]:
    before = processes()
    yield
    await wait_until(lambda: processes() <= before)


@pytest.mark.parametrize("text", ["vfio-pci\n", "\n", "0000:04:00.0", "ä \0 b"])
async def test_what_is_written_arrives_as_it_is(attribute: Path, text: str) -> None:
    async with in_processes() as kernel:
        await kernel.write(attribute, text)

        assert attribute.read_text() == text
        assert await kernel.read(attribute) == text


async def test_paths_may_hold_anything(tmp_path: Path) -> None:
    path = tmp_path / "a b\nc"
    path.touch()

    async with in_processes() as kernel:
        await kernel.write(path, "x")

    assert path.read_text() == "x"


async def test_a_refusal_has_the_kernels_number(tmp_path: Path) -> None:
    async with in_processes() as kernel:
        for call in (kernel.write(tmp_path / "none", "x"), kernel.read(tmp_path / "none")):
            with pytest.raises(OSError, match="No such file or directory") as refusal:
                await call
            assert refusal.value.errno == errno.ENOENT


async def test_no_file_is_ever_made(tmp_path: Path) -> None:
    """In sysfs open(2) cannot; elsewhere it must not either."""
    async with in_processes() as kernel:
        with pytest.raises(FileNotFoundError):
            await kernel.write(tmp_path / "new", "x")

    assert list(tmp_path.iterdir()) == []


async def test_one_process_waits_for_work_and_does_one_thing_after_another(attribute: Path) -> None:
    before = processes()
    async with in_processes() as kernel:
        ready = processes() - before
        for _ in range(3):
            await kernel.write(attribute, "x")

        assert len(ready) == 1
        assert processes() - before == ready


async def test_what_is_done_at_once_has_a_process_each_and_few_stay(attribute: Path) -> None:
    before = processes()
    async with in_processes() as kernel:
        async with create_task_group() as tg:
            for _ in range(6):
                tg.start_soon(written, kernel, attribute, "x")

        await wait_until(lambda: len(processes() - before) == MOST_IDLE)


async def test_a_write_that_hangs_holds_up_no_other(attribute: Path, fifo: Path) -> None:
    with fail_after(10):
        async with in_processes() as kernel, create_task_group() as tg:
            tg.start_soon(written, kernel, fifo, "x")
            await kernel.write(attribute, "y")

            assert attribute.read_text() == "y"
            tg.cancel_scope.cancel()


async def test_leaving_waits_for_nothing_that_hangs(fifo: Path) -> None:
    begun = time.monotonic()
    async with in_processes() as kernel:
        with move_on_after(0.05):
            await kernel.write(fifo, "x")

    assert time.monotonic() - begun < 5
    assert processes()


async def test_a_write_that_was_given_up_is_done_all_the_same(fifo: Path) -> None:
    """That is what the kernel does, so nobody may count on the opposite."""
    async with in_processes() as kernel:
        with move_on_after(0.05):
            await kernel.write(fifo, "late")

    with fail_after(10):
        assert await in_threads(_nothing).read(fifo) == "late"


async def test_a_process_that_is_killed_meanwhile_is_an_error_and_replaced(attribute: Path, fifo: Path) -> None:
    before = processes()
    async with in_processes() as kernel:
        (ready,) = processes() - before

        async def kill() -> None:
            await checkpoint()
            os.kill(ready, signal.SIGKILL)

        async with create_task_group() as tg:
            tg.start_soon(kill)
            with pytest.raises(HostExhausted, match="has ended"):
                await kernel.write(fifo, "x")
        await kernel.write(attribute, "y")

    assert attribute.read_text() == "y"


@pytest.mark.parametrize("number", [errno.EAGAIN, errno.ENOENT, errno.ENOMEM])
async def test_a_process_that_cannot_be_started_is_no_answer_of_the_kernel(
    attribute: Path, number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Least of all that there is no such attribute."""
    before = processes()

    def nothing_left(*_: object, **__: object) -> int:
        raise OSError(number, os.strerror(number))

    async with in_processes() as kernel:
        (ready,) = processes() - before
        os.kill(ready, signal.SIGKILL)
        await wait_until(lambda: ready not in processes())
        await wait_until(lambda: not is_reaping())
        with monkeypatch.context() as patch:
            patch.setattr(os, "posix_spawn", nothing_left)
            with pytest.raises(HostExhausted):
                await kernel.read(attribute)


async def test_a_process_that_died_while_it_was_idle_is_replaced(attribute: Path) -> None:
    before = processes()
    async with in_processes() as kernel:
        (ready,) = processes() - before
        os.kill(ready, signal.SIGKILL)
        await wait_until(lambda: ready not in processes())
        await wait_until(lambda: not is_reaping())

        await kernel.write(attribute, "x")

    assert attribute.read_text() == "x"


async def test_a_signal_to_our_group_does_not_reach_them() -> None:
    """As Ctrl-C on a terminal is."""
    before = processes()
    async with in_processes():
        (ready,) = processes() - before

        assert os.getsid(ready) == ready != os.getsid(0)


async def test_threads_do_the_same_for_what_is_no_kernel(attribute: Path, fifo: Path) -> None:
    kernel = in_threads(_write_text)

    await kernel.write(attribute, "x")
    with move_on_after(0.05) as patience:
        await kernel.write(fifo, "x")

    assert await kernel.read(attribute) == "x"
    assert patience.cancelled_caught
