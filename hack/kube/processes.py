"""Programs that outlive the command which started them.

A process is known by its pid and the moment it began, so that a stranger who got the pid later is left alone.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import time

from dataclasses import dataclass
from pathlib import Path

from .failure import RigError


# Not ours: etcd takes any ETCD_… for a flag, and nothing here is to go through a proxy.
ENVIRONMENT = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}


@dataclass(frozen=True, slots=True)
class Process:
    """A started program."""

    pid: int
    began: str

    def runs(self) -> bool:
        """Whether it still runs; a zombie does not."""
        return began(self.pid) == self.began


def began(pid: int) -> str | None:
    """Which boot, and which tick since then, this process began in."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    # The name of the program, in brackets, may hold anything.
    fields = stat[stat.rindex(")") + 2 :].split()
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    return None if fields[0] in "ZX" else f"{boot} {fields[19]}"


def age(process: Process) -> float:
    """For how many seconds it has run."""
    uptime = float(Path("/proc/uptime").read_text().split()[0])
    return uptime - int(process.began.split()[1]) / os.sysconf("SC_CLK_TCK")


def launch(command: list[str], *, folder: Path, log: Path, umask: int = -1, forks: bool = False) -> Process:
    """
    Start a program in a session of its own; what it says is added to the log.

    One that `forks` has entered a pid namespace: it waits for its child, and that is the program.
    """
    with log.open("ab") as out:
        try:
            child = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                cwd=folder,
                env=ENVIRONMENT,
                start_new_session=True,
                umask=umask,
            )
        except OSError as error:
            raise RigError(f"{command[0]} does not start: {error.strerror}") from error
    pid = only_child(child) if forks else child.pid
    return Process(pid, began(pid) or "ended")


def only_child(parent: subprocess.Popen[bytes]) -> int:
    """The child of a process that is about to fork; of one that ends instead, itself."""
    children = Path(f"/proc/{parent.pid}/task/{parent.pid}/children")
    while parent.poll() is None:
        with contextlib.suppress(OSError):
            if pids := children.read_text().split():
                return int(pids[0])
        time.sleep(0.01)
    return parent.pid


def end(process: Process, *, patience: float) -> None:
    """Ask a program to end; kill it when it has not after `patience` seconds."""
    try:
        handle = os.pidfd_open(process.pid)
    except ProcessLookupError:
        return
    try:
        # From here on the handle means one process, whatever happens to its pid.
        if not process.runs():
            return
        for sign, seconds in ((signal.SIGTERM, patience), (signal.SIGKILL, 10)):
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(handle, sign)
            if select.select([handle], [], [], seconds)[0]:
                return
    finally:
        os.close(handle)
    raise RigError(f"process {process.pid} survived SIGKILL")
