"""Keep every PCIDevice of this node saying what is seen, and write only what differs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import structlog

from pcidevices.domain.address import PciAddress
from pcidevices.domain.device import PciDevice, Unreadable
from pcidevices.domain.inventory import Amend, Create, Leave, Place, Policy, Remove, decide, name_to_keep
from pcidevices.domain.published import Owner, PublishedDevice
from pcidevices.errors import Conflict, NotFound
from pcidevices.ports import Devices
from pcidevices.registry import Registry, Snapshot
from pcidevices.runtime.controller import CHANGED, SETTLED, Result

from .contest import Contest


log = structlog.get_logger()

_WATCH_PATIENCE = 5.0


class InventoryReconciler:
    """
    Reconciles one PCIDevice, named by its object's name.

    It acts on the registry's view alone. What it wrote itself comes back through the watch; until
    then it holds off, since the view is known to be old.
    """

    def __init__(
        self, node_name: str, *, policy: Policy, registry: Registry, devices: Devices, now: Callable[[], str]
    ) -> None:
        self._node_name = node_name
        self._policy = policy
        self._registry = registry
        self._devices = devices
        self._now = now
        self._written: dict[str, int] = {}
        self._contest = Contest()

    async def reconcile(self, name: str) -> Result:
        seen_by_us = self._registry.snapshot
        published = seen_by_us.published.get(name)
        if self._view_is_old(name, seen_by_us):
            return Result(requeue_after=_WATCH_PATIENCE)
        address = PciAddress.of_object_name(name, self._node_name)
        device = _look_up(seen_by_us, address)
        decision = decide(
            device,
            published,
            place=Place(self._node_name, seen_by_us.node),
            policy=self._policy,
            claimed=address is not None and bool(seen_by_us.claims_for(address)),
            kept_name=name_to_keep(device, published, seen_by_us.published.values())
            if isinstance(device, PciDevice)
            else None,
            now=self._now(),
        )
        if isinstance(decision, Leave):
            return SETTLED
        wait = self._contest.wait_before(name, device)
        if wait > 0:
            return Result(requeue_after=wait)
        match decision:
            case Create(labels, owners, status):
                created = await self._create(name, labels, owners)
                self._wrote(created)
                self._wrote(await self._devices.write_status(created, status))
                log.info("device.published", address=status.address, resource=status.resource_name)
            case Amend(new_labels, new_owners, new_status) if published is not None:
                latest = published
                if new_labels is not None or new_owners is not None:
                    latest = await self._devices.write_metadata(latest, labels=new_labels, owners=new_owners)
                    self._wrote(latest)
                if new_status is not None:
                    self._wrote(await self._devices.write_status(latest, new_status))
            case Remove() if published is not None:
                await self._remove(published)
        self._contest.wrote(name, device)
        return CHANGED

    async def _create(self, name: str, labels: Mapping[str, str], owners: Sequence[Owner]) -> PublishedDevice:
        try:
            return await self._devices.create(name, labels=labels, owners=owners)
        except Conflict:
            # It exists, but not in our view: the watch is behind, or somebody took its label off.
            existing = await self._devices.read(name)
            if existing is None or existing.deleting or not labels.items() - existing.labels.items():
                raise
            return await self._devices.write_metadata(existing, labels=labels, owners=None)

    def _wrote(self, device: PublishedDevice) -> None:
        self._written[device.name] = device.version

    async def _remove(self, published: PublishedDevice) -> None:
        try:
            await self._devices.delete(published)
        except NotFound:
            return
        log.info("device.unpublished", address=published.status.address)

    def _view_is_old(self, name: str, view: Snapshot) -> bool:
        """
        Whether the watch has yet to bring what we wrote last.

        Without that, the next look would send the same once more and be told of a conflict.
        """
        written = self._written.get(name, 0)
        published = view.published.get(name)
        # An object that is not in view was not made yet, or deleted since: the whole view's version tells.
        seen = view.published_version if published is None else published.version
        if seen < written:
            return True
        self._written.pop(name, None)
        return False


def _look_up(snapshot: Snapshot, address: PciAddress | None) -> PciDevice | Unreadable | None:
    if address is None:
        return None
    return snapshot.devices.get(address) or snapshot.unreadable.get(str(address))
