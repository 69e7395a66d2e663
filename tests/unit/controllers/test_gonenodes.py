"""The claims of a node that is gone are ended, by one agent, after a grace; nothing else is."""

from __future__ import annotations

from dataclasses import replace

import pytest

from anyio import CancelScope, create_task_group, current_time, move_on_after, sleep
from structlog.testing import capture_logs

from pcidevices.api.v1beta1 import GIVE_BACK_FINALIZER
from pcidevices.controllers.election import Election
from pcidevices.controllers.gonenodes import GoneNodes
from pcidevices.errors import Forbidden, Throttled, Unavailable

from .whole_cluster import WholeCluster


OTHER = "example.com/backup"
GRACE = 300.0


def an_agent(cluster: WholeCluster, node: str = "janus", *, every: float = 300.0, grace: float = GRACE) -> GoneNodes:
    return GoneNodes(node, claims=cluster, election=Election(cluster, node), every=every, grace=grace)


async def run_for(seconds: float, *agents: GoneNodes) -> None:
    with move_on_after(seconds):
        async with create_task_group() as tg:
            for agent in agents:
                tg.start_soon(agent.run)


async def test_the_claims_of_a_gone_node_are_ended_after_the_grace() -> None:
    cluster = WholeCluster("janus")
    cluster.claim("a", "gone")
    cluster.claim("b", "gone")
    agent = an_agent(cluster)

    await agent.look()
    assert cluster.writes == []
    await sleep(GRACE)
    await agent.look()
    assert all(claim.deleting and claim.is_held for claim in cluster.claims.values())
    await sleep(GRACE)
    await agent.look()

    assert cluster.claims == {}
    assert cluster.lease is not None
    assert cluster.lease.holder == ""


async def test_an_agent_that_runs_without_its_node_has_a_grace_to_give_back() -> None:
    """Whoever deleted the claim, another agent included: from then on it is counted anew."""
    cluster = WholeCluster("janus", "two")
    cluster.claim("a", "gone")
    first, second = an_agent(cluster), an_agent(cluster, "two")
    await first.look()
    await second.look()
    await sleep(GRACE)
    await first.look()
    await second.look()
    await sleep(GRACE - 1)
    await first.look()
    await second.look()

    assert cluster.claims["a"].is_held


async def test_an_agent_comes_back_when_the_grace_has_passed() -> None:
    cluster = WholeCluster("janus")
    cluster.claim("a", "gone")

    await run_for(300 + 2 * GRACE + 1, an_agent(cluster))

    assert cluster.claims == {}


async def test_at_rest_nothing_is_written() -> None:
    """Claims whose nodes exist, and the agent's own, cost a look now and then."""
    cluster = WholeCluster("janus", "other")
    cluster.claim("a", "janus")
    cluster.claim("b", "other")

    await run_for(86400, an_agent(cluster))

    assert cluster.writes == []
    assert cluster.lease is None
    assert cluster.requests.count("list claims") == pytest.approx(288, rel=0.1)
    assert "get janus" not in cluster.requests


async def test_the_agents_own_claims_are_its_own_business() -> None:
    """Even while its Node does not exist."""
    cluster = WholeCluster()
    cluster.claim("a", "janus")

    await run_for(3600, an_agent(cluster))

    assert set(cluster.requests) == {"list claims"}


async def test_a_node_that_comes_back_within_the_grace_is_left_alone() -> None:
    cluster = WholeCluster("janus")
    before = cluster.claim("a", "rebooted")
    agent = an_agent(cluster)
    await agent.look()
    cluster.nodes.add("rebooted")
    with capture_logs() as logs:
        await agent.look()
    cluster.nodes.remove("rebooted")
    await sleep(GRACE / 2)
    await agent.look()  # gone again: the grace begins anew
    await sleep(GRACE - 1)
    await agent.look()

    assert cluster.claims == {"a": before}
    assert cluster.writes == []
    assert [entry["event"] for entry in logs] == ["node.returned"]


async def test_a_node_that_comes_back_while_the_lease_is_awaited_is_left_alone() -> None:
    cluster = WholeCluster("janus")
    before = cluster.claim("a", "rebooted")
    await Election(cluster, "dead").acquire()
    agent = an_agent(cluster)
    await agent.look()
    await sleep(GRACE)

    async with create_task_group() as tg:
        tg.start_soon(agent.look)
        await sleep(5)
        cluster.nodes.add("rebooted")

    assert cluster.claims == {"a": before}


async def test_other_finalizers_stay() -> None:
    cluster = WholeCluster("janus")
    cluster.claim("a", "gone", OTHER, GIVE_BACK_FINALIZER)

    await run_for(3600, an_agent(cluster))

    assert cluster.claims["a"].deleting
    assert cluster.claims["a"].finalizers == (OTHER,)


async def test_what_only_others_keep_is_left_to_them() -> None:
    """No Lease is taken for it, round after round."""
    cluster = WholeCluster("janus")
    cluster.claim("a", "gone", OTHER, deleting=True)

    await run_for(3600, an_agent(cluster))

    assert cluster.writes == []


async def test_a_claim_that_was_deleted_before_its_node_went_is_let_go() -> None:
    cluster = WholeCluster("janus")
    cluster.claim("a", "gone", deleting=True)

    await run_for(3600, an_agent(cluster))

    assert cluster.claims == {}
    assert "delete a" not in cluster.requests


async def test_a_claim_for_a_node_that_never_was_is_told_and_ended() -> None:
    cluster = WholeCluster("janus")
    cluster.claim("typo", "jnaus", OTHER)
    cluster.claim("held", "gone")
    agent = an_agent(cluster)

    with capture_logs() as logs:
        await agent.look()
        await agent.look()
    await sleep(GRACE)
    await agent.look()
    await sleep(GRACE)
    await agent.look()

    told = [(entry["event"], entry["claim"], entry["node"]) for entry in logs]
    assert told == [("claim.orphaned", "held", "gone"), ("claim.orphaned", "typo", "jnaus")]
    assert logs[0]["hint"] != logs[1]["hint"]
    assert {entry["deleted_in"] for entry in logs} == {300}
    assert cluster.claims["typo"].deleting
    assert "held" not in cluster.claims


async def test_a_claim_that_somebody_writes_meanwhile_is_looked_at_anew() -> None:
    """What is deleted is exactly what was seen: not a new claim of that name, nor one that was changed."""
    cluster = WholeCluster("janus")
    cluster.claim("a", "gone")
    await Election(cluster, "dead").acquire()
    agent = an_agent(cluster)
    await agent.look()
    await sleep(GRACE)

    async with create_task_group() as tg:
        tg.start_soon(agent.look)
        await sleep(5)
        del cluster.claims["a"]
        again = cluster.claim("a", "janus")

    assert cluster.claims == {"a": again}


async def test_of_many_agents_one_acts() -> None:
    cluster = WholeCluster("a", "b", "c", "d")
    for number in range(5):
        cluster.claim(f"claim-{number}", "gone")

    await run_for(1200, *(an_agent(cluster, node) for node in "abcd"))

    assert cluster.claims == {}
    assert sorted(asked for asked in cluster.writes if "claim" in asked) == sorted(
        f"{verb} claim-{number}" for number in range(5) for verb in ("delete", "release")
    )
    assert cluster.lease is not None
    assert cluster.lease.holder == ""


async def test_an_agent_whose_own_node_is_not_known_believes_nothing_of_others() -> None:
    """Something answers that does not know the nodes of this cluster."""
    cluster = WholeCluster()
    before = cluster.claim("a", "other")

    with capture_logs() as logs:
        await run_for(1200, an_agent(cluster))

    assert cluster.claims == {"a": before}
    assert cluster.writes == []
    assert {entry["event"] for entry in logs} == {"claim.orphaned", "search.failed"}


@pytest.mark.parametrize("verb", ["list", "get", "read", "create", "delete", "release"])
async def test_trouble_ends_the_round_and_the_next_does_the_rest(verb: str) -> None:
    cluster = WholeCluster("janus")
    cluster.claim("a", "gone", deleting=verb == "release")
    agent = an_agent(cluster)
    await agent.look()
    await sleep(GRACE)

    for error in (Forbidden("no"), Unavailable("away"), Throttled("later", retry_after=1)):
        with cluster.in_trouble(**{verb: error}), capture_logs() as logs:
            await agent.look()
        assert [entry["reason"] for entry in logs if entry["event"] == "search.failed"] == [error.reason]
        assert "a" in cluster.claims
    await agent.look()
    await sleep(GRACE)
    await agent.look()
    await sleep(GRACE)
    await agent.look()

    assert cluster.claims == {}


async def test_a_defect_ends_a_round_and_not_the_process() -> None:
    cluster = WholeCluster("janus")
    cluster.claim("a", "gone")
    agent = an_agent(cluster)

    def fail() -> None:
        raise ValueError

    cluster.at_each_request = fail
    with capture_logs() as logs:
        await agent.look()
    cluster.at_each_request = lambda: None

    await run_for(1200, agent)

    assert [entry["event"] for entry in logs] == ["search.crashed"]
    assert cluster.claims == {}


async def test_the_lease_is_renewed_for_as_long_as_the_work_takes() -> None:
    cluster = WholeCluster("janus")
    for name in "abcdef":
        cluster.claim(name, "gone", deleting=True)
    agent = an_agent(cluster)
    await agent.look()
    await sleep(GRACE)
    cluster.seconds = lambda asked: 4.0 if asked == "get gone" else 0.0
    began = current_time()

    async with create_task_group() as tg:
        tg.start_soon(agent.look)
        await sleep(8)
        assert not await Election(cluster, "other").acquire()

    assert cluster.claims == {}
    assert current_time() - began > 24


async def test_who_cannot_be_sure_of_the_lease_stops() -> None:
    """An answer that takes longer than the Lease lasts: somebody else may be at work by then."""
    cluster = WholeCluster("janus")
    cluster.claim("a", "gone")
    agent = an_agent(cluster)
    await agent.look()
    await sleep(GRACE)
    cluster.seconds = lambda asked: 1000.0 if asked == "delete a" else 0.0
    began = current_time()

    with capture_logs() as logs:
        await agent.look()

    assert current_time() - began < 15
    assert [entry["event"] for entry in logs] == ["lease.acquired", "search.failed"]
    assert "a" in cluster.claims


async def test_who_has_lost_the_lease_stops() -> None:
    """It was held up for longer than the Lease lasts, and another has taken over."""
    cluster = WholeCluster("janus")
    for name in "ab":
        cluster.claim(name, "gone", deleting=True)
    agent = an_agent(cluster)
    await agent.look()
    await sleep(GRACE)

    def taken_over(asked: str) -> float:
        if asked == "release a" and cluster.lease is not None:
            cluster.put_lease(cluster.lease.taken("other", seconds=15, now="2026-01-01T00:00:00.000000Z"))
            return 6.0
        return 0.0

    cluster.seconds = taken_over
    with capture_logs() as logs:
        await agent.look()

    assert [entry["event"] for entry in logs] == ["lease.acquired", "orphan.released", "lease.lost"]
    assert cluster.claims.keys() == {"b"}
    assert cluster.lease is not None
    assert cluster.lease.holder == "other"


@pytest.mark.parametrize(("seconds", "holder"), [(0.5, ""), (1000.0, "janus")])
async def test_an_agent_that_ends_gives_the_lease_up_if_the_server_answers_soon(seconds: float, holder: str) -> None:
    """Nobody need wait for it to run out, and the end of the agent waits for nobody."""
    cluster = WholeCluster("janus")
    cluster.claim("a", "gone")
    agent = an_agent(cluster)
    await agent.look()
    await sleep(GRACE)
    cluster.seconds = lambda asked: {"delete a": 5.0, "write lease": seconds}.get(asked, 0.0)
    began = current_time()

    with move_on_after(1):
        await agent.look()

    assert cluster.lease is not None
    assert cluster.lease.holder.partition("_")[0] == holder
    assert current_time() - began < 1 + 1.5


async def test_a_claim_that_is_made_later_has_a_grace_of_its_own() -> None:
    """Somebody may claim what a node will have when it joins."""
    cluster = WholeCluster("janus")
    cluster.claim("a", "gone", deleting=True)
    agent = an_agent(cluster)
    await agent.look()
    await sleep(GRACE - 1)
    early = cluster.claim("b", "gone", OTHER)
    await agent.look()
    await sleep(2)
    await agent.look()

    assert cluster.claims == {"b": early}


async def test_a_large_cluster_is_not_asked_for_all_its_nodes_by_each() -> None:
    names = [f"node-{number:04}" for number in range(1000)]
    cluster = WholeCluster("janus", *names)
    for name in names:
        cluster.claim(name, name)

    await an_agent(cluster).look()

    assert len(cluster.requests) == 21


async def test_a_node_in_doubt_is_asked_for_in_each_round() -> None:
    names = [f"node-{number:04}" for number in range(100)]
    cluster = WholeCluster("janus", *names)
    for name in names:
        cluster.claim(name, name)
    cluster.nodes.remove("node-0007")

    await run_for(86400, an_agent(cluster))

    assert "node-0007" not in cluster.claims
    assert len(cluster.claims) == 99


async def test_a_crash_between_any_two_requests_is_survived() -> None:
    """Cancelled at each point of the work; the next process, of the same node, does the rest."""
    points = 0
    while True:
        cluster = WholeCluster("janus", "alive")
        alive = cluster.claim("alive", "alive")
        cluster.claim("a", "gone")
        cluster.claim("b", "gone", OTHER, GIVE_BACK_FINALIZER)
        first = an_agent(cluster)
        await first.look()
        await sleep(GRACE)
        left = points
        with CancelScope() as scope:

            def crash(scope: CancelScope = scope) -> None:
                nonlocal left
                left -= 1
                if left < -1:
                    raise Unavailable("the dead ask for nothing")
                if left < 0:
                    scope.cancel()

            cluster.at_each_request = crash
            await first.look()
        cluster.at_each_request = lambda: None

        await run_for(1200, an_agent(cluster))

        assert cluster.claims.keys() == {"alive", "b"}
        assert cluster.claims["alive"] == alive
        assert (cluster.claims["b"].finalizers, cluster.claims["b"].deleting) == ((OTHER,), True)
        if left >= 0:
            break
        points += 1

    assert points > 20


async def test_the_lease_of_one_that_crashed_holds_up_the_next_for_its_length_only() -> None:
    cluster = WholeCluster("janus", "two")
    cluster.claim("a", "gone", deleting=True)
    await Election(cluster, "janus").acquire()
    assert cluster.lease is not None
    cluster.lease = replace(cluster.lease, renewed="2999-01-01T00:00:00.000000Z")
    second = an_agent(cluster, "two")
    await second.look()
    await sleep(GRACE)
    began = current_time()

    await second.look()

    assert cluster.claims == {}
    assert current_time() - began == pytest.approx(15, abs=0.1)
