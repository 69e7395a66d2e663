"""Keep every PCIDevice of this node saying what is seen, and write only what differs."""

from __future__ import annotations

from collections.abc import Callable

import structlog

from pcidevices.domain.address import PciAddress
from pcidevices.domain.conditions import Finding
from pcidevices.domain.device import PciDevice, Unreadable
from pcidevices.domain.inventory import Amend, Create, Decision, Leave, Place, Policy, Remove, decide, name_to_keep
from pcidevices.domain.published import PublishedDevice
from pcidevices.errors import Conflict, NotFound
from pcidevices.ports import Devices
from pcidevices.registry import Registry, Snapshot
from pcidevices.runtime.controller import CHANGED, SETTLED, Result

from .contest import Contest
from .written import WATCH_PATIENCE, Written


log = structlog.get_logger()


class InventoryReconciler:
    """
    Reconciles one PCIDevice, named by its object's name.

    It acts on the registry's view alone. What it wrote itself comes back through the watch; until
    then it holds off, since the view is known to be old.
    """

    def __init__(
        self,
        node_name: str,
        *,
        policy: Policy,
        registry: Registry,
        devices: Devices,
        refusal: Callable[[PciAddress], Finding | None] = lambda _: None,
        now: Callable[[], str],
    ) -> None:
        self._node_name = node_name
        self._policy = policy
        self._registry = registry
        self._devices = devices
        self._refusal = refusal
        self._now = now
        self._written = Written()
        self._contest = Contest()

    async def reconcile(self, name: str) -> Result:
        view = self._registry.snapshot
        if self._is_old(view, name):
            return Result(requeue_after=WATCH_PATIENCE)
        published = view.published.get(name)
        device, decision = self._decide(view, name)
        if isinstance(decision, Leave):
            return SETTLED
        if isinstance(decision, Remove) and view.sees_nothing and self._is_ours(published):
            log.error("bus.empty", name=name, consequence="its object stays: nothing at all is seen")
            return SETTLED
        asked = self._asked(view, name, device)
        wait = self._contest.wait_before(name, asked)
        if wait > 0:
            return Result(requeue_after=wait)
        match decision:
            case Create():
                await self._create(name, decision)
            case Amend() if published is not None:
                await self._amend(published, decision)
            case Remove() if published is not None:
                await self._remove(published)
        self._contest.wrote(name, asked)
        return CHANGED

    def _decide(self, view: Snapshot, name: str) -> tuple[PciDevice | Unreadable | None, Decision]:
        published = view.published.get(name)
        address = PciAddress.of_object_name(name, self._node_name)
        device = _look_up(view, address)
        equals = filter(self._is_ours, view.published.values())
        kept = isinstance(device, PciDevice) and name_to_keep(device, published, equals)
        return device, decide(
            device,
            published,
            place=Place(self._node_name, view.node, view.node_is_gone),
            policy=self._policy,
            claimed=address is not None and bool(view.claims_for(address)),
            kept_name=kept or None,
            in_use_by=self._users(view, published, address),
            refused=self._refusal(address) if address is not None else None,
            now=self._now(),
        )

    def _asked(self, view: Snapshot, name: str, device: object) -> object:
        """All of our side that the object tells of."""
        address = PciAddress.of_object_name(name, self._node_name)
        return device, view.node, address and (view.pods_with(address), self._refusal(address))

    def _users(self, view: Snapshot, published: PublishedDevice | None, address: PciAddress | None) -> tuple[str, ...]:
        """Until the kubelet has answered once, what was told before is told on."""
        if address is None:
            return ()
        return view.pods_with(address) if view.kubelet_was_heard else published.status.in_use_by if published else ()

    async def _create(self, name: str, wanted: Create) -> None:
        created = await self._create_or_adopt(name, wanted)
        if created is None:
            return
        self._wrote(created)
        self._wrote(await self._devices.write_status(created, wanted.status))
        log.info("device.published", address=wanted.status.address, resource=wanted.status.resource_name)

    async def _create_or_adopt(self, name: str, wanted: Create) -> PublishedDevice | None:
        """The new object; None when there is one that only lacked its labels: the watch brings it now."""
        try:
            return await self._devices.create(name, labels=wanted.labels, owners=wanted.owners)
        except Conflict:
            # It exists, but not in our view: the watch is behind, or somebody took its label off.
            existing = await self._devices.read(name)
            if existing is None or not wanted.labels.items() - existing.labels.items():
                raise
            if existing.deleting or (self._policy.simulated and not existing.is_simulated):
                raise
            self._wrote(await self._devices.write_metadata(existing, labels=wanted.labels, owners=None))
            return None

    async def _amend(self, published: PublishedDevice, wanted: Amend) -> None:
        latest = published
        if wanted.labels is not None or wanted.owners is not None:
            latest = await self._devices.write_metadata(latest, labels=wanted.labels, owners=wanted.owners)
            self._wrote(latest)
        if wanted.status is not None:
            self._wrote(await self._devices.write_status(latest, wanted.status))

    def _is_ours(self, published: PublishedDevice | None) -> bool:
        """Whether the object is as real, or as simulated, as what this agent sees."""
        return published is not None and published.is_simulated == self._policy.simulated

    def _wrote(self, device: PublishedDevice) -> None:
        self._written.add(device.name, device.version)

    async def _remove(self, published: PublishedDevice) -> None:
        try:
            await self._devices.delete(published)
        except NotFound:
            return
        log.info("device.unpublished", address=published.status.address)

    def _is_old(self, view: Snapshot, name: str) -> bool:
        published = view.published.get(name)
        # An object that is not in view was not made yet, or deleted since: the whole view's version tells.
        return self._written.is_ahead_of(name, view.published_version if published is None else published.version)


def _look_up(snapshot: Snapshot, address: PciAddress | None) -> PciDevice | Unreadable | None:
    if address is None:
        return None
    return snapshot.devices.get(address) or snapshot.unreadable.get(str(address))
