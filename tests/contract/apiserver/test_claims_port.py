"""The port `Claims`: each write is of the version that was read, and no other."""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING, Any

import pytest

from pcidevices.adapters.kube.claims import KubeClaims
from pcidevices.api.crd import definitions
from pcidevices.api.v1beta1 import GIVE_BACK_FINALIZER, ClaimedDevice, Condition, PCIDeviceClaimStatus
from pcidevices.errors import Conflict, NotFound
from tests.contract.apiserver.claiming import CLAIMS, DEFINITIONS, make_claim, read_claim, until
from tests.support.following import following


if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from pcidevices.adapters.kube.client import KubeClient
    from pcidevices.domain.claim import Claim
    from tests.contract.apiserver.client import Api


NAME = "janus-000004000"
OTHER = "example.com/backup"
STATUS = PCIDeviceClaimStatus(
    kernel_driver_to_unbind="nvidia",
    passthrough_enabled=True,
    claimed=ClaimedDevice(vendor_id="10de", device_id="1c02", serial_number="12-34"),
    conditions=(
        Condition(
            type="Ready",
            status="True",
            reason="Ready",
            last_transition_time="2026-11-21T10:00:00Z",
            observed_generation=1,
        ),
    ),
)
WRITES: dict[str, Callable[[KubeClaims, Claim], Awaitable[object]]] = {
    "hold": lambda claims, claim: claims.hold(claim),
    "write_status": lambda claims, claim: claims.write_status(claim, STATUS),
    "release": lambda claims, claim: claims.release(claim),
}


@pytest.fixture
def claims(client: KubeClient) -> KubeClaims:
    return KubeClaims(client, "janus")


async def finalizers(api: Api) -> list[str]:
    """Those of the claim, now."""
    found: list[str] = (await api.get(f"{CLAIMS}/{NAME}"))["metadata"].get("finalizers", [])
    return found


async def test_the_claims_of_the_node_are_listed_and_no_other(api: Api, claims: KubeClaims) -> None:
    await make_claim(api, NAME, "janus")
    await make_claim(api, "other-000004000", "other")

    async with following(claims.lists()) as followed:
        await followed.until(lambda items: [claim.name for claim in items] == [NAME])
        await make_claim(api, "janus-000005000", "janus")
        await followed.until(lambda items: len(items) == 2)
        await api.delete(f"{CLAIMS}/{NAME}")

        left = await followed.until(lambda items: len(items) == 1)

    assert [claim.name for claim in left.items] == ["janus-000005000"]


async def test_to_hold_a_claim_is_to_put_our_finalizer_beside_those_of_others(
    api: Api, client: KubeClient, claims: KubeClaims
) -> None:
    await make_claim(api, NAME, "janus", OTHER)
    before = await read_claim(client, NAME, "janus")

    held = await claims.hold(before)

    assert held == await read_claim(client, NAME, "janus")
    assert held.finalizers == (OTHER, GIVE_BACK_FINALIZER)
    assert held.version > before.version


async def test_a_status_goes_to_the_server_and_back(api: Api, client: KubeClient, claims: KubeClaims) -> None:
    await make_claim(api, NAME, "janus")

    written = await claims.write_status(await read_claim(client, NAME, "janus"), STATUS)

    assert written.status == STATUS
    assert written == await read_claim(client, NAME, "janus")


async def test_what_is_not_there_any_more_is_taken_out(api: Api, client: KubeClient, claims: KubeClaims) -> None:
    await make_claim(api, NAME, "janus")
    claim = await claims.write_status(await read_claim(client, NAME, "janus"), STATUS)

    less = await claims.write_status(claim, PCIDeviceClaimStatus(kernel_driver_to_unbind="nvidia"))

    assert less.status == PCIDeviceClaimStatus(kernel_driver_to_unbind="nvidia")
    assert (await api.get(f"{CLAIMS}/{NAME}"))["status"] == {"kernelDriverToUnbind": "nvidia"}


async def test_the_status_is_all_that_a_write_of_the_status_reaches(
    api: Api, client: KubeClient, claims: KubeClaims
) -> None:
    made = await make_claim(api, NAME, "janus", OTHER)

    await claims.write_status(await read_claim(client, NAME, "janus"), STATUS)

    now = (await api.get(f"{CLAIMS}/{NAME}")).body
    assert now["spec"] == made["spec"]
    assert now["metadata"]["finalizers"] == [OTHER]
    assert now["metadata"]["generation"] == 1


@pytest.mark.parametrize("write", WRITES)
async def test_an_old_version_is_a_conflict(api: Api, client: KubeClient, claims: KubeClaims, write: str) -> None:
    await make_claim(api, NAME, "janus", OTHER)
    old = await read_claim(client, NAME, "janus")
    await api.patch(f"{CLAIMS}/{NAME}", {"metadata": {"labels": {"team": "blue"}}})
    before = await read_claim(client, NAME, "janus")

    with pytest.raises(Conflict, match=NAME):
        await WRITES[write](claims, old)

    assert await read_claim(client, NAME, "janus") == before


@pytest.mark.parametrize("write", WRITES)
async def test_another_claim_of_the_same_name_is_a_conflict(
    api: Api, client: KubeClient, claims: KubeClaims, write: str
) -> None:
    await make_claim(api, NAME, "janus")
    old = await read_claim(client, NAME, "janus")
    await api.delete(f"{CLAIMS}/{NAME}")
    await make_claim(api, NAME, "janus")
    before = await read_claim(client, NAME, "janus")

    with pytest.raises(Conflict, match=NAME):
        await WRITES[write](claims, old)

    assert before.uid != old.uid
    assert await read_claim(client, NAME, "janus") == before


@pytest.mark.parametrize("write", WRITES)
async def test_a_claim_that_is_gone_is_not_found(api: Api, client: KubeClient, claims: KubeClaims, write: str) -> None:
    await make_claim(api, NAME, "janus")
    old = await read_claim(client, NAME, "janus")
    await api.delete(f"{CLAIMS}/{NAME}")

    with pytest.raises(NotFound, match=NAME):
        await WRITES[write](claims, old)


async def test_a_claim_that_is_being_deleted_goes_when_it_is_released(
    api: Api, client: KubeClient, claims: KubeClaims
) -> None:
    await make_claim(api, NAME, "janus")
    await claims.hold(await read_claim(client, NAME, "janus"))
    await api.delete(f"{CLAIMS}/{NAME}")
    going = await read_claim(client, NAME, "janus")
    assert going.deleting

    await claims.release(going)

    assert (await api.get(f"{CLAIMS}/{NAME}")).status == 404


async def test_a_status_can_still_be_written_while_the_claim_is_being_deleted(
    api: Api, client: KubeClient, claims: KubeClaims
) -> None:
    await make_claim(api, NAME, "janus", GIVE_BACK_FINALIZER)
    await api.delete(f"{CLAIMS}/{NAME}")

    written = await claims.write_status(await read_claim(client, NAME, "janus"), STATUS)

    assert (written.status, written.deleting) == (STATUS, True)


async def test_the_finalizers_of_others_stay_when_it_is_released(
    api: Api, client: KubeClient, claims: KubeClaims
) -> None:
    await make_claim(api, NAME, "janus", OTHER, GIVE_BACK_FINALIZER)
    await api.delete(f"{CLAIMS}/{NAME}")

    await claims.release(await read_claim(client, NAME, "janus"))

    assert await finalizers(api) == [OTHER]


async def test_a_claim_that_is_being_deleted_cannot_be_held_any_more(
    api: Api, client: KubeClient, claims: KubeClaims
) -> None:
    """The API server takes no new finalizer then, so a device is never bound for a claim that may go at any moment."""
    await make_claim(api, NAME, "janus", OTHER)
    await api.delete(f"{CLAIMS}/{NAME}")

    with pytest.raises(Exception, match="no new finalizers can be added"):
        await claims.hold(await read_claim(client, NAME, "janus"))


async def test_a_status_that_does_not_fit_is_repaired(api: Api, client: KubeClient, claims: KubeClaims) -> None:
    """It was written while the definition was another one; what does not belong there goes, bit by bit."""
    misshapen = {"passthroughEnabled": "yes", "conditions": "all is well", "kernelDriverToUnbind": "nvidia"}
    await make_claim(api, NAME, "janus")
    definition = f"{DEFINITIONS}/pcideviceclaims.devices.harvesterhci.io"
    strict = next(one for one in definitions() if one["metadata"]["name"].startswith("pcideviceclaims"))
    await api.patch(definition, {"spec": {"versions": loosened(strict)["spec"]["versions"]}})

    async def it_is_written() -> bool:
        await api.patch(f"{CLAIMS}/{NAME}/status", {"status": misshapen})
        return bool((await api.get(f"{CLAIMS}/{NAME}")).body.get("status") == misshapen)

    async def the_server_is_strict_again() -> bool:
        tried = await api.patch(f"{CLAIMS}/{NAME}/status", {"status": {"wasOnVfio": "no"}}, dryRun="All")
        return tried.status == 422

    await until(it_is_written)
    await api.patch(definition, {"spec": {"versions": strict["spec"]["versions"]}})
    await until(the_server_is_strict_again)
    claim = await read_claim(client, NAME, "janus")
    assert claim.misshapen_status == misshapen

    repaired = await claims.write_status(claim, STATUS)

    assert (repaired.status, repaired.misshapen_status) == (STATUS, {})


def loosened(definition: dict[str, Any]) -> dict[str, Any]:
    """The same definition, with any status."""
    loose = deepcopy(definition)
    properties = loose["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]
    properties["status"] = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    return loose
