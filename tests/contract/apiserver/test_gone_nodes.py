"""The claims of nodes that are gone, and the Lease by which one of many agents ends them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import anyio
import pytest

from structlog.testing import capture_logs

from pcidevices.adapters.kube.clusterclaims import KubeClusterClaims
from pcidevices.adapters.kube.leases import KubeLeases
from pcidevices.api.v1beta1 import GIVE_BACK_FINALIZER
from pcidevices.controllers.election import Election
from pcidevices.controllers.gonenodes import GoneNodes
from pcidevices.domain.lease import Lease
from pcidevices.errors import Conflict, NotFound, Refused
from tests.contract.apiserver.claiming import (
    CLAIMS,
    NODES,
    held_claim,
    make_claim,
    make_node,
    names_of_claims,
    until,
)


if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from pcidevices.adapters.kube.client import KubeClient
    from tests.contract.apiserver.client import Api


OTHER = "example.com/backup"
TIME = "2026-01-01T00:00:00.000000Z"
LEASE = Lease(holder="one", seconds=15, acquired=TIME, renewed=TIME)


@pytest.fixture
def leases(api: Api, client: KubeClient) -> KubeLeases:
    return KubeLeases(client, api.namespace)


@pytest.fixture
async def here(api: Api) -> AsyncIterator[str]:
    """The name of a Node that exists."""
    name = f"here-{api.namespace}"
    await make_node(api, name)
    yield name
    await api.delete(f"{NODES}/{name}")


def an_agent(client: KubeClient, api: Api, node: str, *, grace: float = 0.3, seconds: int = 2) -> GoneNodes:
    """One agent's search, in a hurry."""
    return GoneNodes(
        node,
        claims=KubeClusterClaims(client),
        election=Election(KubeLeases(client, api.namespace), node, seconds=seconds),
        every=0.2,
        grace=grace,
    )


async def holder(api: Api) -> str | None:
    lease = await api.get(f"/apis/coordination.k8s.io/v1/namespaces/{api.namespace}/leases/pcidevices-gone-nodes")
    return lease["spec"]["holderIdentity"] if lease.status == 200 else None


async def test_a_lease_is_made_once(leases: KubeLeases) -> None:
    assert await leases.read() is None

    made = await leases.create(LEASE)

    assert await leases.read() == made
    assert replace(made, version="") == LEASE
    with pytest.raises(Conflict):
        await leases.create(LEASE)


async def test_a_lease_is_written_with_the_version_that_was_read(leases: KubeLeases) -> None:
    made = await leases.create(LEASE)

    taken = await leases.write(made.taken("two", seconds=20, now="2026-01-02T00:00:00.000000Z"))

    assert (taken.holder, taken.seconds, taken.transitions) == ("two", 20, 1)
    with pytest.raises(Conflict):
        await leases.write(made.kept(TIME))
    assert await leases.read() == taken


async def test_a_lease_can_belong_to_nobody(leases: KubeLeases) -> None:
    made = await leases.create(LEASE)

    given_up = await leases.write(made.given_up(TIME))

    assert given_up == await leases.read()
    assert given_up.holder == ""


@pytest.mark.parametrize("change", [{"seconds": 0}, {"transitions": -1}, {"renewed": "2026-01-01T00:00:00Z"}])
async def test_a_lease_makes_sense(leases: KubeLeases, change: dict[str, int | str]) -> None:
    with pytest.raises(Refused):
        await leases.create(replace(LEASE, **change))  # type: ignore[arg-type]


async def test_all_claims_are_found_page_by_page(api: Api, client: KubeClient) -> None:
    for number in range(5):
        await held_claim(api, f"claim-{number}", f"node-{number}", OTHER)

    found = await KubeClusterClaims(client, page=2).everywhere()

    assert [(claim.name, claim.node_name) for claim in found] == [(f"claim-{n}", f"node-{n}") for n in range(5)]
    assert found[0].finalizers == (OTHER, GIVE_BACK_FINALIZER)
    assert found[0].uid == (await api.get(f"{CLAIMS}/claim-0"))["metadata"]["uid"]


@pytest.mark.parametrize(
    "name", ["nowhere", "..", ".", "a/b", "", "a?b", "A", "%2e%2e", "-a", "a" * 254, "\u0661", "a\n"]
)
async def test_what_cannot_be_a_node_is_none(client: KubeClient, name: str) -> None:
    """Whatever a claim says: it names a Node, and never another path."""
    assert not await KubeClusterClaims(client).has_node(name)


async def test_a_node_that_exists_is_one(client: KubeClient, here: str) -> None:
    assert await KubeClusterClaims(client).has_node(here)


async def test_what_is_deleted_is_just_what_was_seen(api: Api, client: KubeClient) -> None:
    claims = KubeClusterClaims(client)
    await held_claim(api, "a", "gone")
    (old,) = await claims.everywhere()
    await api.patch(f"{CLAIMS}/a", {"metadata": {"labels": {"team": "blue"}}})

    with pytest.raises(Conflict):
        await claims.delete(old)
    with pytest.raises(Conflict):
        await claims.release(old)

    assert "deletionTimestamp" not in (await api.get(f"{CLAIMS}/a"))["metadata"]


async def test_what_nothing_keeps_is_gone_when_it_is_deleted(api: Api, client: KubeClient) -> None:
    claims = KubeClusterClaims(client)
    await make_claim(api, "a", "gone")
    (seen,) = await claims.everywhere()

    assert await claims.delete(seen) is None

    assert await names_of_claims(api) == set()
    with pytest.raises(NotFound):
        await claims.delete(seen)
    with pytest.raises(NotFound):
        await claims.release(seen)


async def test_what_is_left_of_a_deleted_claim_can_be_released(api: Api, client: KubeClient) -> None:
    claims = KubeClusterClaims(client)
    await held_claim(api, "a", "gone")
    (seen,) = await claims.everywhere()

    left = await claims.delete(seen)
    assert left is not None
    assert left.deleting
    await claims.release(left)

    assert await names_of_claims(api) == set()


async def test_the_claims_of_a_gone_node_are_ended_and_no_others(api: Api, client: KubeClient, here: str) -> None:
    there = f"there-{api.namespace}"
    await make_node(api, there)
    await held_claim(api, "mine", here)
    await held_claim(api, "theirs", there)
    await held_claim(api, "lost", "gone")
    await held_claim(api, "kept", "gone", OTHER)
    await make_claim(api, "typo", "jnaus")

    async def ended() -> bool:
        left = await names_of_claims(api) == {"mine", "theirs", "kept"}
        return left and await holder(api) == ""

    async with anyio.create_task_group() as tg:
        tg.start_soon(an_agent(client, api, here).run)
        await until(ended)
        tg.cancel_scope.cancel()

    kept = (await api.get(f"{CLAIMS}/kept"))["metadata"]
    assert kept["finalizers"] == [OTHER]
    assert "deletionTimestamp" in kept
    for name in ("mine", "theirs"):
        assert "deletionTimestamp" not in (await api.get(f"{CLAIMS}/{name}"))["metadata"]
    await api.delete(f"{NODES}/{there}")


async def test_a_node_that_comes_back_keeps_its_claims(api: Api, client: KubeClient, here: str) -> None:
    back = f"back-{api.namespace}"
    await held_claim(api, "a", back)
    before = (await api.get(f"{CLAIMS}/a")).body
    agent = an_agent(client, api, here, grace=0)
    waiting = an_agent(client, api, here, grace=3600)
    await waiting.look()
    await make_node(api, back)

    await waiting.look()
    await agent.look()

    assert (await api.get(f"{CLAIMS}/a")).body == before
    assert await holder(api) is None
    await api.delete(f"{NODES}/{back}")


async def test_at_rest_nobody_takes_the_lease(api: Api, client: KubeClient, here: str) -> None:
    await held_claim(api, "mine", here)
    before = (await api.get(CLAIMS)).version
    agent = an_agent(client, api, here)

    for _ in range(3):
        await agent.look()

    assert await holder(api) is None
    assert (await api.get(f"{CLAIMS}/mine")).version <= before


async def test_of_two_agents_one_acts(api: Api, client: KubeClient, here: str) -> None:
    names = {f"claim-{number}" for number in range(10)}
    for name in names:
        await held_claim(api, name, "gone")
    agents = [an_agent(client, api, here, grace=0) for _ in range(2)]

    with capture_logs() as logs:
        for _ in range(2):
            async with anyio.create_task_group() as tg:
                for agent in agents:
                    tg.start_soon(agent.look)

    for done in ("orphan.deleted", "orphan.released"):
        assert sorted(entry["claim"] for entry in logs if entry["event"] == done) == sorted(names)
    assert {entry["event"] for entry in logs} == {
        "claim.orphaned",
        "lease.acquired",
        "orphan.deleted",
        "orphan.released",
    }
    assert await names_of_claims(api) == set()
    assert await holder(api) == ""


async def test_the_lease_of_a_dead_agent_is_taken_over_when_it_has_lasted(
    api: Api, client: KubeClient, leases: KubeLeases, here: str
) -> None:
    """It is seen to be silent for a second, whatever its clock said."""
    await held_claim(api, "a", "gone")
    await leases.create(replace(LEASE, seconds=1, renewed="2999-01-01T00:00:00.000000Z"))
    agent = an_agent(client, api, here, grace=0)
    began = anyio.current_time()

    await agent.look()

    assert anyio.current_time() - began >= 1
    assert "deletionTimestamp" in (await api.get(f"{CLAIMS}/a"))["metadata"]
    assert (await leases.read() or LEASE).transitions == 1
