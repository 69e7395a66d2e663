from __future__ import annotations

import json
import os

from pathlib import Path


class Qmp:
    """The monitor of the very QEMU that the guest runs in: it plugs cards and pulls them."""

    def __init__(self, port: Path) -> None:
        self._port = os.open(port, os.O_RDWR | os.O_CLOEXEC)
        self._said = b""
        self("qmp_capabilities")

    def __call__(self, command: str, **arguments: str) -> object:
        """Do *command*; what QEMU returns. Greetings, and events in between, are passed over."""
        os.write(self._port, json.dumps({"execute": command, "arguments": arguments}).encode() + b"\n")
        while True:
            answer = self._line()
            if "return" in answer:
                return answer["return"]
            assert "error" not in answer, answer

    def close(self) -> None:
        os.close(self._port)

    def _line(self) -> dict[str, object]:
        while b"\n" not in self._said:
            self._said += os.read(self._port, 1 << 16)
        line, _, self._said = self._said.partition(b"\n")
        parsed: dict[str, object] = json.loads(line)
        return parsed
