"""Two writers with different views do not write for ever as fast as they can."""

from __future__ import annotations

import pytest

from anyio import create_task_group, current_time, sleep

from pcidevices.controllers.contest import Contest
from pcidevices.errors import Conflict
from tests.support.builders import a_gpu

from .cluster import Cluster
from .scene import Agent


HOUR = 3600.0
GPU = a_gpu()


def a_contest() -> Contest:
    return Contest(backoff=lambda times: 10.0 * 2**times)


async def test_a_few_times_in_a_row_are_free() -> None:
    """People edit things."""
    contest = a_contest()
    contest.wrote("a", GPU)
    assert contest.wait_before("a", GPU) == 0

    contest.wrote("a", GPU)

    assert contest.wait_before("a", GPU) == 10


async def test_to_write_the_same_again_and_again_takes_ever_longer() -> None:
    contest = a_contest()
    waits = []
    for _ in range(5):
        waits.append(contest.wait_before("a", GPU))
        await sleep(waits[-1])
        contest.wrote("a", GPU)

    assert waits == pytest.approx([0, 0, 10, 20, 40], abs=0.01)


async def test_the_wait_counts_from_the_last_write() -> None:
    contest = a_contest()
    for _ in range(2):
        contest.wrote("a", GPU)
    await sleep(4)

    assert contest.wait_before("a", GPU) == pytest.approx(6, abs=0.01)


async def test_a_device_that_changed_is_written_at_once() -> None:
    contest = a_contest()
    for _ in range(5):
        contest.wrote("a", GPU)

    assert contest.wait_before("a", a_gpu(driver="vfio-pci")) == 0
    assert contest.wait_before("b", GPU) == 0


async def test_after_long_peace_all_is_forgiven() -> None:
    contest = a_contest()
    for _ in range(5):
        contest.wrote("a", GPU)
    await sleep(HOUR)
    contest.wrote("a", GPU)

    assert contest.wait_before("a", GPU) == 0


async def test_two_agents_of_one_node_damp_each_other() -> None:
    """A second agent was started for the same node name; it sees another driver there."""
    cluster = Cluster()
    agents = [Agent(cluster, a_gpu(driver=driver)) for driver in ("nvidia", "vfio-pci")]
    end = current_time() + HOUR

    async def run(agent: Agent) -> None:
        while current_time() < end:
            agent.catch_up()
            try:
                result = await agent.reconcile()
                await sleep(result.requeue_after or 5.0)
            except Conflict:
                await sleep(0.25)

    before = cluster.version
    async with create_task_group() as tg:
        for agent in agents:
            tg.start_soon(run, agent)

    assert cluster.version - before < 80
