"""What every test has: one event loop, and a loop that never blocks."""

from __future__ import annotations

import pytest


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"
