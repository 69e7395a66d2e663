"""Time here is the event loop's: an hour passes as soon as everyone waits for it."""

from __future__ import annotations

import looptime
import pytest


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, object]]:
    return "asyncio", {"loop_factory": looptime.new_event_loop}
