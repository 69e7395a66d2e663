"""Network interfaces of a guest of hack/vm, really in use. Of all that sets them up only busybox is there for sure."""

from __future__ import annotations

import subprocess

from pathlib import Path

from tests.contract.sysfs.realstorage import end, started


_VLAN = 5


class RealNetwork:
    def __init__(self) -> None:
        self._namespaces: dict[str, subprocess.Popen[bytes]] = {}

    def set_address(self, name: str, *addresses: str) -> None:
        _ip("link", "set", name, "up")
        for address in addresses:
            _ip("address", "add", address, "dev", name)

    def set_down(self, name: str) -> None:
        _ip("address", "flush", "dev", name)
        _ip("link", "set", name, "down")

    def enslave(self, name: str, master: str) -> None:
        subprocess.run(["modprobe", "bridge"], check=True)
        _ip("link", "add", master, "type", "bridge")
        _ip("link", "set", name, "master", master)

    def free(self, name: str) -> None:
        master = Path(f"/sys/class/net/{name}/master").readlink().name
        _ip("link", "set", name, "nomaster")
        _ip("link", "delete", master)

    def put_on(self, name: str, upper: str) -> None:
        subprocess.run(["modprobe", "8021q"], check=True)
        _ip("link", "add", "link", name, "name", upper, "type", "vlan", "id", str(_VLAN))

    def take_off(self, name: str, upper: str) -> None:
        assert Path(f"/sys/class/net/{name}/upper_{upper}").exists()
        _ip("link", "delete", upper)

    def send_away(self, name: str) -> None:
        """Into a network namespace that is as old as its only process."""
        process = started(["unshare", "--net", "sh", "-c", "echo && exec sleep infinity"])
        self._namespaces[name] = process
        _ip("link", "set", name, "netns", str(process.pid))

    def call_back(self, name: str) -> None:
        """It comes back by itself, soon after the namespace's end."""
        end(self._namespaces.pop(name))

    def close(self) -> None:
        for process in self._namespaces.values():
            end(process)


def _ip(*words: str) -> None:
    subprocess.run(["busybox", "ip", *words], check=True)
