"""Disks of a guest of hack/vm, really in use. The disks are empty, and what is written to them is lost."""

from __future__ import annotations

import fcntl
import os
import struct
import subprocess

from pathlib import Path

from tests.contract.sysfs import devicemapper


_BLKRRPART = 0x125F
_LINUX, _START = 0x83, 2048


class RealStorage:
    def __init__(self) -> None:
        self._elsewhere: dict[str, subprocess.Popen[bytes]] = {}

    def partition(self, disk: str) -> None:
        """One partition that is all of the disk."""
        entry = struct.pack("<B3sB3sII", 0, b"", _LINUX, b"", _START, _size(disk) - _START)
        node = os.open(f"/dev/{disk}", os.O_RDWR)
        try:
            os.pwrite(node, bytes(446) + entry.ljust(64, b"\0") + b"\x55\xaa", 0)
            os.fsync(node)
            fcntl.ioctl(node, _BLKRRPART)
        finally:
            os.close(node)

    def mount(self, name: str, where: str, *, elsewhere: bool = False) -> None:
        _run("modprobe", "ext4")
        _run("mkfs.ext4", "-q", "-F", f"/dev/{name}")
        Path(where).mkdir(exist_ok=True)
        if elsewhere:
            stay = 'mount "$1" "$2" && echo && exec sleep infinity'
            command = ["unshare", "--mount", "sh", "-c", stay, "sh", f"/dev/{name}", where]
            self._elsewhere[where] = started(command)
        else:
            _run("mount", f"/dev/{name}", where)

    def unmount(self, where: str) -> None:
        if where in self._elsewhere:
            end(self._elsewhere.pop(where))
        else:
            _run("umount", where)

    def swap_on(self, name: str) -> None:
        _run("mkswap", f"/dev/{name}")
        _run("swapon", f"/dev/{name}")

    def swap_off(self, name: str) -> None:
        _run("swapoff", f"/dev/{name}")

    def map(self, label: str, *names: str) -> None:
        _run("modprobe", "dm-mod")
        devicemapper.map_onto(label, [(f"/dev/{name}", _size(name)) for name in names])

    def unmap(self, label: str) -> None:
        devicemapper.unmap(label)

    def close(self) -> None:
        for process in self._elsewhere.values():
            end(process)


def started(command: list[str]) -> subprocess.Popen[bytes]:
    """A program that has said that it is where it shall be."""
    process = subprocess.Popen(command, stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline(), command
    return process


def end(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.communicate()


def _size(name: str) -> int:
    return int(Path(f"/sys/class/block/{name}/size").read_text())


def _run(*command: str) -> None:
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
