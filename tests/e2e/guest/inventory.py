"""
Runs in the guest: the agent over a real kernel's devices, and what happens to them by hand. Standard library only.

    hack/vm -- python3 tests/e2e/guest/inventory.py KUBECONFIG SECONDS_AT_REST

Writes /mnt/report.json: what lspci said, what the API server had, and how long each change took to show.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


sys.path += [os.environ["RIG"], str(Path.cwd())]
import rig  # after the folders of both are known

from tests.e2e.guest.agent import DEVICES, OUT, PATIENCE, Agent, Api, driver_is, name_of


NIC, PF, PORT, PLUGGED = "0000:00:04.0", "0000:04:00.0", "rp0", "0000:02:00.0"


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
        time.sleep(2)  # waits: for an absence, which nobody announces
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
    time.sleep(2)  # waits: so that nothing of the start is timed with what follows
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
    time.sleep(rest)  # waits: what is spent meanwhile is the figure
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
