"""From other threads to the event loop."""

from __future__ import annotations

import asyncio

from collections.abc import Callable
from contextlib import suppress
from typing import ParamSpec


P = ParamSpec("P")


def on_the_loop(call: Callable[P, object]) -> Callable[P, None]:
    """
    A callable that any thread may call; *call* then runs on the loop that is running now, soon.

    It never blocks the thread (``anyio.from_thread`` would), and once the loop has ended does nothing.
    """
    loop = asyncio.get_running_loop()

    def soon(*args: P.args, **kwargs: P.kwargs) -> None:
        with suppress(RuntimeError):  # the loop has ended, and with it whoever wanted to know
            loop.call_soon_threadsafe(lambda: call(*args, **kwargs))

    return soon
