"""
Ways to read and write sysfs where that may hang for ever.

While a virtual machine has a device, an unbind of it sleeps in the kernel, on Linux 6.1 with it whoever reads the
driver override, and no signal ends that sleep: a process with such a thread cannot end. So on a real node other
processes do this, and those that hang are left behind.
"""

from __future__ import annotations

import errno
import os
import sys
import threading

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from anyio import wait_readable

from pcidevices.errors import HostExhausted

from . import writerprocess
from .patience import in_a_thread


Write = Callable[[Path, str], Awaitable[None]]
"""
Hands text to an attribute in one system call. Raises OSError with the kernel's errno when that is refused, and
HostExhausted when the kernel could not be asked.

Cancelled, it returns at once; the kernel may do what was written all the same, then or later.
"""

Read = Callable[[Path], Awaitable[str]]
"""The text of an attribute; raises OSError, or HostExhausted. Cancelled, it returns at once."""

MOST_IDLE = 2
_PROGRAM = str(Path(writerprocess.__file__).resolve())
_PIPE = 1 << 16
_OUT_OF_DESCRIPTORS = (errno.EMFILE, errno.ENFILE)


class ReadAndWrite(NamedTuple):
    """The two ways to a kernel that may not answer."""

    read: Read
    write: Write


def in_threads(write: Callable[[Path, str], None]) -> ReadAndWrite:
    """In daemon threads: for a *write* that does not go to a kernel."""

    async def write_in_a_thread(path: Path, text: str) -> None:
        await in_a_thread(lambda: write(path, text))

    async def read_in_a_thread(path: Path) -> str:
        return await in_a_thread(path.read_text)

    return ReadAndWrite(read_in_a_thread, write_in_a_thread)


@asynccontextmanager
async def in_processes() -> AsyncIterator[ReadAndWrite]:
    """
    In processes that do one thing at a time; as many are started as there is to do at once.

    One waits for the next thing to do. Leaving the block waits for none of them: those that are idle end by
    themselves, those that hang when the kernel lets them.
    """
    idle = [WriterProcess()]

    async def do(verb: str, path: Path, text: str) -> str:
        while idle and idle[-1].has_ended.is_set():  # somebody has killed it
            idle.pop().leave()
        process = idle.pop() if idle else _started()
        try:
            number, answer = await process.do(verb, path, text)
        except BaseException:
            process.leave()
            raise
        if len(idle) < MOST_IDLE and not is_left:
            idle.append(process)
        else:
            process.leave()
        if number in _OUT_OF_DESCRIPTORS:
            raise HostExhausted(f"{path} cannot be opened: {os.strerror(number)}")
        if number:
            raise OSError(number, os.strerror(number), str(path))
        return answer

    async def read(path: Path) -> str:
        return await do("r", path, "")

    async def write(path: Path, text: str) -> None:
        await do("w", path, text)

    is_left = False
    try:
        yield ReadAndWrite(read, write)
    finally:
        is_left = True
        for process in idle:
            process.leave()


def _started() -> WriterProcess:
    try:
        return WriterProcess()
    except OSError as error:
        raise HostExhausted(f"no process can be started that writes to sysfs: {error}") from error


class WriterProcess:
    """
    One process of `writerprocess`, in a session of its own: what is typed at a terminal does not reach it.

    A thread waits for its end, however late, so that it does not stay as a zombie.
    """

    def __init__(self) -> None:
        child_in, self._to = os.pipe()
        try:
            self._from, child_out = os.pipe()
        except OSError:
            os.close(child_in)
            os.close(self._to)
            raise
        for ours in (self._to, self._from):
            os.set_blocking(ours, False)
        # -I and -S: no site-packages, nothing from the environment, nothing from the working directory.
        command = [sys.executable, "-I", "-S", _PROGRAM]
        redirected = [(os.POSIX_SPAWN_DUP2, child_in, 0), (os.POSIX_SPAWN_DUP2, child_out, 1)]
        try:
            self.pid = os.posix_spawn(command[0], command, os.environ, file_actions=redirected, setsid=True)
        except BaseException:
            self.leave()
            raise
        finally:
            os.close(child_in)
            os.close(child_out)
        self.has_ended = threading.Event()
        threading.Thread(target=self._reap, daemon=True, name="writer process").start()

    async def do(self, verb: str, path: Path, text: str) -> tuple[int, str]:
        """
        Have one file read (*verb* is ``r``) or written (``w``): the errno of the refusal or 0, and what was read.

        Raises:
            HostExhausted: the process has ended, as one does that the kernel kills for its memory; what became of the
                write is not known.
        """
        line = " ".join(word.hex() for word in (verb.encode(), os.fsencode(path), text.encode()))
        with suppress(BrokenPipeError):  # then it has ended, which the answer tells
            os.write(self._to, f"{line}\n".encode())
        answer = b""
        while not answer.endswith(b"\n"):
            await wait_readable(self._from)
            more = os.read(self._from, _PIPE)
            if not more:
                raise HostExhausted(f"the process that reads and writes has ended with {path}")
            answer += more
        number, read = answer[:-1].split(b" ")
        return int(number), bytes.fromhex(read.decode()).decode(errors="replace")

    def leave(self) -> None:
        """Let it end as soon as it is idle."""
        os.close(self._to)
        os.close(self._from)

    def _reap(self) -> None:
        with suppress(ChildProcessError):  # somebody ignores SIGCHLD, and there are no zombies at all
            os.waitpid(self.pid, 0)
        self.has_ended.set()
