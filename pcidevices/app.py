"""The composition root: every part of the program, built once and wired here."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial

import structlog

from anyio import TASK_STATUS_IGNORED, create_task_group, sleep_forever
from anyio.abc import TaskStatus

from pcidevices import metrics
from pcidevices.controllers.claims import ClaimReconciler
from pcidevices.controllers.election import Election
from pcidevices.controllers.gonenodes import GoneNodes
from pcidevices.controllers.inventory import InventoryReconciler
from pcidevices.controllers.looks import LookReconciler
from pcidevices.controllers.permitted import PERMITTED, PermittedReconciler
from pcidevices.controllers.plugins import ASK_EVERY, Plugins
from pcidevices.controllers.podusers import PodUsers
from pcidevices.domain import health
from pcidevices.domain.address import PciAddress
from pcidevices.domain.inventory import Policy
from pcidevices.domain.outlook import Outlook
from pcidevices.feeds import CLAIMS, HELD, INVENTORY, LOOKS, Feeds, outlook_requests
from pcidevices.ports import (
    Claims,
    ClusterClaims,
    Control,
    Devices,
    Events,
    Hardware,
    HintSource,
    Http,
    Kubelet,
    KubeVirts,
    Leases,
    Nodes,
)
from pcidevices.registry import Registry
from pcidevices.runtime.backoff import Backoff
from pcidevices.runtime.bell import Bell
from pcidevices.runtime.controller import Request, work
from pcidevices.runtime.pulse import Pulse
from pcidevices.runtime.workqueue import WorkQueue
from pcidevices.state import State


log = structlog.get_logger()

_WORKERS = {INVENTORY: 4, CLAIMS: 32, PERMITTED: 1, LOOKS: 2}
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
    returned: Bell[PciAddress] = field(default_factory=Bell)
    """Rung by *control* for a device for which the kernel has answered after all."""
    devices: Devices
    claims: Claims
    nodes: Nodes
    events: Events
    kubelet: Kubelet
    ask_every: float = ASK_EVERY
    """Seconds between two questions of one kind to the kubelet."""
    cluster_claims: ClusterClaims
    leases: Leases
    kubevirts: KubeVirts
    http: Http | None = None
    pulses: Mapping[str, Pulse] = field(default_factory=dict)
    """Of the feeds, by name."""
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
    queues = {
        name: WorkQueue[Request](
            Backoff(0.25, _LONGEST_DELAY.get(name, 60.0)), waited=metrics.QUEUE_SECONDS.labels(name).observe
        )
        for name in _WORKERS
    }
    feeds = Feeds(node_name, registry, lambda request: queues[request.controller].add(request))

    def look_at(addresses: Iterable[PciAddress]) -> None:
        for request in sorted(outlook_requests(addresses, registry.snapshot, node_name)):
            queues[request.controller].add(request)

    world.returned.call(lambda address: look_at([address]))
    plugins = Plugins(node_name, registry=registry, kubelet=world.kubelet, look_at=look_at, ask_every=world.ask_every)
    permitted = PermittedReconciler(node_name, registry=registry, kubevirts=world.kubevirts, look_at=look_at)
    inventory = InventoryReconciler(
        node_name,
        policy=policy,
        registry=registry,
        devices=world.devices,
        refusal=plugins.refusal,
        now=world.now,
    )
    claims = ClaimReconciler(
        node_name,
        simulated=policy.simulated,
        registry=registry,
        claims=world.claims,
        control=world.control,
        events=world.events,
        pods=PodUsers(world.kubelet, plugins.is_advertised),
        outlook=lambda claim: Outlook(plugins.refusal(claim.address), permitted.finding(claim)),
        scan_soon=partial(world.hint, "claim"),
        looked=feeds.looked,
        now=world.now,
    )
    looks = LookReconciler(
        node_name,
        simulated=policy.simulated,
        registry=registry,
        devices=world.devices,
        control=world.control,
        kubelet=world.kubelet,
        plugins=plugins,
        hint=world.hint,
        now=world.now,
    )
    reconcilers = {
        INVENTORY: inventory.reconcile,
        CLAIMS: claims.reconcile,
        PERMITTED: permitted.reconcile,
        LOOKS: looks.reconcile,
    }

    election = Election(world.leases, node_name)
    gone_nodes = GoneNodes(
        node_name, claims=world.cluster_claims, election=election, every=policy.node_grace, grace=policy.node_grace
    )

    state = State(
        registry=registry, offers=lambda: plugins.offers, queues=queues, synced=feeds.synced, pulses=world.pulses
    )
    async with create_task_group() as tg:
        tg.start_soon(_shown, state)
        if world.http is not None:
            tg.start_soon(partial(world.http.run, alive=partial(_alive, world.pulses), ready=partial(_ready, feeds)))
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
        # Who has what is asked before anything is offered.
        await tg.start(partial(feeds.held, world.kubelet, every=world.ask_every, pulse=world.pulses.get(HELD)))
        await tg.start(plugins.run)
        if not policy.simulated:
            tg.start_soon(gone_nodes.run)
            # Claims change several times on their way: one look does for all of that.
            tg.start_soon(permitted.follow, lambda request: queues[PERMITTED].add_after(request, _CALM))
        for name, workers in _WORKERS.items():
            for _ in range(workers):
                tg.start_soon(work, queues[name], reconcilers)
        task_status.started(registry)


async def _shown(state: State) -> None:
    with metrics.collecting(state):
        await sleep_forever()


def _alive(pulses: Mapping[str, Pulse]) -> Sequence[health.Check]:
    return health.alive({feed: pulse.late for feed, pulse in pulses.items()})


def _ready(feeds: Feeds) -> Sequence[health.Check]:
    return health.ready(feeds.synced)
