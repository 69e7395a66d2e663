"""The composition root: every part of the program, built once and wired here."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

import structlog

from anyio import TASK_STATUS_IGNORED, create_task_group
from anyio.abc import TaskStatus

from pcidevices.controllers.inventory import InventoryReconciler
from pcidevices.domain.inventory import Policy
from pcidevices.feeds import INVENTORY, Feeds
from pcidevices.ports import Claims, Devices, Hardware, HintSource, Nodes
from pcidevices.registry import Registry
from pcidevices.runtime.backoff import Backoff
from pcidevices.runtime.controller import Request, work
from pcidevices.runtime.workqueue import WorkQueue


log = structlog.get_logger()

_WORKERS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """Everything outside of this program, behind its ports."""

    hardware: Hardware
    hint: Callable[[str], None]
    """Tells *hardware* to look again."""
    hint_sources: Sequence[HintSource] = ()
    devices: Devices
    claims: Claims
    nodes: Nodes
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
    queue: WorkQueue[Request] = WorkQueue(Backoff(first=0.25, limit=60.0))
    feeds = Feeds(node_name, registry, queue)
    inventory = InventoryReconciler(node_name, policy=policy, registry=registry, devices=world.devices, now=world.now)

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

        for _ in range(_WORKERS):
            tg.start_soon(work, queue, {INVENTORY: inventory.reconcile})
        task_status.started(registry)
