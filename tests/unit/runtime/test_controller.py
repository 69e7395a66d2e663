"""How a reconcile may end, and what becomes of its request."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest

from anyio import create_task_group, current_time, sleep
from structlog.testing import capture_logs

from pcidevices.errors import Conflict, Refused, Throttled, Unavailable
from pcidevices.runtime.controller import CHANGED, SETTLED, Request, Result, work
from pcidevices.runtime.workqueue import WorkQueue


HOUR = 3600.0
REQUEST = Request("inventory", "janus-000004000")

Look = Callable[[], Awaitable[Result]]


class Bench:
    """A worker whose reconciler goes through *looks*, one after another, and then has nothing to do."""

    def __init__(self, *looks: Result | Exception) -> None:
        self.queue: WorkQueue[Request] = WorkQueue(backoff=lambda failures: 1.0 * 2**failures)
        self.looks = iter(looks)
        self.at: list[float] = []
        self.told: list[tuple[str, str]] = []

    async def reconcile(self, name: str) -> Result:
        assert name == REQUEST.name
        self.at.append(round(current_time() - self.start, 2))
        look = next(self.looks, SETTLED)
        if isinstance(look, Exception):
            raise look
        return look

    async def run(self, seconds: float = HOUR) -> list[float]:
        """When the reconciler was called, from the one request on."""
        self.start = current_time()
        self.queue.add(REQUEST)
        with capture_logs() as logs:
            async with create_task_group() as tg:
                tg.start_soon(work, self.queue, {"inventory": self.reconcile})
                await sleep(seconds)
                tg.cancel_scope.cancel()
        self.told = [(line["log_level"], line["outcome"]) for line in logs if line["event"] == "reconcile.finished"]
        return self.at


@pytest.mark.parametrize(("result", "outcome"), [(SETTLED, "settled"), (CHANGED, "changed")])
async def test_what_went_well_is_not_looked_at_again(result: Result, outcome: str) -> None:
    bench = Bench(result)

    assert await bench.run() == [0]
    assert bench.told == [("debug", outcome)]


async def test_a_reconciler_may_ask_to_look_again() -> None:
    assert await Bench(Result(requeue_after=5), Result(requeue_after=7)).run() == [0, 5, 12]


async def test_an_error_is_retried_with_growing_delays() -> None:
    bench = Bench(Unavailable("a"), Unavailable("b"), Unavailable("c"))

    assert await bench.run() == [0, 1, 3, 7]
    assert bench.told == [*[("warning", "will_retry")] * 3, ("debug", "settled")]


async def test_after_a_success_delays_begin_anew() -> None:
    bench = Bench(Unavailable("a"), Unavailable("b"), Result(requeue_after=100), Unavailable("c"))

    assert await bench.run() == [0, 1, 3, 103, 104]


async def test_a_terminal_error_calls_for_a_person_and_is_looked_at_again_much_later() -> None:
    """Nothing tells us when a definition or a webhook has been mended."""
    bench = Bench(Unavailable("a"), Refused("the spec is wrong"))

    assert await bench.run() == [0, 1, 601]
    assert ("error", "gave_up") in bench.told


async def test_a_throttled_request_comes_back_no_sooner_than_asked() -> None:
    bench = Bench(Throttled("busy", retry_after=30), Throttled("busy", retry_after=0.5))

    assert await bench.run() == [0, 30, 32]


async def test_a_conflict_is_retried_quietly() -> None:
    """The watch is on its way with what we did not know; nobody needs to be told."""
    bench = Bench(Conflict("somebody wrote it"))

    assert await bench.run() == [0, 1]
    assert bench.told == [("debug", "stale"), ("debug", "settled")]


async def test_a_crash_is_retried_and_takes_nothing_else_down() -> None:
    bench = Bench(ZeroDivisionError("a bug"))

    assert await bench.run() == [0, 1]
    assert bench.told == [("error", "crashed"), ("debug", "settled")]


async def test_a_change_during_a_reconcile_is_looked_at_after_it() -> None:
    bench = Bench()
    looks = 0

    async def slow(_: str) -> Result:
        nonlocal looks
        looks += 1
        await sleep(10)
        return SETTLED

    bench.queue.add(REQUEST)
    async with create_task_group() as tg:
        tg.start_soon(work, bench.queue, {"inventory": slow})
        tg.start_soon(work, bench.queue, {"inventory": slow})
        await sleep(5)
        bench.queue.add(REQUEST)
        await sleep(10)
        assert looks == 2
        tg.cancel_scope.cancel()
