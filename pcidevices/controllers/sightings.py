"""What the looks of claims have seen of their devices, and whether the registry knows that by now."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from pcidevices.domain.address import PciAddress
from pcidevices.domain.device import PciDevice, Unreadable
from pcidevices.domain.sight import Sight
from pcidevices.registry import Registry


class Looked(Protocol):
    """Told of each look at a claimed device."""

    def __call__(self, device: PciDevice, begun: float, *, by: str) -> object:
        """What the look that *begun* then, of the claim *by*, saw."""
        ...


class Sightings:
    """The last sight of each device that a claim has looked at."""

    def __init__(self, registry: Registry, *, looked: Looked, scan_soon: Callable[[], object]) -> None:
        self._registry = registry
        self._looked = looked
        self._scan_soon = scan_soon
        self._last: dict[PciAddress, Sight] = {}

    def add(self, sight: Sight, begun: float, *, by: str) -> None:
        """What is news is confirmed by a scan: what a failed probe leaves behind, say, is announced by nobody."""
        self._last[sight.address] = sight
        if sight.saw_nothing:
            return
        is_news = self._differs(sight)
        if isinstance(sight.device, PciDevice):
            self._looked(sight.device, begun, by=by)
        if is_news:
            self._scan_soon()

    def is_ahead(self, address: PciAddress) -> bool:
        """
        Whether the last look saw what the registry has not: no device, another card, or another one of its group.

        When that comes to be again as the last scan saw it, the next scan finds nothing changed, and nobody
        asks for a look: so whoever is told this has to look again, until both have seen the same.
        """
        return self._differs(self._last.pop(address, Sight(address=address)))

    def _differs(self, sight: Sight) -> bool:
        known = self._registry.snapshot.devices
        others = [(one.address, one) for one in sight.others if isinstance(one, PciDevice)]
        seen = [(sight.address, sight.device), *others]
        return any(_in_short(one) != _in_short(known.get(at)) for at, one in seen)


def _in_short(device: PciDevice | Unreadable | None) -> tuple[object, ...] | None:
    return (device.model, device.driver, device.iommu_group) if isinstance(device, PciDevice) else None
