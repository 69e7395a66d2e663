"""
Ask the kubelet one thing.

A call has a task of its own. When its connection breaks grpclib cancels the task that waits, in asyncio's way, and
never takes that back; a scope around it would take its own end for somebody else's wish and let that out, so that
whoever has asked would end without a word.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

from anyio import create_task_group, fail_after
from grpclib.client import Channel
from grpclib.exceptions import GRPCError

from pcidevices.errors import KubeletAway

from .codec import Codec


T = TypeVar("T")


async def call(path: Path, ask: Callable[[Channel], Awaitable[T]], *, timeout: float) -> T:  # noqa: ASYNC109  its own error
    """
    Connect to the socket at *path* and call *ask* with the connection.

    Raises:
        KubeletAway: nobody answered within *timeout* seconds, or nobody who speaks gRPC.
        GRPCError: somebody did, with an error.
    """
    answers: list[T] = []
    failures: list[Exception] = []

    async def ask_apart() -> None:
        try:
            async with Channel(path=str(path), codec=Codec()) as channel:
                answers.append(await ask(channel))
        except Exception as error:  # noqa: BLE001  raised below, outside the group
            failures.append(error)

    try:
        with fail_after(timeout):
            async with create_task_group() as tg:
                tg.start_soon(ask_apart)
    except TimeoutError as error:
        raise KubeletAway(f"{path}: no answer within {timeout:g} seconds") from error
    for failure in failures:
        raise _as_ours(failure, path) from failure
    if not answers:  # it was cancelled, and by nobody of ours
        raise KubeletAway(f"{path}: the connection broke")
    return answers[0]


def _as_ours(error: Exception, path: Path) -> Exception:
    match error:
        case GRPCError() | KubeletAway():
            return error
        case OSError():
            return KubeletAway(f"{path}: {error.strerror or error}; is the kubelet running?")
        case _:  # grpclib stumbles in many ways over a connection that breaks at a bad moment
            return KubeletAway(f"{path}: the connection broke: {error!r}")
