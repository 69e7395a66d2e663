"""Who has taken all steps says so, for the look at the hardware that comes after them."""

from __future__ import annotations

from anyio import Event, create_task_group, wait_all_tasks_blocked

from pcidevices.controllers.claims import ClaimReconciler
from pcidevices.controllers.podusers import PodUsers
from pcidevices.domain.address import PciAddress
from pcidevices.domain.device import Scan
from pcidevices.domain.sight import Sight
from pcidevices.domain.steps import LoadModule, Step, Unbind
from pcidevices.registry import Registry
from tests.support.builders import NODE, a_claim, a_gpu, a_nic
from tests.support.tiny_kernel import TinyKernel

from .claim_scene import ClaimServer, Told, ToldKubelet


CARD, NIC = a_gpu(), a_nic()


class TwoDevices:
    """Implements the port `Control`. The card's unbind waits."""

    def __init__(self) -> None:
        self.kernels = {
            device.address: TinyKernel(device, knows=(device.driver or "",), drivers={device.driver or "", "vfio-pci"})
            for device in (CARD, NIC)
        }
        self.may_go = Event()

    async def look(self, address: PciAddress) -> Sight:
        return await self.kernels[address].look(address)

    async def take(self, step: Step) -> None:
        assert not isinstance(step, LoadModule)
        if isinstance(step, Unbind) and step.address == CARD.address:
            await self.may_go.wait()
        await self.kernels[step.address].take(step)


async def test_it_is_said_once_when_the_last_of_those_under_way_is_done() -> None:
    """A scan in between would see devices half-way, and tell of it."""
    server, control, registry = ClaimServer(), TwoDevices(), Registry()
    registry.replace_scan(Scan((CARD, NIC)))
    server.put(a_claim(CARD))
    server.put(a_claim(NIC, uid="claim-2"))
    registry.replace_claims(server.objects.values())
    drivers_then: list[list[str | None]] = []
    kubelet = ToldKubelet()
    reconciler = ClaimReconciler(
        NODE,
        simulated=False,
        registry=registry,
        claims=server,
        control=control,
        events=Told(),
        pods=PodUsers(kubelet, kubelet.is_advertised),
        stepped=lambda: drivers_then.append([kernel.driver for kernel in control.kernels.values()]),
        now=lambda: "2026-03-04T05:06:07Z",
    )

    async with create_task_group() as tg:
        for name in server.objects:
            tg.start_soon(reconciler.reconcile, name)
        await wait_all_tasks_blocked()
        assert control.kernels[NIC.address].driver == "vfio-pci"
        assert drivers_then == []
        control.may_go.set()

    assert drivers_then == [["vfio-pci", "vfio-pci"]]
