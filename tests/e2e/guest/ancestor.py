"""Scenario: a node as the Go ancestor leaves it, taken over by this program. Standard library only."""

from __future__ import annotations

import subprocess

import rig

from tests.e2e.guest.agent import CLAIMS, NODE, Object, name_of
from tests.e2e.guest.inuse import holder
from tests.e2e.guest.scene import NIC, SPARE, TWIN, VFIO, Scene, state


MODEL = "8086 10d3"
FINALIZER = "wrangler.cattle.io/PCIDeviceClaimOnRemove"


def what_the_ancestor_left(scene: Scene, facts: Object) -> None:
    """
    Three cards of one model, bound through `new_id`; claims with the ancestor's finalizer and its two fields.

    Somebody has the second card all the time; the third one's claim was deleted when nobody was there to serve it.
    """
    scene.agent.stop()
    facts["home"] = state(NIC, TWIN, SPARE)
    subprocess.run(["modprobe", "vfio-pci"], check=True)
    for address in (NIC, TWIN, SPARE):
        rig.unbind(address)
    rig.write(VFIO / "new_id", MODEL)
    try:
        for address in (NIC, TWIN, SPARE):
            _claim(scene, address)
        scene.delete(SPARE)
        facts["before"] = state(NIC, TWIN, SPARE)
        with holder(TWIN):
            _taken_over(scene, facts)
        scene.gone(TWIN)
        scene.give_back(NIC)
    finally:
        rig.write(VFIO / "remove_id", MODEL)
    facts["after"] = state(NIC, TWIN, SPARE)


def _claim(scene: Scene, address: str) -> None:
    """What the ancestor has on the API server once it has taken the device."""
    claim = scene.api.request(
        "POST",
        CLAIMS,
        {
            "apiVersion": "devices.harvesterhci.io/v1beta1",
            "kind": "PCIDeviceClaim",
            "metadata": {"name": name_of(address), "finalizers": [FINALIZER]},
            "spec": {"address": address, "nodeName": NODE, "userName": "admin"},
        },
    )
    claim["status"] = {"kernelDriverToUnbind": "e1000e", "passthroughEnabled": True}
    scene.api.request("PUT", f"{CLAIMS}/{name_of(address)}/status", claim)


def _taken_over(scene: Scene, facts: Object) -> None:
    since = scene.agent.position()
    scene.restart()
    scene.wait_for_sync()
    scene.ready(NIC, TWIN)
    facts["taken over"] = state(NIC, TWIN)
    facts["steps"] = [step["step"] for it in (NIC, TWIN) for step in scene.steps(it, since=since)]
    facts["status"] = scene.api.claims[name_of(TWIN)]["status"]
    scene.gone(SPARE)
    facts["deleted before"] = state(SPARE)
    scene.delete(TWIN)
    scene.told("DeviceInUse", TWIN)
    facts["held"] = state(TWIN)
