"""
Runs in the guest: the agent over a real kernel's devices, and what happens to them by hand. Standard library only.

    hack/vm -- python3 tests/e2e/guest/inventory.py KUBECONFIG SECONDS_AT_REST

Writes /mnt/report.json: what lspci said, what the API server had, and how long each change took to show.
"""

from __future__ import annotations

import base64
import http.client
import json
import os
import re
import signal
import ssl
import subprocess
import sys
import threading
import time

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


sys.path.append(os.environ["RIG"])
import rig  # after the rig's folder is known


NODE = "guest"
DEVICES = "/apis/devices.harvesterhci.io/v1beta1/pcidevices"
OUT = Path("/mnt")
PATIENCE = 60.0
NIC, PF, PORT, PLUGGED = "0000:00:04.0", "0000:04:00.0", "rp0", "0000:02:00.0"


class Api:
    """The API server, seen through a watch that notes when each change arrives."""

    def __init__(self, kubeconfig: Path) -> None:
        config = json.loads(kubeconfig.read_text())
        cluster, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
        ca = base64.b64decode(cluster["certificate-authority-data"]).decode()
        self._context = ssl.create_default_context(cadata=ca)
        self._host = cluster["server"].removeprefix("https://")
        self._headers = {"Authorization": f"Bearer {user['token']}"}
        self._changed = threading.Condition()
        self.objects: dict[str, dict[str, Any]] = {}
        threading.Thread(target=self._watch, daemon=True).start()

    def get(self, path: str) -> dict[str, Any]:
        connection = self._connect()
        connection.request("GET", path, headers=self._headers)
        answer: dict[str, Any] = json.load(connection.getresponse())
        connection.close()
        return answer

    def wait_until(self, true: Callable[[dict[str, dict[str, Any]]], bool]) -> float:
        """Wait for the objects to be so; return the moment at which they were."""
        with self._changed:
            if not self._changed.wait_for(lambda: true(self.objects), PATIENCE):
                raise TimeoutError(f"the API server has {sorted(self.objects)}")
            return time.monotonic()

    def _watch(self) -> None:
        connection = self._connect()
        connection.request("GET", f"{DEVICES}?watch=true&labelSelector=nodename%3D{NODE}", headers=self._headers)
        for line in connection.getresponse():
            event = json.loads(line)
            with self._changed:
                name = event["object"]["metadata"]["name"]
                if event["type"] == "DELETED":
                    self.objects.pop(name, None)
                else:
                    self.objects[name] = event["object"]
                self._changed.notify_all()

    def _connect(self) -> http.client.HTTPSConnection:
        return http.client.HTTPSConnection(self._host, context=self._context)


class Agent:
    def __init__(self, kubeconfig: Path) -> None:
        self.log = OUT / "agent.log"
        command = [".venv/bin/pcidevices", "agent", "--node-name", NODE, "--kubeconfig", str(kubeconfig)]
        with self.log.open("wb") as log:
            self.process = subprocess.Popen([*command, "--log-level", "debug", "--log-format", "json"], stderr=log)

    def events(self, name: str) -> list[dict[str, Any]]:
        lines = [json.loads(line) for line in self.log.read_text().splitlines() if line.startswith("{")]
        return [line for line in lines if line["event"] == name]

    def scans(self) -> int:
        return len(self.events("scan.due"))

    def cpu_seconds(self) -> float:
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def rss_mib(self) -> float:
        match = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{self.process.pid}/status").read_text())
        return int(match[1]) / 1024 if match else 0.0


def name_of(address: str) -> str:
    return f"{NODE}-{re.sub('[:.]', '', address)}"


def driver_is(address: str, driver: str | None) -> Callable[[dict[str, dict[str, Any]]], bool]:
    return lambda objects: (
        name_of(address) in objects
        and bool(objects[name_of(address)].get("status", {}).get("conditions"))
        and objects[name_of(address)]["status"].get("kernelDriverInUse") == driver
    )


def virtual_functions_are(count: int) -> Callable[[dict[str, dict[str, Any]]], bool]:
    def true(objects: dict[str, dict[str, Any]]) -> bool:
        roles = [o.get("status", {}).get("sriov", {}).get("role") for o in objects.values()]
        return roles.count("VirtualFunction") == count

    return true


def settled_scans(agent: Agent) -> int:
    """The number of scans once no more come."""
    before = -1
    while (now := agent.scans()) != before:
        before = now
        time.sleep(2)
    return now


@contextmanager
def told(report: dict[str, Any], what: str) -> Iterator[Callable[[float], None]]:
    """Note how long *what* took to show."""
    seconds: list[float] = report["seconds"].setdefault(what, [])
    yield lambda value: seconds.append(round(value, 3))
    print(f"{what}: {seconds[-1]} s", flush=True)


def main(kubeconfig: Path, rest: float) -> None:
    report: dict[str, Any] = {"seconds": {}, "kernel": os.uname().release}
    report["lspci"] = subprocess.run(["lspci", "-Dnn"], capture_output=True, text=True, check=True).stdout
    report["lspci -k"] = subprocess.run(["lspci", "-Dk"], capture_output=True, text=True, check=True).stdout
    functions = [line for line in report["lspci"].splitlines() if "[0604]" not in line]

    api, begun = Api(kubeconfig), time.monotonic()
    agent = Agent(kubeconfig)
    whole = api.wait_until(
        lambda objects: sum(bool(o.get("status", {}).get("conditions")) for o in objects.values()) == len(functions)
    )
    report["seconds"]["start of the agent to all published"] = [round(whole - begun, 3)]
    time.sleep(2)
    report["objects"] = [api.objects[name]["status"] for name in sorted(api.objects)]
    for _ in range(5):
        asked = time.monotonic()
        api.get(f"{DEVICES}/{name_of(NIC)}")
        report["seconds"].setdefault("host's share: one request with a new connection", []).append(
            round(time.monotonic() - asked, 3)
        )

    for _ in range(5):
        with told(report, "unbind by hand") as tell:
            rig.unbind(NIC)
            done = time.monotonic()
            tell(api.wait_until(driver_is(NIC, None)) - done)
        with told(report, "bind by hand") as tell:
            rig.write(rig.BUS / "drivers/e1000e/bind", NIC)
            done = time.monotonic()
            tell(api.wait_until(driver_is(NIC, "e1000e")) - done)

    qmp = rig.Qmp()
    for _ in range(3):
        with told(report, "plug") as tell:
            qmp("device_add", driver="e1000e", id="hot", bus=PORT)
            rig.wait_until(lambda: rig.device(PLUGGED).exists())
            done = time.monotonic()
            tell(api.wait_until(lambda objects: bool(objects.get(name_of(PLUGGED), {}).get("status"))) - done)
        api.wait_until(driver_is(PLUGGED, "e1000e"))
        with told(report, "unplug") as tell:
            qmp("device_del", id="hot")
            rig.wait_until(lambda: not rig.device(PLUGGED).exists())
            done = time.monotonic()
            tell(api.wait_until(lambda objects: name_of(PLUGGED) not in objects) - done)

    before = settled_scans(agent)
    for count, what in ((7, "7 VFs appear"), (0, "7 VFs vanish")):
        with told(report, what) as tell:
            rig.write(rig.device(PF) / "sriov_numvfs", str(count))
            done = time.monotonic()
            tell(api.wait_until(virtual_functions_are(count)) - done)
        after = settled_scans(agent)
        report[f"scans: {what}"] = after - before
        before = after

    cpu, scans, slept = agent.cpu_seconds(), agent.scans(), time.monotonic()
    report["rest began"] = time.time()
    time.sleep(rest)
    report["rest ended"] = time.time()
    slept = time.monotonic() - slept
    report["at rest"] = {
        "seconds": round(slept, 1),
        "scans": agent.scans() - scans,
        "CPU % of a core": round((agent.cpu_seconds() - cpu) / slept * 100, 3),
        "RSS MiB": round(agent.rss_mib(), 1),
    }

    asked = time.monotonic()
    agent.process.send_signal(signal.SIGTERM)
    report["exit status"] = agent.process.wait(PATIENCE)
    report["seconds"]["SIGTERM to the end"] = [round(time.monotonic() - asked, 3)]
    (OUT / "report.json").write_text(json.dumps(report, indent=1))


main(Path(sys.argv[1]), float(sys.argv[2]))
