"""What every integration test has: a loop that never blocks."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from blockbuster import blockbuster_ctx


# Small files, read once or when credentials rotate, by a library that knows no other way; and who measures coverage.
MAY_BLOCK = {
    "coverage/collector.py": {"lock_data"},
    "pcidevices/adapters/kube/credentials.py": {"load", "_paths"},
    "pcidevices/adapters/kube/client.py": {"_send"},
    "tests/integration/kube/test_tls.py": {"load"},
}


@pytest.fixture(autouse=True)
def _loop_never_blocks() -> Iterator[None]:
    """A blocking call of ours on the event loop fails the test that made it; the simulated world is no part of us."""
    simulated = ["pcidevices.sim.node", "pcidevices.sim.kubelet"]
    with blockbuster_ctx("pcidevices", excluded_modules=simulated) as blockbuster:
        for function in blockbuster.functions.values():
            for file, callers in MAY_BLOCK.items():
                function.can_block_in(file, callers)
        yield
