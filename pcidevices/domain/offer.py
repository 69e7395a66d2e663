"""What the kubelet is told of the devices of one resource."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from .address import PciAddress


class OfferedDevice(NamedTuple):
    """
    One device of a resource. Its id at the kubelet is its address.

    A tuple: a thousand of them are compared with each change, and tuples are compared fast.
    """

    address: PciAddress
    unhealthy: str | None = None
    """Why no pod can have it now, for a person; None when it can."""
    numa_node: int | None = None
    iommu_group: str | None = None
    vfio_device: str | None = None
    """Its node in ``/dev/vfio/devices``, such as ``vfio0``; None where the kernel makes none."""


@dataclass(frozen=True, slots=True)
class Offer:
    """All devices of one resource on this node, in the order of their addresses."""

    resource_name: str
    devices: tuple[OfferedDevice, ...]
    _by_id: dict[str, OfferedDevice] = field(default_factory=dict, init=False, repr=False, compare=False)

    def device(self, id_: str) -> OfferedDevice | None:
        """The device that the kubelet knows by this id."""
        if not self._by_id:  # made when first asked for, of what does not change
            self._by_id.update({str(device.address): device for device in self.devices})
        return self._by_id.get(id_)
