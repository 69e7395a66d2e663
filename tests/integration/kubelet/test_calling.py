from __future__ import annotations

import asyncio

from pathlib import Path

import pytest

from anyio import create_task_group, sleep_forever, to_thread

from pcidevices.adapters.kubelet.registration import register
from pcidevices.errors import KubeletAway
from tests.support.kubelet import FakeKubelet


async def test_a_kubelet_that_ends_in_the_middle_of_a_call_does_not_end_who_has_asked(folder: Path) -> None:
    """Whoever has asked hears of it, and what it ends itself afterwards ends nothing else."""
    went_on = False

    async def end(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.transport.abort()

    async def ask() -> None:
        nonlocal went_on
        async with create_task_group() as tg:
            tg.start_soon(sleep_forever)
            with pytest.raises(KubeletAway):
                await register(folder, "example.com/gpu", "gpu.sock")
            tg.cancel_scope.cancel()
        went_on = True

    async with await asyncio.start_unix_server(end, folder / "kubelet.sock"), create_task_group() as tg:
        tg.start_soon(ask)
    assert went_on


async def test_a_socket_that_a_starting_kubelet_has_removed_is_not_registered(folder: Path) -> None:
    """It would be dialled for ten seconds."""
    kubelet = FakeKubelet(folder)
    await to_thread.run_sync(kubelet.start)

    async def is_there() -> bool:
        return False

    with pytest.raises(KubeletAway, match=r"has removed gpu\.sock as it started"):
        await register(folder, "example.com/gpu", "gpu.sock", is_there=is_there)

    assert not kubelet.registrations
    await to_thread.run_sync(kubelet.stop)
