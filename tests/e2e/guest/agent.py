"""What scripts in the guest share: the API server, watched, and the agent as a process. Standard library only."""

from __future__ import annotations

import base64
import http.client
import json
import os
import re
import signal
import ssl
import subprocess
import threading
import time

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


NODE = "guest"
DEVICES = "/apis/devices.harvesterhci.io/v1beta1/pcidevices"
CLAIMS = "/apis/devices.harvesterhci.io/v1beta1/pcideviceclaims"
OUT = Path("/mnt")
HTTP = "127.0.0.1:8080"
PATIENCE = 180.0

Object = dict[str, Any]
Objects = dict[str, Object]


class Refused(Exception):
    """The API server does not do what it is asked."""


class Api:
    """The API server, seen through watches that note when each change arrives."""

    def __init__(self, kubeconfig: Path, *, patience: float = PATIENCE) -> None:
        self.patience = patience
        config = json.loads(kubeconfig.read_text())
        cluster, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
        ca = base64.b64decode(cluster["certificate-authority-data"]).decode()
        self._context = ssl.create_default_context(cadata=ca)
        self._host = cluster["server"].removeprefix("https://")
        self._headers = {"Authorization": f"Bearer {user['token']}"}
        self._changed = threading.Condition()
        self.objects: Objects = {}
        self.claims: Objects = {}
        for path, objects in ((f"{DEVICES}?labelSelector=nodename%3D{NODE}", self.objects), (CLAIMS, self.claims)):
            threading.Thread(target=self._watch, args=(path, objects), daemon=True).start()

    def get(self, path: str) -> Object:
        return self.request("GET", path)

    def request(self, verb: str, path: str, body: Object | None = None) -> Object:
        connection = self._connect()
        headers = self._headers | {"Content-Type": "application/json"}
        connection.request(verb, path, headers=headers, body=None if body is None else json.dumps(body))
        response = connection.getresponse()
        answer: Object = json.load(response)
        connection.close()
        if response.status >= http.client.BAD_REQUEST:
            raise Refused(f"{verb} {path}: {answer.get('message')}")
        return answer

    def wait_until(self, true: Callable[[Objects], bool]) -> float:
        """Wait for the devices to be so; return the moment at which they were."""
        return self._wait_until(true, self.objects)

    def wait_until_claims(self, true: Callable[[Objects], bool], *, within: float | None = None) -> float:
        """Wait for the claims to be so; return the moment at which they were."""
        return self._wait_until(true, self.claims, within)

    def _wait_until(self, true: Callable[[Objects], bool], objects: Objects, within: float | None = None) -> float:
        within = within or self.patience
        with self._changed:
            if not self._changed.wait_for(lambda: true(objects), within):
                raise TimeoutError(f"not within {within} s; the API server has {json.dumps(objects)[:4000]}")
            return time.monotonic()

    def _watch(self, path: str, objects: Objects) -> None:
        while True:
            connection = self._connect()
            connection.request("GET", f"{path}{'&' if '?' in path else '?'}watch=true", headers=self._headers)
            response = connection.getresponse()
            if response.status == http.client.OK:
                self._note(response, objects)
            # Just after the definitions were made the server asks to come back later.
            connection.close()
            time.sleep(0.5)

    def _note(self, response: http.client.HTTPResponse, objects: Objects) -> None:
        for line in response:
            event = json.loads(line)
            with self._changed:
                name = event["object"]["metadata"]["name"]
                if event["type"] == "DELETED":
                    objects.pop(name, None)
                else:
                    objects[name] = event["object"]
                self._changed.notify_all()

    def _connect(self) -> http.client.HTTPSConnection:
        return http.client.HTTPSConnection(self._host, context=self._context)


class Log:
    """
    What an agent says, in the folder of the run.

    Each start adds to the file; what was there before is not seen.
    """

    def __init__(self, name: str) -> None:
        self.path = OUT / name
        self.path.touch()
        self._before = self.position()

    def events(self, name: str, *, since: int = 0) -> list[Object]:
        """Its events of a name; *since* is what `position` was then."""
        with self.path.open("rb") as file:
            file.seek(max(since, self._before))
            lines = file.read().decode(errors="replace").splitlines()
        return [json.loads(line) for line in lines if line.endswith("}") and f'"event": "{name}"' in line]

    def position(self) -> int:
        """How much has been said."""
        return self.path.stat().st_size


class Agent(Log):
    """`pcidevices agent` over this guest's hardware, as a process of its own."""

    def __init__(self, kubeconfig: Path) -> None:
        super().__init__("agent.log")
        self.begun = time.monotonic()
        with self.path.open("ab") as log:
            command = [".venv/bin/pcidevices", *agent_arguments(kubeconfig), "--http", HTTP]
            self.process = subprocess.Popen(command, stderr=log)

    def scans(self) -> int:
        return len(self.events("scan.due"))

    def stop(self) -> float:
        """Tell it to end; the seconds until it has."""
        begun = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(PATIENCE)
        return time.monotonic() - begun

    def cpu_seconds(self) -> float:
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def rss_mib(self) -> float:
        match = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{self.process.pid}/status").read_text())
        return int(match[1]) / 1024 if match else 0.0


@contextmanager
def probed() -> Iterator[Counter[str]]:
    """
    Ask as a kubelet does, again and again; what is told is counted, as ``/healthz 200``.

    What takes longer than five seconds is no answer, and counted as ``/healthz none``.
    """
    told: Counter[str] = Counter()
    ended = threading.Event()

    def ask() -> None:
        while not ended.wait(0.5):
            for path in ("/healthz", "/readyz"):
                told[f"{path} {asked(path)[0]}"] += 1

    asking = threading.Thread(target=ask, daemon=True)
    asking.start()
    try:
        yield told
    finally:
        ended.set()
        asking.join()


def asked(path: str) -> tuple[str, str]:
    """The status and the text that the agent answers."""
    connection = http.client.HTTPConnection(HTTP, timeout=5)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        return str(response.status), response.read().decode()
    except OSError:
        return "none", ""
    finally:
        connection.close()


def agent_arguments(kubeconfig: Path) -> list[str]:
    arguments = ["agent", "--node-name", NODE, "--kubeconfig", str(kubeconfig)]
    return [*arguments, "--log-level", "debug", "--log-format", "json"]


def name_of(address: str) -> str:
    """Of the object for a device."""
    return f"{NODE}-{re.sub('[:.]', '', address)}"


def driver_is(address: str, driver: str | None) -> Callable[[Objects], bool]:
    """Of devices: whether the PCIDevice says that *driver* has it."""
    return lambda objects: (
        name_of(address) in objects
        and bool(objects[name_of(address)].get("status", {}).get("conditions"))
        and objects[name_of(address)]["status"].get("kernelDriverInUse") == driver
    )
