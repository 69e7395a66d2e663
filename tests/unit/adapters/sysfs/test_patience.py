"""Calls that take for ever."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from anyio import CancelScope, Event, create_task_group, fail_after
from anyio.abc import TaskGroup
from anyio.lowlevel import checkpoint

from pcidevices.adapters.sysfs.patience import Call, Questions, Unanswered


SOON, NEVER = 0.02, 60.0


@asynccontextmanager
async def tasks() -> AsyncIterator[TaskGroup]:
    with fail_after(10):
        async with create_task_group() as tg:
            yield tg
            tg.cancel_scope.cancel()


class Oracle:
    """Answers when it is told to."""

    def __init__(self) -> None:
        self.may_answer = Event()
        self.times = 0

    async def __call__(self) -> int:
        self.times += 1
        await self.may_answer.wait()
        return self.times


async def _fail() -> None:
    raise OSError(5, "no")


async def test_a_call_returns_what_it_returns_or_raises() -> None:
    async with tasks() as tg:
        oracle = Oracle()
        oracle.may_answer.set()

        assert await Call(tg, oracle, on_late=lambda: None).result(within=NEVER) == 1
        with pytest.raises(OSError, match="no"):
            await Call(tg, _fail, on_late=lambda: None).result(within=NEVER)


async def test_a_call_that_was_given_up_goes_on_and_tells_its_end() -> None:
    async with tasks() as tg:
        oracle, late = Oracle(), Event()
        call = Call(tg, oracle, on_late=late.set)

        with pytest.raises(Unanswered):
            await call.result(within=SOON)
        oracle.may_answer.set()

        await late.wait()


async def test_a_call_whose_waiter_was_cancelled_goes_on_and_tells_its_end() -> None:
    async with tasks() as tg:
        oracle, late = Oracle(), Event()
        call = Call(tg, oracle, on_late=late.set)

        with CancelScope() as scope:
            scope.cancel()
            await call.result(within=NEVER)
        oracle.may_answer.set()

        await late.wait()


async def test_a_silent_key_is_not_asked_again_until_it_has_answered() -> None:
    async with tasks() as tg:
        oracle, late = Oracle(), Event()
        questions: Questions[str] = Questions(tg, on_late=lambda _: late.set())

        first = await questions.ask("a", oracle)(SOON)
        second = await questions.ask("a", oracle)(NEVER)
        assert (first, second, oracle.times) == (None, None, 1)

        oracle.may_answer.set()
        await late.wait()
        assert await questions.ask("a", oracle)(NEVER) == 2


async def test_silence_of_one_key_is_nothing_to_the_others() -> None:
    async with tasks() as tg:
        silent, oracle = Oracle(), Oracle()
        questions: Questions[str] = Questions(tg, on_late=lambda _: None)
        await questions.ask("a", silent)(SOON)
        oracle.may_answer.set()

        assert await questions.ask("b", oracle)(NEVER) == 1


async def test_a_question_whose_asker_was_cancelled_silences_nobody() -> None:
    async with tasks() as tg:
        oracle, late = Oracle(), list[str]()
        questions: Questions[str] = Questions(tg, on_late=late.append)
        with CancelScope() as scope:
            answer = questions.ask("a", oracle)
            scope.cancel()
            await answer(NEVER)

        oracle.may_answer.set()
        await checkpoint()

        assert await questions.ask("a", oracle)(NEVER) == 2
        assert late == []
