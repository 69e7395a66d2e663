"""From other threads to the event loop: real threads, so real time."""

from __future__ import annotations

import threading

import anyio
import pytest

from anyio import Event, fail_after, to_thread

from pcidevices.runtime.threads import on_the_loop


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def test_a_call_from_another_thread_runs_on_the_loops() -> None:
    called, here = Event(), threading.current_thread()
    threads: list[threading.Thread] = []

    def note(*, done: Event) -> None:
        threads.append(threading.current_thread())
        done.set()

    soon = on_the_loop(note)
    await to_thread.run_sync(lambda: soon(done=called))
    with fail_after(5):
        await called.wait()

    assert threads == [here]


def test_once_the_loop_has_ended_a_call_is_nothing() -> None:
    calls: list[int] = []

    async def main() -> object:
        return on_the_loop(calls.append)

    soon = anyio.run(main)
    assert callable(soon)
    soon(1)

    assert calls == []
