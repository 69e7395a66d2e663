"""What happens to a claim's device after it was looked at, and what its failures cost."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pcidevices.domain.claim import Claim
from pcidevices.domain.conditions import condition
from pcidevices.domain.steps import LoadModule
from pcidevices.errors import SysfsWriteFailed
from tests.support.builders import a_claim, a_gpu
from tests.support.tiny_kernel import TinyKernel

from .claim_scene import Agent, ClaimServer


pytestmark = pytest.mark.anyio

NAME = a_claim().name
MOUNTED = ("/dev/sda1 is mounted at /data",)


class MountingServer(ClaimServer):
    """Somebody mounts the disk while it takes its time to answer."""

    def __init__(self, kernel: TinyKernel) -> None:
        super().__init__()
        self._kernel = kernel

    async def hold(self, claim: Claim) -> Claim:
        self._kernel.uses = MOUNTED
        return await super().hold(claim)


class MountingKernel(TinyKernel):
    """Somebody mounts the disk while a module is loaded."""

    def _load(self, name: str) -> None:
        self.uses = MOUNTED
        super()._load(name)


class VfioRefuses(TinyKernel):
    """vfio-pci does not take the device: there is no IOMMU, say."""

    def _bind(self, driver: str) -> None:
        if driver == "vfio-pci":
            raise SysfsWriteFailed("vfio-pci/bind: EINVAL")
        super()._bind(driver)


def claimed(server: ClaimServer) -> ClaimServer:
    server.put(a_claim(created="2026-01-01T00:00:00Z"))
    return server


async def test_what_the_host_uses_since_the_record_was_written_is_left_alone() -> None:
    """The API server may keep an agent waiting for minutes."""
    kernel = TinyKernel(a_gpu(), knows=("nvidia",), drivers={"nvidia", "vfio-pci"})
    server = claimed(MountingServer(kernel))

    await Agent(server, kernel).settle()

    assert kernel.taken == []
    assert condition(server.objects[NAME].status.conditions, "Ready").reason == "DeviceProtected"


async def test_what_the_host_uses_since_a_module_was_loaded_is_left_alone() -> None:
    kernel = MountingKernel(a_gpu(), knows=("nvidia",), drivers={"nvidia"})
    server = claimed(ClaimServer())

    await Agent(server, kernel).settle()

    assert kernel.taken == [LoadModule("vfio_pci")]
    assert condition(server.objects[NAME].status.conditions, "Ready").reason == "DeviceProtected"


@pytest.mark.parametrize("drivers", [{"nouveau", "nvidia", "vfio-pci"}, {"vfio-pci"}])
async def test_a_device_that_could_not_be_taken_goes_back_to_its_own_driver(drivers: set[str]) -> None:
    """Whether that is still there or has to be loaded: what failed before was not its fault."""
    kernel = VfioRefuses(a_gpu(), knows=("nvidia", "nouveau"), drivers={"nouveau", "nvidia", "vfio-pci"})
    server = claimed(ClaimServer())
    agent = Agent(server, kernel)
    await agent.settle(rounds=5)
    kernel.drivers, kernel.knows = drivers, ("nouveau", "nvidia") if "nouveau" in drivers else ("nvidia",)
    server.delete(NAME)

    await agent.settle()

    assert kernel.driver == "nvidia"
    assert agent.events.reasons[-1] == "GivenBack"


async def test_an_unbind_that_hung_does_not_cost_the_original_driver() -> None:
    kernel = TinyKernel(a_gpu(), knows=("nvidia",), drivers={"nouveau", "nvidia", "vfio-pci"})
    server = claimed(ClaimServer())
    agent = Agent(server, kernel)
    await agent.settle()
    kernel.knows, kernel.hangs = ("nouveau", "nvidia"), True
    server.delete(NAME)
    await agent.settle(rounds=2)
    kernel.release()

    await agent.settle()

    assert kernel.driver == "nvidia"


async def test_deleting_ends_when_the_kernel_gives_the_device_to_vfio_again() -> None:
    """By vfio-pci.ids on the command line, or an id that somebody has added."""
    kernel = TinyKernel(a_gpu(), knows=("nvidia",), drivers={"nvidia", "vfio-pci"})
    server = claimed(ClaimServer())
    agent = Agent(server, kernel)
    await agent.settle()
    kernel.knows = ("vfio-pci",)
    server.delete(NAME)

    await agent.settle()

    assert server.objects == {}
    assert agent.events.reasons[-1] == "!GivenToAnotherDriver"


class ProbingServer(ClaimServer):
    """A host driver comes to have the device while it takes its time to answer."""

    def __init__(self, kernel: TinyKernel) -> None:
        super().__init__()
        self._kernel = kernel

    async def hold(self, claim: Claim) -> Claim:
        self._kernel.give_to_the_host()
        return await super().hold(claim)


async def test_a_driver_that_came_while_the_record_was_written_is_recorded_before_it_is_unbound() -> None:
    """As at the start of a node, when a claim for a device without driver is there before the driver's module."""
    kernel = TinyKernel(replace(a_gpu(), driver=None), knows=("nvidia",), drivers={"nvidia", "vfio-pci"})
    server = claimed(ProbingServer(kernel))
    agent = Agent(server, kernel)

    await agent.settle()
    assert kernel.driver == "vfio-pci"
    assert server.objects[NAME].status.kernel_driver_to_unbind == "nvidia"
    server.delete(NAME)
    await agent.settle()

    assert kernel.driver == "nvidia"
