"""
One suite, two worlds.

Without PCIDEVICES_TEST_KERNEL the kernel is the simulated one, once as 6.1 and once as 6.12. With the value `real`
it is the kernel of this machine, which must be a guest of hack/vm.
"""

from __future__ import annotations

import os

from collections.abc import Iterator

import pytest

from tests.contract.sysfs.simulated import SimulatedWorld
from tests.contract.sysfs.world import Bus, World


_IS_REAL = os.environ.get("PCIDEVICES_TEST_KERNEL") == "real"


@pytest.fixture(scope="session", params=["this"] if _IS_REAL else ["6.1", "6.12"])
def world(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    if _IS_REAL:
        from tests.contract.sysfs.real import RealWorld, is_the_rig  # noqa: PLC0415 - it is not for other machines

        assert is_the_rig(), "this machine is no guest of hack/vm; the suite would write to its devices"
        real = RealWorld()
        yield real
        real.close()
    else:
        simulated = SimulatedWorld(tmp_path_factory.mktemp("world") / "node", kernel=request.param)
        for module in ("vfio-pci", "igbvf"):
            simulated.load(module)
        yield simulated
        simulated.close()


@pytest.fixture(scope="session")
def drivers(world: World) -> dict[str, str | None]:
    """Who had which device before the first test."""
    bus = Bus(world)
    return {device.name: bus.driver(device.name) for device in sorted((bus.folder / "devices").iterdir())}


@pytest.fixture
def bus(world: World, drivers: dict[str, str | None]) -> Iterator[Bus]:
    """The machine as it was at first; what a test has changed is put right after it."""
    bus = Bus(world)
    yield bus
    for address in ("0000:04:00.0", "0000:05:00.0"):
        if bus.read(address, "sriov_numvfs") != "0":
            bus.set(address, "sriov_numvfs", "0")
    for address, driver in drivers.items():
        if bus.read(address, "driver_override") != "(null)" or bus.driver(address) != driver:
            bus.give_back(address, driver)
