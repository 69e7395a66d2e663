"""Calls that may hang: real threads, so real time, in small portions."""

from __future__ import annotations

import threading

from collections import Counter
from collections.abc import Callable, Iterator

import pytest

from anyio import fail_after, sleep

from pcidevices.runtime.expendable import Expendable


TIMEOUT = 0.03
PATIENCE = 5.0


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Hardware:
    """Keys beginning with ``hang`` do not answer until they are let go."""

    def __init__(self) -> None:
        self.gates: dict[str, threading.Event] = {}
        self.calls: Counter[str] = Counter()
        self.threads: dict[str, threading.Thread] = {}
        self.late = threading.Event()

    def read(self, key: str) -> str:
        self.calls[key] += 1
        self.threads[key] = threading.current_thread()
        if key.startswith("hang"):
            self.gate(key).wait(PATIENCE)
        return key.upper()

    def gate(self, key: str) -> threading.Event:
        return self.gates.setdefault(key, threading.Event())

    def let_go(self) -> None:
        for gate in list(self.gates.values()):
            gate.set()
        for thread in list(self.threads.values()):
            thread.join(PATIENCE)

    def reader(self, **options: int) -> Expendable[str, str]:
        return Expendable(self.read, timeout=TIMEOUT, on_late=self.late.set, **options)


class ContendedLock:
    """A lock that somebody else takes as soon as it is free."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.next_holder: Callable[[], object] = int

    def __enter__(self) -> None:
        self._lock.acquire()

    def __exit__(self, *_: object) -> None:
        self._lock.release()
        if threading.current_thread() is not threading.main_thread():
            next_holder, self.next_holder = self.next_holder, int
            next_holder()


@pytest.fixture
def hardware() -> Iterator[Hardware]:
    hardware = Hardware()
    yield hardware
    hardware.let_go()


async def wait_until(true: Callable[[], bool]) -> None:
    with fail_after(PATIENCE):
        while not true():  # noqa: ASYNC110  threads set no events of the loop
            await sleep(0.001)  # waits: see above


async def test_every_key_is_called_once(hardware: Hardware) -> None:
    reader = hardware.reader()

    reader.ask(["a", "b", "c"])
    reader.ask(["a", "b", "c"])
    await reader.settle(PATIENCE)
    reader.ask(["a", "b", "c"])
    await reader.settle(PATIENCE)

    assert reader.results == {"a": "A", "b": "B", "c": "C"}
    assert hardware.calls == Counter("abc")


async def test_a_hanging_call_costs_only_itself(hardware: Hardware) -> None:
    reader = hardware.reader()

    reader.ask(["a", "hang", "b"])
    await reader.settle(PATIENCE)

    assert reader.results == {"a": "A", "b": "B"}
    assert reader.stuck == {"hang"}
    assert not reader.busy


async def test_a_stuck_key_is_not_called_again(hardware: Hardware) -> None:
    reader = hardware.reader()
    for _ in range(3):
        reader.ask(["hang"])
        await reader.settle(PATIENCE)

    assert hardware.calls["hang"] == 1


async def test_a_late_answer_frees_its_key_and_is_told_of(hardware: Hardware) -> None:
    """And the answer counts: a device that is always late must not be asked for ever."""
    reader = hardware.reader()
    reader.ask(["hang"])
    await reader.settle(PATIENCE)

    hardware.gate("hang").set()
    await wait_until(hardware.late.is_set)

    assert reader.stuck == frozenset()
    reader.ask(["hang"])
    assert reader.results == {"hang": "HANG"}
    assert hardware.calls["hang"] == 1


async def test_an_answer_in_time_is_not_told_of_as_late(hardware: Hardware) -> None:
    reader = hardware.reader()
    reader.ask(["a"])
    await reader.settle(PATIENCE)

    assert not hardware.late.is_set()


async def test_no_more_threads_are_given_up_than_allowed(hardware: Hardware) -> None:
    reader = hardware.reader(limit=2)

    reader.ask(["hang1", "hang2", "a"])
    await reader.settle(PATIENCE)

    assert reader.stuck == {"hang1", "hang2"}
    assert reader.results == {}
    assert not reader.busy


async def test_when_one_of_too_many_returns_the_others_have_their_turn(hardware: Hardware) -> None:
    reader = hardware.reader(limit=1)
    reader.ask(["hang", "a"])
    await reader.settle(PATIENCE)

    hardware.gate("hang").set()
    await wait_until(lambda: not reader.stuck)
    await reader.settle(PATIENCE)

    assert reader.results == {"hang": "HANG", "a": "A"}


async def test_what_is_not_asked_for_any_more_is_forgotten(hardware: Hardware) -> None:
    reader = hardware.reader()
    reader.ask(["a", "b"])
    await reader.settle(PATIENCE)

    reader.ask(["b"])
    assert reader.results == {"b": "B"}

    reader.ask(["a", "b"])
    await reader.settle(PATIENCE)
    assert hardware.calls == Counter("aab")


async def test_what_is_forgotten_while_it_is_called_stays_forgotten(hardware: Hardware) -> None:
    reader = hardware.reader()
    reader.ask(["hang"])
    await wait_until(lambda: "hang" in hardware.threads)

    reader.ask([])
    hardware.gate("hang").set()
    hardware.threads["hang"].join(PATIENCE)

    assert reader.results == {}


async def test_calls_are_made_one_after_another_whoever_comes_between(hardware: Hardware) -> None:
    """A key asked for just when the thread has run out of keys is called once, by one thread."""
    reader, lock = hardware.reader(), ContendedLock()
    reader._lock = lock  # type: ignore[assignment]
    reader.ask(["hang a"])
    await wait_until(lambda: "hang a" in hardware.threads)
    first = hardware.threads["hang a"]

    lock.next_holder = lambda: reader.ask(["hang a", "hang b"])
    hardware.gate("hang a").set()
    await wait_until(lambda: hardware.calls["hang b"] > 1 or (hardware.calls["hang b"] == 1 and not first.is_alive()))

    assert hardware.calls["hang b"] == 1


async def test_settling_takes_no_longer_than_allowed(hardware: Hardware) -> None:
    reader: Expendable[str, str] = Expendable(hardware.read, timeout=PATIENCE)
    reader.ask(["hang"])

    with fail_after(1):
        await reader.settle(0.02)

    assert reader.busy
    assert reader.results == {}


async def test_a_thread_cannot_keep_the_process_from_ending(hardware: Hardware) -> None:
    reader = hardware.reader()
    reader.ask(["hang"])
    await wait_until(lambda: "hang" in hardware.threads)

    assert hardware.threads["hang"].daemon
