"""How often the kubelet may be asked for pods' resources."""

from __future__ import annotations

from collections import Counter

from anyio import create_task_group

from tests.contract.kubelet.world import World, refusal


async def test_a_burst_of_questions_is_rejected(world: World) -> None:
    """The first are answered; the others are told why not."""
    outcomes: Counter[tuple[str, str]] = Counter()

    async def ask() -> None:
        async def allocatable() -> None:
            await world.allocatable()

        outcomes[await refusal(allocatable())] += 1

    async with create_task_group() as tg:
        for _ in range(100):
            tg.start_soon(ask)

    assert outcomes.keys() == {("", ""), ("RESOURCE_EXHAUSTED", "rejected by rate limit")}
