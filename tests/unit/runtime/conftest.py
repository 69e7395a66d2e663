"""Time here is the event loop's: an hour passes as soon as everyone waits for it."""

from __future__ import annotations

import looptime
import pytest

from hypothesis import HealthCheck, settings


settings.register_profile("unit", max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("unit")


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, object]]:
    return "asyncio", {"loop_factory": looptime.new_event_loop}
