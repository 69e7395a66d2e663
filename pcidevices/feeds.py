"""
The only writers of the registry. Each turns a stream of observations into requests.

Which observation asks for which look is data: the functions ``…_requests`` below say it all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

import structlog

from anyio import TASK_STATUS_IGNORED, move_on_after, sleep
from anyio.abc import TaskStatus

from pcidevices.domain.address import PciAddress
from pcidevices.domain.claim import Claim
from pcidevices.domain.device import PciDevice
from pcidevices.domain.look import is_asked
from pcidevices.errors import KubeletError
from pcidevices.ports import Claims, Devices, Hardware, Kubelet, Nodes
from pcidevices.registry import Registry, Snapshot
from pcidevices.runtime.controller import Request
from pcidevices.runtime.pulse import Pulse


log = structlog.get_logger()

INVENTORY, CLAIMS, LOOKS = "inventory", "claims", "looks"
HARDWARE, NODE, PCIDEVICES, HELD = "hardware", "node", "pcidevices", "held"
FEEDS = (HARDWARE, NODE, CLAIMS, PCIDEVICES)
"""Those that the start waits for."""
_KUBELET_PATIENCE = 60.0
_FIRST_ANSWER = 2.0
"""Seconds that the start waits for the kubelet."""


class Feeds:
    """Observe the node and the cluster; what can be awaited runs for ever and is started once its first list is in."""

    def __init__(self, node_name: str, registry: Registry, add: Callable[[Request], object]) -> None:
        self._node_name = node_name
        self._registry = registry
        self._add = add
        self._synced = dict.fromkeys(FEEDS, False)

    @property
    def synced(self) -> Mapping[str, bool]:
        """Of each feed that the start waits for, whether its first whole list is in."""
        return self._synced

    async def hardware(self, hardware: Hardware, *, task_status: TaskStatus[None] = TASK_STATUS_IGNORED) -> None:
        """Scans → devices. A scan that fails ends the process: a blind controller is worse than none."""
        synced = self._once(HARDWARE, task_status)
        async for scan in hardware.scans():
            before = self._registry.snapshot
            changed = self._registry.replace_scan(scan)
            _log_changes(before, self._registry.snapshot, changed)
            self._ask(device_requests(changed, before, self._registry.snapshot, self._node_name))
            synced()

    def looked(self, device: PciDevice, begun: float, *, by: str) -> None:
        """A look at its device *by* a claim → that device, without a scan; it is news for all but who looked."""
        before = self._registry.snapshot
        if self._registry.replace_device(device, begun):
            changed = frozenset({str(device.address)})
            _log_changes(before, self._registry.snapshot, changed)
            requests = device_requests(changed, before, self._registry.snapshot, self._node_name)
            self._ask(requests - {Request(CLAIMS, by)})

    async def published(self, devices: Devices, *, task_status: TaskStatus[None] = TASK_STATUS_IGNORED) -> None:
        """PCIDevices on the API server → published devices."""
        synced = self._once(PCIDEVICES, task_status)
        async for listed in devices.lists():
            names = self._registry.replace_published(listed.items, listed.version)
            self._ask(published_requests(names, self._registry.snapshot))
            synced()

    async def claims(self, claims: Claims, *, task_status: TaskStatus[None] = TASK_STATUS_IGNORED) -> None:
        """PCIDeviceClaims for this node → claims."""
        synced = self._once(CLAIMS, task_status)
        async for listed in claims.lists():
            changed = self._registry.replace_claims(listed.items)
            self._ask(claim_requests(changed, self._registry.snapshot, self._node_name))
            synced()

    async def node(self, nodes: Nodes, *, task_status: TaskStatus[None] = TASK_STATUS_IGNORED) -> None:
        """The Node object → node; with another one every PCIDevice needs another owner."""
        synced = self._once(NODE, task_status)
        async for listed in nodes.lists():
            if self._registry.replace_node(next(iter(listed.items), None)):
                self._ask(whole_inventory(self._registry.snapshot, self._node_name))
            synced()

    async def held(
        self,
        kubelet: Kubelet,
        *,
        every: float = 10.0,
        pulse: Pulse | None = None,
        task_status: TaskStatus[None] = TASK_STATUS_IGNORED,
    ) -> None:
        """
        Who holds what → held. Asked only while something is claimed or held: the kubelet rejects bursts.

        It has started when the kubelet was asked once: what is offered then says of each device whether a pod has it. A
        kubelet that does not answer keeps nobody waiting.
        """
        with move_on_after(_FIRST_ANSWER):
            await self._ask_who_holds(kubelet)
        task_status.started()
        while True:
            if pulse is not None:
                pulse.expect("the next question to the kubelet", within=every + _KUBELET_PATIENCE)
            await sleep(every)
            view = self._registry.snapshot
            if not view.kubelet_was_heard or view.claims or view.held:
                await self._ask_who_holds(kubelet)

    async def _ask_who_holds(self, kubelet: Kubelet) -> None:
        was_heard = self._registry.snapshot.kubelet_was_heard
        try:
            held = await kubelet.held()
        except KubeletError as error:
            log.debug("kubelet.silent", reason=error.reason, error=str(error))
            return  # what it said last may still be so
        self._ask(held_requests(self._registry.replace_held(held), self._registry.snapshot, self._node_name))
        if not was_heard:  # what was told by the process before may be so no more
            self._ask(whole_inventory(self._registry.snapshot, self._node_name))

    def _once(self, feed: str, task_status: TaskStatus[None]) -> _Once:
        def tell() -> None:
            self._synced[feed] = True
            task_status.started()

        return _Once(tell)

    def _ask(self, requests: Iterable[Request]) -> None:
        for request in sorted(requests):
            self._add(request)


class _Once:
    """A feed is started when its first whole list is in; calls after the first say nothing."""

    def __init__(self, tell: Callable[[], object]) -> None:
        self._tell: Callable[[], object] | None = tell

    def __call__(self) -> None:
        if self._tell is not None:
            self._tell()
            self._tell = None


def device_requests(changed: Iterable[str], before: Snapshot, after: Snapshot, node_name: str) -> frozenset[Request]:
    """A device that changed concerns its PCIDevice, and the claims for all in the IOMMU group that it is or was in."""
    requests: set[Request] = set()
    for address in filter(None, map(_address, changed)):
        requests.add(Request(INVENTORY, address.object_name(node_name)))
        devices = (view.devices.get(address) for view in (before, after))
        concerned = {address}.union(*(device.iommu_group_members for device in devices if device))
        requests.update(Request(CLAIMS, claim.name) for member in concerned for claim in after.claims_for(member))
    return frozenset(requests)


def published_requests(names: Iterable[str], after: Snapshot) -> frozenset[Request]:
    """An object that changed may say what is not so, or ask for a look."""
    requests: set[Request] = set()
    for name in names:
        requests.add(Request(INVENTORY, name))
        published = after.published.get(name)
        if published is not None and is_asked(published):
            requests.add(Request(LOOKS, name))
    return frozenset(requests)


def claim_requests(changed: Iterable[Claim], after: Snapshot, node_name: str) -> frozenset[Request]:
    """A claim decides whether the PCIDevice of a vanished device stays, and which other claims have to wait."""
    requests: set[Request] = set()
    for claim in changed:
        requests |= {Request(INVENTORY, claim.address.object_name(node_name)), Request(CLAIMS, claim.name)}
        requests.update(Request(CLAIMS, rival.name) for rival in after.claims_for(claim.address))
    return frozenset(requests)


def held_requests(ids: Iterable[str], after: Snapshot, node_name: str) -> frozenset[Request]:
    """Who holds a device is told on its PCIDevice, and a claim that waits for that pod may go on."""
    return outlook_requests(filter(None, map(_address, ids)), after, node_name)


def outlook_requests(addresses: Iterable[PciAddress], after: Snapshot, node_name: str) -> frozenset[Request]:
    """What becomes of claimed devices beyond this program is told on their PCIDevices and their claims."""
    requests: set[Request] = set()
    for address in addresses:
        requests.add(Request(INVENTORY, address.object_name(node_name)))
        requests.update(Request(CLAIMS, claim.name) for claim in after.claims_for(address))
    return frozenset(requests)


def whole_inventory(snapshot: Snapshot, node_name: str) -> Iterator[Request]:
    """Every PCIDevice there is or should be."""
    names = {address.object_name(node_name) for address in snapshot.devices} | snapshot.published.keys()
    return (Request(INVENTORY, name) for name in names)


def _address(text: str) -> PciAddress | None:
    """None for what is none: there never was an object for it."""
    try:
        return PciAddress.parse(text)
    except ValueError:
        return None


def _log_changes(before: Snapshot, after: Snapshot, changed: frozenset[str]) -> None:
    for address in sorted(changed):
        key = _address(address)
        old, new = (view.devices.get(key) if key else None for view in (before, after))
        if address in after.unreadable:
            log.warning("device.unreadable", address=address, error=after.unreadable[address].problem)
        elif new is None:
            log.info("device.vanished", address=address)
        elif old is None:
            log.info("device.appeared", address=address, driver=new.driver, iommu_group=new.iommu_group)
        elif old.driver != new.driver:
            log.info("device.rebound", address=address, driver=new.driver, before=old.driver)
        else:
            log.debug("device.changed", address=address)
