"""Scenarios of every day: claim and release of each kind of device, and what it costs. Standard library only."""

from __future__ import annotations

import os
import time

from itertools import pairwise

import rig

from tests.e2e.guest.agent import DEVICES, Object, driver_is, name_of
from tests.e2e.guest.scene import (
    DATA_DISK,
    GPU,
    NIC,
    PAIR,
    PF,
    SOUND,
    TWIN,
    VF,
    Scene,
    on_vfio,
    seconds,
    state,
)


CYCLES = int(os.environ.get("PCIDEVICES_TEST_CYCLES") or 4)
"""For a figure; more are worth a try now and then."""
OLD_NIC = "0000:01:01.0"
AT_REST = 12.0


def every_kind_of_device(scene: Scene, facts: Object) -> None:
    """To vfio-pci and back: a NIC, a virtual function, an NVMe disk, one behind a bridge, and a GPU with its audio."""
    rig.write(rig.device(PF) / "sriov_numvfs", "1")
    rig.wait_until(lambda: rig.driver(VF))
    scene.api.wait_until(lambda objects: bool(objects.get(name_of(VF), {}).get("status")))
    for devices in ((NIC,), (VF,), (DATA_DISK,), (OLD_NIC,), (GPU, SOUND)):
        seen: Object = {"before": state(*devices)}
        scene.claim(*devices)
        scene.ready(*devices)
        seen |= {"claimed": state(*devices), "on vfio": on_vfio()}
        seen["seconds back"] = round(scene.give_back(*devices), 3)
        seen |= {"after": state(*devices), "on vfio after": on_vfio()}
        facts[" ".join(devices)] = seen
    rig.write(rig.device(PF) / "sriov_numvfs", "0")


def a_group(scene: Scene, facts: Object) -> None:
    """One of a group is bound and not Ready; the other one's claim makes both so."""
    for one, other in ((GPU, SOUND), PAIR):
        scene.claim(one)
        scene.told("GroupNotViable", one)
        facts[one] = {"message": scene.message(one), "sibling": rig.driver(other), "driver": rig.driver(one)}
        scene.claim(other)
        scene.ready(one, other)
        scene.delete(other)
        scene.gone(other)
        scene.told("GroupNotViable", one)
        scene.give_back(one)
        facts[one]["after"] = state(one, other)


def twins(scene: Scene, facts: Object) -> None:
    """Of two with the same ids only the claimed one moves, even when the other has no driver."""
    scene.claim(NIC)
    scene.ready(NIC)
    facts["with a driver"] = state(NIC, TWIN)
    scene.give_back(NIC)

    rig.unbind(TWIN)
    scene.claim(NIC)
    scene.ready(NIC)
    facts["without"] = state(NIC, TWIN)
    rig.write(rig.BUS / "drivers/e1000e/bind", TWIN)
    scene.give_back(NIC)
    facts["after"] = state(NIC, TWIN)


def cycles(scene: Scene, address: str, count: int) -> tuple[list[float], list[float]]:
    """Claim and release so often: the seconds to Ready, and to the claim's end, as the watch saw them."""
    to_ready, to_gone = [], []
    for _ in range(count):
        there = scene.claim(address)
        to_ready.append(scene.ready(address) - there)
        to_gone.append(scene.give_back(address))
        # The PCIDevice follows; a claim that is made meanwhile would share the processor with it.
        scene.api.wait_until(driver_is(address, rig.driver(address)))
    return to_ready, to_gone


def times(scene: Scene, facts: Object) -> None:
    """How long it takes, how much of that is the agent's, and how much the kernel's."""
    cycles(scene, TWIN, 1)
    since = scene.agent.position()
    to_ready, to_gone = cycles(scene, TWIN, CYCLES)
    facts |= {"create to Ready": seconds(to_ready), "delete to gone": seconds(to_gone)}

    # Steps and ends of reconciles in the order in which they were logged: a reconcile's steps stand before its end.
    steps = [(step["timestamp"], "step", step) for step in scene.steps(TWIN, since=since)]
    ends = [
        (end["timestamp"], "end", end)
        for end in scene.agent.events("reconcile.finished", since=since)
        if end["controller"] == "claims"
    ]
    taken: list[Object] = []
    told: dict[str, list[float]] = {}
    for _, kind, event in sorted([*steps, *ends], key=lambda entry: (entry[0], entry[1] == "end")):
        if kind == "step":
            taken.append(event)
        elif taken:
            way = "bind" if str(taken[0]["step"]).startswith("set") else "give back"
            told.setdefault(f"reconcile: {way}", []).append(float(event["seconds"]))
            told.setdefault(f"kernel: {way}", []).append(sum(float(step["seconds"]) for step in taken))
            taken = []
    facts |= {what: seconds(values) for what, values in told.items()}
    facts["steps of one cycle"] = [f"{step['step']}: {step['seconds']}" for _, _, step in steps[:8]]
    asked = [time.monotonic()]
    for _ in range(5):
        scene.api.get(f"{DEVICES}/{name_of(NIC)}")
        asked.append(time.monotonic())
    facts["one request with a new connection"] = seconds([after - before for before, after in pairwise(asked)])


def cost(scene: Scene, facts: Object) -> None:
    """Moments between which the audit log tells what one claim costs, and what a claim that stands does."""
    time.sleep(4)  # waits: so that what comes late is not counted with the next
    facts["claim"] = [time.time()]
    scene.claim(NIC)
    scene.ready(NIC)
    time.sleep(4)  # waits: so that what comes late is not counted with the next
    facts["claim"].append(time.time())
    scans = scene.agent.scans()
    facts["rest"] = [time.time()]
    time.sleep(AT_REST)  # waits: what is asked meanwhile is the figure
    facts["rest"].append(time.time())
    facts["scans at rest"] = scene.agent.scans() - scans
    facts["release"] = [time.time()]
    scene.give_back(NIC)
    time.sleep(4)  # waits: so that what comes late is not counted with the next
    facts["release"].append(time.time())
