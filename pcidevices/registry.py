"""The one piece of shared mutable state: what has been seen of the node and the cluster."""

from __future__ import annotations

import math

from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import TypeVar

from pcidevices.domain.address import PciAddress
from pcidevices.domain.claim import Claim
from pcidevices.domain.device import PciDevice, Scan, Unreadable
from pcidevices.domain.held import HeldDevice
from pcidevices.domain.published import Node, PublishedDevice
from pcidevices.runtime.latest import Latest


K = TypeVar("K")


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Everything known at one moment. Immutable, so it can be handed to anyone."""

    devices: Mapping[PciAddress, PciDevice] = field(default_factory=dict)
    unreadable: Mapping[str, Unreadable] = field(default_factory=dict)
    """By the name of the folder in sysfs."""
    published: Mapping[str, PublishedDevice] = field(default_factory=dict)
    published_version: int = 0
    """Whatever the API server knew up to this version is in *published*."""
    claims: Mapping[str, Claim] = field(default_factory=dict)
    held: tuple[HeldDevice, ...] = ()
    """Which container holds what, as the kubelet last said."""
    kubelet_was_heard: bool = False
    node: Node | None = None
    node_is_gone: bool = False
    """There was a Node, and now there is none."""

    @property
    def sees_nothing(self) -> bool:
        """Not a single PCI function: rather a wrong mount than a machine without any."""
        return not self.devices and not self.unreadable

    def pods_with(self, address: PciAddress) -> tuple[str, ...]:
        """The pods that hold a device, as ``namespace/name``."""
        text = str(address)
        holders = (one for one in self.held if one.pod and text in one.ids)
        return tuple(dict.fromkeys(f"{one.namespace}/{one.pod}" for one in holders))

    def claims_for(self, address: PciAddress) -> tuple[Claim, ...]:
        """The claims on one device of this node."""
        return tuple(claim for claim in self.claims.values() if claim.address == address)


class Registry:
    """
    What was observed, written by the feeds and read by everyone else.

    No method here awaits, so under asyncio every write is atomic. Readers take a snapshot and keep
    it; nobody holds a reference to something that changes.
    """

    def __init__(self) -> None:
        self._latest = Latest(Snapshot())
        self._scan_begun = -math.inf
        self._look_begun: dict[PciAddress, float] = {}
        """Of devices that were looked at since the last scan began."""

    @property
    def snapshot(self) -> Snapshot:
        return self._latest.value

    def snapshots(self) -> AsyncIterator[Snapshot]:
        """Every change as a whole; changes that a reader is too slow for merge."""
        return self._latest.values()

    def replace_scan(self, scan: Scan) -> frozenset[str]:
        """
        Store a scan; return the names (as sysfs writes addresses) of what appeared, vanished or changed.

        What a look that began after the scan saw of a device stays, as long as the scan finds the same card there.
        """
        old = self.snapshot
        self._scan_begun = scan.begun
        self._look_begun = {address: begun for address, begun in self._look_begun.items() if begun > scan.begun}
        devices = {device.address: self._known(self._newer(device)) for device in scan.devices}
        unreadable = {entry.name: entry for entry in scan.unreadable}
        changed = frozenset(map(str, _changed(old.devices, devices))) | _changed(old.unreadable, unreadable)
        if changed:
            self._latest.set(replace(old, devices=devices, unreadable=unreadable))
        return changed

    def replace_device(self, device: PciDevice, begun: float) -> bool:
        """
        Store what a look that *begun* then saw of a device that scans know; tell whether that is news.

        What only a scan can tell is kept: names, and a serial number that an earlier driver told. Another card at the
        address is left to the next scan.
        """
        old = self.snapshot
        known = old.devices.get(device.address)
        if known is None or _identity(known) != _identity(device):
            return False
        if begun <= self._scan_begun or begun < self._look_begun.get(device.address, begun):
            return False
        self._look_begun[device.address] = begun
        device = replace(device, names=known.names, serial=known.serial)
        if device == known:
            return False
        self._latest.set(replace(old, devices={**old.devices, device.address: device}))
        return True

    def _newer(self, scanned: PciDevice) -> PciDevice:
        looked = self.snapshot.devices.get(scanned.address) if scanned.address in self._look_begun else None
        if looked is None or _identity(looked) != _identity(scanned):
            return scanned
        return replace(looked, names=scanned.names, serial=scanned.serial)

    def _known(self, device: PciDevice) -> PciDevice:
        """Of equals the one that everybody has: who remembers it compares no more."""
        known = self.snapshot.devices.get(device.address)
        return known if known is not None and known == device else device

    def replace_published(self, published: Iterable[PublishedDevice], version: int) -> frozenset[str]:
        """Store the whole list of PCIDevices as of *version*; return the names of those that changed."""
        old, new = self.snapshot.published, {device.name: device for device in published}
        changed = _changed(old, new)
        self._latest.set(replace(self.snapshot, published=new, published_version=version))
        return changed

    def replace_claims(self, claims: Iterable[Claim]) -> frozenset[Claim]:
        """Store the whole list of claims; return those that changed, as they were and as they are."""
        old, new = self.snapshot.claims, {claim.name: claim for claim in claims}
        changed = _changed(old, new)
        if changed:
            self._latest.set(replace(self.snapshot, claims=new))
        return frozenset(side[name] for name in changed for side in (old, new) if name in side)

    def replace_held(self, held: tuple[HeldDevice, ...]) -> frozenset[str]:
        """Store what containers hold; return the ids of the devices whose holders changed."""
        old = self.snapshot.held
        if held == old and self.snapshot.kubelet_was_heard:
            return frozenset()
        self._latest.set(replace(self.snapshot, held=held, kubelet_was_heard=True))
        return frozenset(name for one in set(old) ^ set(held) for name in one.ids)

    def replace_node(self, node: Node | None) -> bool:
        """Store the Node; tell whether it is another one."""
        old = self.snapshot
        if node == old.node:
            return False
        self._latest.set(replace(old, node=node, node_is_gone=node is None))
        return True


def _identity(device: PciDevice) -> tuple[object, ...]:
    return device.model, device.subsystem, device.revision


def _changed(old: Mapping[K, object], new: Mapping[K, object]) -> frozenset[K]:
    return frozenset(
        key
        for key in old.keys() | new.keys()
        if (before := old.get(key)) is not (after := new.get(key)) and before != after
    )
