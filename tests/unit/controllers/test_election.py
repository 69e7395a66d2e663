"""Of all agents one acts, and a dead one holds up the others for no longer than its Lease lasts."""

from __future__ import annotations

from dataclasses import replace

import pytest

from anyio import create_task_group, current_time, sleep

from pcidevices.controllers.election import Election
from pcidevices.errors import Unavailable

from .whole_cluster import WholeCluster


async def test_the_first_makes_the_lease() -> None:
    cluster = WholeCluster()

    assert await Election(cluster, "janus").acquire()

    assert cluster.lease is not None
    assert cluster.lease.holder.startswith("janus_")
    assert (cluster.lease.seconds, cluster.lease.transitions) == (15, 0)
    assert cluster.lease.acquired == cluster.lease.renewed != ""


async def test_what_was_given_up_is_taken_at_once_and_counts_as_a_transition() -> None:
    cluster = WholeCluster()
    first, second = Election(cluster, "a"), Election(cluster, "b")
    await first.acquire()
    await first.release()
    assert cluster.lease is not None
    assert (cluster.lease.holder, cluster.lease.seconds) == ("", 1)
    before = current_time()

    assert await second.acquire()

    assert current_time() - before < 0.1
    assert (cluster.lease.holder[:2], cluster.lease.transitions, cluster.lease.seconds) == ("b_", 1, 15)


async def test_a_holder_that_is_silent_for_the_whole_length_loses_the_lease() -> None:
    """By our clock, since we saw it: what the Lease says of the time is another clock's."""
    cluster = WholeCluster()
    await Election(cluster, "dead").acquire()
    assert cluster.lease is not None
    cluster.lease = replace(cluster.lease, renewed="1999-01-01T00:00:00.000000Z")
    before = current_time()

    assert await Election(cluster, "b").acquire()

    assert current_time() - before == pytest.approx(15, abs=0.1)
    assert cluster.lease.holder.startswith("b_")


async def test_a_holder_that_renews_keeps_the_lease() -> None:
    cluster = WholeCluster()
    holder = Election(cluster, "a")
    await holder.acquire()

    async def work() -> None:
        for _ in range(20):
            await sleep(1)
            assert await holder.renew()

    async with create_task_group() as tg:
        tg.start_soon(work)
        assert not await Election(cluster, "b").acquire()

    assert cluster.lease is not None
    assert cluster.lease.holder.startswith("a_")


async def test_what_was_seen_before_counts() -> None:
    """Who saw the holder silent a round ago need not wait again."""
    cluster = WholeCluster()
    await Election(cluster, "dead").acquire()
    second = Election(cluster, "b", seconds=15)
    cluster.trouble = {"write": Unavailable("away")}
    with pytest.raises(Unavailable):
        await second.acquire()
    cluster.trouble = {}
    before = current_time()

    assert await second.acquire()

    assert current_time() - before < 0.1


async def test_of_two_who_try_at_the_same_time_one_has_it() -> None:
    cluster = WholeCluster()
    won: list[bool] = []

    async def attempt(name: str) -> None:
        won.append(await Election(cluster, name).acquire())

    async with create_task_group() as tg:
        for name in ("a", "b", "c"):
            tg.start_soon(attempt, name)

    assert sorted(won) == [False, False, True]


async def test_a_lease_that_lasts_absurdly_long_is_not_waited_for() -> None:
    cluster = WholeCluster()
    await Election(cluster, "a", seconds=10**9).acquire()
    before = current_time()

    assert not await Election(cluster, "b").acquire()

    assert current_time() - before < 0.1


async def test_a_lease_is_renewed_only_when_it_is_time_to() -> None:
    cluster = WholeCluster()
    election = Election(cluster, "a")
    await election.acquire()
    for _ in range(10):
        assert await election.renew()
    assert cluster.writes == ["create lease"]
    await sleep(6)

    assert await election.renew()

    assert cluster.writes == ["create lease", "write lease"]
    assert election.left == pytest.approx(10, abs=0.1)


async def test_a_lease_that_somebody_else_took_is_lost() -> None:
    cluster = WholeCluster()
    slow, quick = Election(cluster, "slow"), Election(cluster, "quick")
    await slow.acquire()
    assert await quick.acquire()  # after 15 seconds in which the other did nothing

    assert slow.left < 0
    assert not await slow.renew()
    assert not await slow.renew()
    await slow.release()
    assert cluster.lease is not None
    assert cluster.lease.holder.startswith("quick_")


async def test_what_is_not_held_is_neither_renewed_nor_given_up() -> None:
    cluster = WholeCluster()
    election = Election(cluster, "a")

    assert not await election.renew()
    await election.release()

    assert election.left == 0
    assert cluster.requests == []


async def test_to_give_up_what_was_taken_meanwhile_harms_nobody() -> None:
    cluster = WholeCluster()
    slow, quick = Election(cluster, "slow"), Election(cluster, "quick")
    await slow.acquire()
    await quick.acquire()

    await slow.release()

    assert cluster.lease is not None
    assert cluster.lease.holder.startswith("quick_")
