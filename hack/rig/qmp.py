"""
Speak with the QEMU that runs this guest: plug and unplug devices.

    python3 $RIG/qmp.py device_add driver=e1000e id=hot bus=rp0
    python3 $RIG/qmp.py device_del id=hot

`on`, `off` and whole numbers go as such, anything else as a string.

One at a time: the port in the guest can be open once.
"""

import contextlib
import json
import os
import select
import socket
import stat
import sys
import time

from pathlib import Path
from typing import Any, Self, TypeAlias


PORT = Path("/dev/virtio-ports/qmp")
Json: TypeAlias = Any
Message: TypeAlias = dict[str, Json]


class QmpError(Exception):
    """QEMU refuses a command."""


class Qmp:
    """
    A connection: by the port in the guest, or by `host-qmp.sock` in the folder of the run.

    The port is never new, since QEMU has been speaking into it from its start. Whatever it said before the answer to
    our first command was for somebody else.
    """

    def __init__(self, path: Path = PORT) -> None:
        self._file = _open(path)
        self._unread = b""
        self._events: list[Message] = []
        self._commands = 0
        with contextlib.suppress(QmpError):  # it was greeted before
            self("qmp_capabilities")
        self._events.clear()

    def __call__(self, command: str, **arguments: object) -> Json:
        """Execute a command; what QEMU returns."""
        self._commands += 1
        name = f"{os.getpid()}.{id(self)}.{self._commands}"
        request = {"execute": command, "arguments": arguments, "id": name}
        os.write(self._file, json.dumps(request).encode() + b"\n")
        end = time.monotonic() + 60
        while (answer := self._read(end)).get("id") != name:
            if "event" in answer:
                self._events.append(answer)
        if "error" in answer:
            raise QmpError(f"{command}: {answer['error']['desc']}")
        return answer["return"]

    def wait_for(self, event: str, *, timeout: float = 60, **facts: object) -> Message:
        """The next event of a name that says these facts. Those before it are passed over."""
        end = time.monotonic() + timeout
        while True:
            seen = self._events.pop(0) if self._events else self._read(end)
            if seen.get("event") == event and facts.items() <= seen.get("data", {}).items():
                return seen

    def _read(self, end: float) -> Message:
        while b"\n" not in self._unread:
            if not select.select([self._file], [], [], max(0, end - time.monotonic()))[0]:
                raise TimeoutError("QEMU has not said it in time")
            if not (said := os.read(self._file, 1 << 16)):
                raise ConnectionError("QEMU has closed the connection")
            self._unread += said
        line, self._unread = self._unread.split(b"\n", 1)
        try:
            message: Message = json.loads(line)
        except ValueError:
            return {}  # the end of what somebody before us has not read
        return message

    def close(self) -> None:
        """Let others have the port."""
        os.close(self._file)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _open(path: Path) -> int:
    if not stat.S_ISSOCK(path.stat().st_mode):
        return os.open(path, os.O_RDWR)
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(path))
        return connection.detach()


def main(command: str, *words: str) -> None:
    """Execute one command; `device_del` ends when the device is gone."""
    arguments = {name: _typed(value) for name, value in (word.split("=", 1) for word in words)}
    with Qmp() as qmp:
        if answer := qmp(command, **arguments):
            print(json.dumps(answer, indent=2))
        if command == "device_del":
            qmp.wait_for("DEVICE_DELETED", device=arguments["id"])


def _typed(value: str) -> object:
    if value in ("on", "off"):
        return value == "on"
    return int(value) if value.isdecimal() else value


if __name__ == "__main__":
    main(*sys.argv[1:])
