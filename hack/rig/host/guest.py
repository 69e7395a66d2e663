"""A QEMU and what comes out of the guest in it."""

import os
import select
import socket
import subprocess
import time

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path


# Ends with its parent, even if that has gone before it could say so.
BOUND_TO_US = ("setpriv", "--pdeathsig", "KILL", "sh", "-c", '[ "$PPID" = "$0" ] && exec "$@"')


@dataclass(frozen=True, slots=True)
class Guest:
    """A running guest. `outputs` are where its standard output and error come from, each with our own descriptor."""

    process: subprocess.Popen[bytes]
    outputs: dict[socket.socket, int]
    monitor: socket.socket

    def relay(self, *, until: float) -> bool:
        """Pass on what the guest says. True when it has ended, False when the clock says `until`."""
        while self.outputs:
            ready, _, _ = select.select(list(self.outputs), [], [], max(0, until - time.monotonic()))
            if not ready:
                return False
            for source in ready:
                if said := source.recv(1 << 16):
                    _write(self.outputs[source], said)
                else:
                    del self.outputs[source]
        self.process.wait()
        return True

    def press(self, keys: str) -> None:
        """Press keys on the guest's keyboard."""
        self.monitor.send(f"sendkey {keys}\n".encode())


@contextmanager
def started(qemu: Sequence[str], *, folder: Path) -> Iterator[Guest]:
    """
    A guest that outlives neither the block nor this process.

    `folder` is where QEMU starts: relative paths in its arguments are below it. The virtio ports of the guest are added
    here: stdout, stderr, and qmp, a connection to the very QEMU that the guest runs in.
    """
    with ExitStack() as stack:
        links = [[stack.enter_context(end) for end in socket.socketpair()] for _ in range(4)]
        (stdout, its_stdout), (stderr, its_stderr), (monitor, its_monitor), (qmp, its_qmp) = links
        its_ends = {"stdout": its_stdout, "stderr": its_stderr, "keys": its_monitor, "qmp": qmp, "qmpport": its_qmp}
        argv = [
            *(*BOUND_TO_US, str(os.getpid()), *qemu),
            *("-device", "virtio-serial-pci,id=ports,bus=pcie.0,addr=1c.0"),
            *(word for name, end in its_ends.items() for word in ("-chardev", f"socket,id={name},fd={end.fileno()}")),
            *("-device", "virtserialport,bus=ports.0,chardev=stdout,name=stdout"),
            *("-device", "virtserialport,bus=ports.0,chardev=stderr,name=stderr"),
            *("-device", "virtserialport,bus=ports.0,chardev=qmpport,name=qmp"),
            *("-mon", "chardev=qmp,mode=control", "-mon", "chardev=keys,mode=readline"),
            *("-chardev", "socket,id=hostqmp,path=host-qmp.sock,server=on,wait=off"),
            *("-mon", "chardev=hostqmp,mode=control"),
        ]
        process = subprocess.Popen(
            argv,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=stack.enter_context((folder / "qemu.log").open("wb")),
            stderr=subprocess.STDOUT,
            pass_fds=[end.fileno() for end in its_ends.values()],
            start_new_session=True,  # Ctrl-C is for us; we end it
        )
        try:
            for end in its_ends.values():
                end.close()
            yield Guest(process, {stdout: 1, stderr: 2}, monitor)
        finally:
            _end(process)
            (folder / "host-qmp.sock").unlink(missing_ok=True)


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(5)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _write(target: int, text: bytes) -> None:
    """All of it, although our parent may have made our own outputs non-blocking."""
    while text:
        select.select([], [target], [])
        text = text[os.write(target, text[: select.PIPE_BUF]) :]
