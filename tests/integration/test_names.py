"""Names under which nothing can be offered, and what KubeVirt makes of names: told on the objects concerned."""

from __future__ import annotations

from datetime import datetime
from time import time

from tests.support.agent import CLAIMS, KIND, Scene, until
from tests.support.machine import NIC, PF, TWIN
from tests.support.ward import KUBEVIRTS, Ward


async def name(ward: Ward, address: str, resource: str) -> None:
    """The device has come to this name; the agent keeps names."""
    await until(lambda: ward.scene.device(address))
    ward.scene.server.patch(KIND, ward.name(address), {"status": {"resourceName": resource}})


def advertised(scene: Scene, address: str) -> str | None:
    """Why the device cannot be offered."""
    device = scene.device(address)
    assert device is not None
    conditions = device["status"]["conditions"]
    return next((c["reason"] for c in conditions if c["type"] == "Advertised"), None)


def created(ward: Ward, address: str) -> str:
    return str(ward.scene.server.get(CLAIMS, ward.name(address))["metadata"]["creationTimestamp"])


async def test_of_two_names_with_one_variable_the_second_is_refused_until_the_first_is_released(ward: Ward) -> None:
    """On the PCIDevice and on the claim, with the name of the first; the kubelet never hears of it."""
    await name(ward, NIC, "intel.com/card")
    await name(ward, TWIN, "intel.com/card")
    await name(ward, PF, "intel.com/CARD")
    await ward.make_ready(NIC)
    # Of claims of the same second the names decide.
    await until(lambda: int(time()) > datetime.fromisoformat(created(ward, NIC)).timestamp())
    ward.claim(PF)
    await ward.told(PF, "ResourceNameTaken")
    await until(lambda: advertised(ward.scene, PF) == "ResourceNameTaken")

    assert ward.allocatable(PF) == 0
    assert ward.allocatable(NIC) == 1
    assert advertised(ward.scene, NIC) is None
    assert "intel.com/card, which was claimed before" in ward.message(PF)

    ward.delete(NIC)
    await ward.told(PF, "Ready")
    await until(lambda: ward.allocatable(PF) == 1)
    await until(lambda: advertised(ward.scene, PF) is None)


async def test_a_name_that_the_kubelet_would_refuse_is_told(ward: Ward) -> None:
    await name(ward, PF, "Not/valid")
    ward.claim(PF)

    await ward.told(PF, "ResourceNameInvalid")
    await until(lambda: advertised(ward.scene, PF) == "ResourceNameInvalid")

    await ward.scene.settled()
    before = ward.scene.writes
    await ward.stop_agent()
    async with ward.scene.agent():
        await ward.scene.settled()
    assert ward.scene.writes == before


async def test_what_kubevirt_lets_through_is_told_on_the_claims_concerned(ward: Ward) -> None:
    await ward.make_ready(NIC)
    await ward.told(NIC, "Permitted", kind="Permitted")
    await ward.scene.settled()

    before = ward.scene.writes
    ward.claim(TWIN)
    await ward.told(TWIN, "Permitted", kind="Permitted")
    await ward.scene.settled()

    # The resource is known: no write more than without KubeVirt (the PCIDevice twice, if seen between two drivers).
    assert ward.scene.writes - before <= 6
    assert [entry["resourceName"] for entry in ward.permitted()] == [ward.resource(NIC)]


async def test_an_entry_that_conflicts_is_told_and_the_claim_is_ready(ward: Ward) -> None:
    entry = {"pciVendorSelector": "8086:10fb", "resourceName": "x.io/y"}
    ward.permit(permittedHostDevices={"pciHostDevices": [entry]})

    await ward.make_ready(NIC)

    await ward.told(NIC, "ConflictingPermission", kind="Permitted")
    assert ward.reason(NIC) == "Ready"
    assert ward.permitted() == [entry]


async def test_that_kubevirt_has_gone_is_told_where_it_was_known(ward: Ward) -> None:
    await ward.make_ready(NIC)
    await ward.told(NIC, "Permitted", kind="Permitted")
    await ward.stop_agent()
    ward.scene.server.delete(KUBEVIRTS, "kubevirt", "kubevirt")
    async with ward.scene.agent():
        await ward.told(NIC, "KubeVirtNotFound", kind="Permitted")
        assert ward.reason(NIC) == "Ready"
