"""Ask the kubelet one thing."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

from anyio import fail_after
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
    try:
        with fail_after(timeout):
            async with Channel(path=str(path), codec=Codec()) as channel:
                return await ask(channel)
    except GRPCError:
        raise
    except TimeoutError as error:
        raise KubeletAway(f"{path}: no answer within {timeout:g} seconds") from error
    except OSError as error:
        raise KubeletAway(f"{path}: {error.strerror or error}; is the kubelet running?") from error
    except Exception as error:  # grpclib stumbles in many ways over a connection that breaks at a bad moment
        raise KubeletAway(f"{path}: the connection broke: {error!r}") from error
