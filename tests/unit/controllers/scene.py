"""An agent's inventory between its hardware and the cluster."""

from __future__ import annotations

from pcidevices.controllers.inventory import InventoryReconciler
from pcidevices.domain.claim import Claim
from pcidevices.domain.device import PciDevice, Scan
from pcidevices.domain.inventory import Policy
from pcidevices.domain.published import Node, PublishedDevice
from pcidevices.registry import Registry
from pcidevices.runtime.controller import Result
from tests.support.builders import NODE, a_gpu, a_node

from .cluster import Cluster


NAME = a_gpu().address.object_name(NODE)
NOW = "2026-03-04T05:06:07Z"
PLAIN = Policy()
HERE = a_node()


class Agent:
    """The reconciler of one node, and its view of both sides, which is as old as a test wants it."""

    def __init__(self, cluster: Cluster, *devices: PciDevice, policy: Policy = PLAIN, node: Node | None = HERE) -> None:
        self.cluster = cluster
        self.registry = Registry()
        self.registry.replace_node(node)
        self.see(*devices)
        self.catch_up()
        self._inventory = InventoryReconciler(
            NODE, policy=policy, registry=self.registry, devices=cluster, now=lambda: NOW
        )

    def see(self, *devices: PciDevice, claims: tuple[Claim, ...] = ()) -> None:
        """These are the node's devices now, and the claims on them."""
        self.registry.replace_scan(Scan(devices))
        self.registry.replace_claims(claims)

    def catch_up(self) -> None:
        """The watch brings what the cluster has."""
        listing = self.cluster.listing
        self.registry.replace_published(listing.items, listing.version)

    async def reconcile(self) -> Result:
        """One look at the object of the card at 0000:04:00.0."""
        return await self._inventory.reconcile(NAME)

    async def settle(self) -> PublishedDevice | None:
        """Look until there is nothing to do, with a watch that is never late; return the object."""
        for _ in range(5):
            self.catch_up()
            if not (await self.reconcile()).changed:
                return self.cluster.objects.get(NAME)
        raise AssertionError("it does not settle")
