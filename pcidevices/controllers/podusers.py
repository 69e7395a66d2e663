"""Which pods have a device, or may get it yet."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from pcidevices.domain.address import PciAddress
from pcidevices.domain.device import PciDevice
from pcidevices.domain.sight import Holder, Sight
from pcidevices.errors import KubeletError
from pcidevices.ports import Kubelet


class PodUsers:
    """Adds to a look what only the kubelet knows. It is asked each time, so use it rarely."""

    def __init__(self, kubelet: Kubelet, is_advertised: Callable[[PciAddress], bool]) -> None:
        self._kubelet = kubelet
        self._is_advertised = is_advertised

    async def added_to(self, sight: Sight) -> Sight:
        """
        The same, with whether the device is advertised and with the pods that hold one of its IOMMU group.

        With a driver of the host in its group a device cannot be opened: a pod that has it, and has yet to start its
        virtual machine, would have it in vain.
        """
        # In this order: a pod may get the device for as long as it is advertised.
        advertised = self._is_advertised(sight.address)
        pods = await self._pods(sight)
        return replace(sight, is_advertised=advertised, holders=(*sight.holders, *pods))

    async def _pods(self, sight: Sight) -> tuple[Holder, ...]:
        try:
            held = await self._kubelet.held()
        except KubeletError as error:  # no answer is no proof that nobody has it
            return (Holder(sight.address, f"the kubelet does not say who has it ({error})"),)
        others = [one.address for one in sight.others if isinstance(one, PciDevice)]
        members = {str(address): address for address in (sight.address, *others)}
        pods = dict.fromkeys((members[id_], one.holder) for one in held for id_ in one.ids if id_ in members)
        return tuple(Holder(address, pod) for address, pod in pods)
