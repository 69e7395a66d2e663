"""The composition root: every part of the program, built once and wired here."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

import structlog

from anyio import TASK_STATUS_IGNORED, create_task_group
from anyio.abc import TaskStatus

from pcidevices.controllers.claims import ClaimReconciler
from pcidevices.controllers.election import Election
from pcidevices.controllers.gonenodes import GoneNodes
from pcidevices.controllers.inventory import InventoryReconciler
from pcidevices.controllers.permitted import PERMITTED, PermittedReconciler
from pcidevices.controllers.plugins import Plugins
from pcidevices.controllers.podusers import PodUsers
from pcidevices.domain.inventory import Policy
from pcidevices.feeds import CLAIMS, INVENTORY, Feeds
from pcidevices.ports import (
    Claims,
    ClusterClaims,
    Control,
    Devices,
    Events,
    Hardware,
    HintSource,
    Kubelet,
    KubeVirts,
    Leases,
    Nodes,
)
from pcidevices.registry import Registry
from pcidevices.runtime.backoff import Backoff
from pcidevices.runtime.controller import Request, work
from pcidevices.runtime.workqueue import WorkQueue


log = structlog.get_logger()

_WORKERS = {INVENTORY: 4, CLAIMS: 32, PERMITTED: 1}
"""How many of each kind are reconciled at once. A claim may wait for the kernel; that must not hold up others."""
_CALM = 1.0
_LONGEST_DELAY = {PERMITTED: 4.0}
"""Seconds between tries, where many agents write one object; elsewhere a minute."""


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """Everything outside of this program, behind its ports."""

    hardware: Hardware
    hint: Callable[[str], None]
    """Tells *hardware* to look again."""
    hint_sources: Sequence[HintSource] = ()
    control: Control
    devices: Devices
    claims: Claims
    nodes: Nodes
    events: Events
    kubelet: Kubelet
    cluster_claims: ClusterClaims
    leases: Leases
    kubevirts: KubeVirts
    now: Callable[[], str] = field(default=lambda: datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"))


async def run(
    node_name: str, policy: Policy, world: World, *, task_status: TaskStatus[Registry] = TASK_STATUS_IGNORED
) -> None:
    """
    Run the agent of one node until it is cancelled; it is started once both worlds have been seen.

    Raises:
        SysfsUnreadable: the hardware cannot be seen; a blind agent is worse than none.
    """
    registry = Registry()
    queues = {name: WorkQueue[Request](Backoff(0.25, _LONGEST_DELAY.get(name, 60.0))) for name in _WORKERS}
    feeds = Feeds(node_name, registry, lambda request: queues[request.controller].add(request))
    inventory = InventoryReconciler(node_name, policy=policy, registry=registry, devices=world.devices, now=world.now)
    plugins = Plugins(node_name, registry=registry, kubelet=world.kubelet)
    claims = ClaimReconciler(
        node_name,
        simulated=policy.simulated,
        registry=registry,
        claims=world.claims,
        control=world.control,
        events=world.events,
        pods=PodUsers(world.kubelet, plugins.is_advertised),
        now=world.now,
    )
    permitted = PermittedReconciler(node_name, registry=registry, kubevirts=world.kubevirts)
    reconcilers = {INVENTORY: inventory.reconcile, CLAIMS: claims.reconcile, PERMITTED: permitted.reconcile}

    election = Election(world.leases, node_name)
    gone_nodes = GoneNodes(
        node_name, claims=world.cluster_claims, election=election, every=policy.node_grace, grace=policy.node_grace
    )

    async with create_task_group() as tg:
        for source in world.hint_sources:
            tg.start_soon(source.run, world.hint)

        # Nothing acts until the node and the cluster were both seen once.
        await tg.start(feeds.hardware, world.hardware)
        async with create_task_group() as syncing:
            syncing.start_soon(tg.start, feeds.node, world.nodes)
            syncing.start_soon(tg.start, feeds.claims, world.claims)
            syncing.start_soon(tg.start, feeds.published, world.devices)
        seen = registry.snapshot
        log.info("agent.synced", devices=len(seen.devices), published=len(seen.published), claims=len(seen.claims))

        tg.start_soon(world.events.run)
        tg.start_soon(feeds.held, world.kubelet)
        tg.start_soon(plugins.run)
        if not policy.simulated:
            tg.start_soon(gone_nodes.run)
            # Claims change several times on their way: one look does for all of that.
            tg.start_soon(permitted.follow, lambda request: queues[PERMITTED].add_after(request, _CALM))
        for name, workers in _WORKERS.items():
            for _ in range(workers):
                tg.start_soon(work, queues[name], reconcilers)
        task_status.started(registry)
