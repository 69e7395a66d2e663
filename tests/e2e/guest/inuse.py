"""Scenarios with somebody who has the devices: a virtual machine, or one whom nothing tells of. Standard library."""

from __future__ import annotations

import os
import subprocess
import sys
import time

from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import rig

from tests.e2e.guest.agent import OUT, Object, asked, name_of, probed
from tests.e2e.guest.claiming import CYCLES, cycles
from tests.e2e.guest.machine import a_machine
from tests.e2e.guest.scene import GPU, NIC, SOUND, TWIN, Scene, seconds, state


FIRMWARE = 180.0
IDS = {GPU: "1234:1111", SOUND: "8086:2668", TWIN: "8086:10d3"}


def a_virtual_machine(scene: Scene, facts: Object) -> None:
    """It finds the devices that it is given; while it runs nothing is unbound, and others come and go."""
    devices = (GPU, SOUND, TWIN)
    facts["before"] = state(*devices)
    scene.claim(*devices)
    scene.ready(*devices)
    log = OUT / "firmware.log"
    begun = time.monotonic()
    with virtual_machine(log, *devices) as machine:
        rig.wait_until(lambda: machine.poll() is not None or lists(log, IDS.values()), timeout=FIRMWARE)
        facts["seconds until the firmware had listed them"] = round(time.monotonic() - begun, 1)
        facts["ids"] = {it: ids for it, ids in IDS.items() if lists(log, [ids])}
        scene.delete(*devices)
        scene.told("DeviceInUse", *devices)
        facts["messages"] = {it: scene.message(it) for it in devices}
        facts["machine"] = machine.pid

        since = scene.agent.position()
        there = scene.claim(NIC)
        facts["another one's seconds to Ready"] = round(scene.ready(NIC) - there, 3)
        facts["another one's seconds back"] = round(scene.give_back(NIC), 3)
        facts["meanwhile"] = state(*devices)
        facts["another one"] = state(NIC)
        facts["steps meanwhile"] = [step["step"] for it in devices for step in scene.steps(it, since=since)]
        facts["reasons at the end"] = [scene.reason(it) for it in devices]
        facts["still runs"] = machine.poll() is None
    ended = time.monotonic()
    facts["seconds home"] = round(scene.gone(*devices) - ended, 3)
    facts["after"] = state(*devices)


def an_unbind_that_hangs(scene: Scene, facts: Object) -> None:
    """Somebody opens the device between the look and the write: only that claim waits, and the agent can end."""
    scene.claim(NIC)
    scene.ready(NIC)
    cycles(scene, TWIN, 1)
    with probed():  # as meanwhile: the probes cost the small guest more than what hangs
        facts["others before"], facts["others back before"] = _figures(scene)
    with holder(NIC) as process:
        with probed() as told:
            with unseen(process, NIC):
                begun = scene.delete(NIC)
                facts["seconds until it is told"] = round(scene.told("WriteTimedOut", NIC) - begun, 2)
                facts["message"] = scene.message(NIC)
                facts["driver while it hangs"] = rig.driver(NIC)
            since = scene.agent.position()
            facts["others meanwhile"], facts["others back meanwhile"] = _figures(scene)
        facts["probes meanwhile"] = told
        facts["metric meanwhile"] = [it for it in asked("/metrics")[1].splitlines() if NIC in it]
        facts["still waits"] = name_of(NIC) in scene.api.claims
        facts["reason meanwhile"] = [scene.reason(NIC), scene.message(NIC)]
        turns = [it for it in scene.agent.events("reconcile.finished", since=since) if it["name"] == name_of(NIC)]
        facts["turns meanwhile"] = Counter(f"{it['controller']}: {it['outcome']}" for it in turns)
        facts["SIGTERM to the end"] = round(scene.agent.stop(), 2)
        facts["exit status"] = scene.agent.process.returncode
        scene.restart()
        scene.wait_for_sync()
        there = scene.claim(TWIN)
        facts["another one's seconds to Ready with the next agent"] = round(scene.ready(TWIN) - there, 3)
        scene.give_back(TWIN)
        facts["reason with the next agent"] = [scene.reason(NIC), scene.message(NIC)]
    ended = time.monotonic()
    facts["seconds home"] = round(scene.gone(NIC) - ended, 3)
    facts["after"] = state(NIC)


def _figures(scene: Scene) -> tuple[Object, Object]:
    to_ready, to_gone = cycles(scene, TWIN, CYCLES)
    return seconds(to_ready), seconds(to_gone)


@contextmanager
def holder(*addresses: str) -> Iterator[subprocess.Popen[bytes]]:
    """A process that has devices open."""
    command = [sys.executable, "-S", str(Path(os.environ["RIG"], "vfio.py")), *addresses]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith(b"held"), "the devices cannot be held"
        try:
            yield process
        finally:
            process.kill()


@contextmanager
def unseen(process: subprocess.Popen[bytes], address: str) -> Iterator[None]:
    """Nothing tells of a holder: as if it had come after the last look."""
    idle, nobody = Path("/run/idle"), Path("/run/nobody")
    idle.write_text("0\n")
    nobody.mkdir(exist_ok=True)
    covers = ((idle, rig.device(address) / "enable"), (nobody, Path(f"/proc/{process.pid}")))
    for cover, place in covers:
        subprocess.run(["mount", "--bind", cover, place], check=True)
    try:
        yield
    finally:
        for _, place in covers:
            subprocess.run(["umount", place], check=True)


@contextmanager
def virtual_machine(log: Path, *addresses: str) -> Iterator[subprocess.Popen[bytes]]:
    """A real one, that has devices of vfio-pci."""
    command = a_machine(Path(os.environ["QEMU"]), str(log), *addresses)
    with (OUT / "machine.log").open("wb") as output, subprocess.Popen(command, stderr=output) as process:
        try:
            yield process
        finally:
            process.terminate()


def lists(log: Path, ids: Iterable[str]) -> bool:
    """Whether the firmware says that it has found devices of all these ids."""
    text = log.read_text(errors="replace") if log.exists() else ""
    return all(f"id={one}" in text for one in ids)
