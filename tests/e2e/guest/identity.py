"""Scenarios of devices that go and return: pulled, and replaced. Standard library only."""

from __future__ import annotations

import time

import rig

from tests.e2e.guest.agent import Object
from tests.e2e.guest.scene import PLUGGED, Scene, state


CARD = {"driver": "e1000e", "id": "hot", "bus": "rp0", "mac": "52:54:00:00:02:00"}
OTHER = {"driver": "igb", "id": "hot", "bus": "rp0", "mac": "52:54:00:00:02:01"}


def a_card_that_is_pulled(scene: Scene, facts: Object) -> None:
    """It is waited for and taken again; another one in its place is left alone."""
    with rig.Qmp() as qmp:

        def plug(card: dict[str, str], driver: str) -> None:
            qmp("device_add", **card)
            rig.wait_until(lambda: rig.driver(PLUGGED) in {driver, "vfio-pci"})

        def unplug() -> float:
            begun = time.monotonic()
            qmp("device_del", id=CARD["id"])
            qmp.wait_for("DEVICE_DELETED", device=CARD["id"])
            rig.wait_until(lambda: not rig.device(PLUGGED).exists())
            return begun

        plug(CARD, "e1000e")
        scene.claim(PLUGGED)
        scene.ready(PLUGGED)
        unplug()
        gone = time.monotonic()
        facts["pulled: seconds until it is told"] = round(scene.told("DeviceNotFound", PLUGGED) - gone, 2)
        facts["pulled"] = scene.message(PLUGGED)

        plug(CARD, "e1000e")
        there = time.monotonic()
        facts["the same again: seconds to Ready"] = round(scene.ready(PLUGGED) - there, 2)
        facts["the same again"] = state(PLUGGED)

        unplug()
        scene.told("DeviceNotFound", PLUGGED)
        since = scene.agent.position()
        plug(OTHER, "igb")
        scene.told("DeviceChanged", PLUGGED)
        facts["another one"] = {"message": scene.message(PLUGGED), "state": state(PLUGGED)}
        scene.give_back(PLUGGED)
        facts["another one"]["after"] = state(PLUGGED)
        facts["another one"]["steps"] = [step["step"] for step in scene.steps(PLUGGED, since=since)]
        unplug()
