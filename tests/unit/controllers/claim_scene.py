"""An agent's claims between a kernel and an API server, both in memory, and a way to stop it at any point."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from pcidevices.api.v1beta1 import FINALIZERS, GIVE_BACK_FINALIZER, PCIDeviceClaimStatus
from pcidevices.controllers.claims import ClaimReconciler
from pcidevices.controllers.podusers import PodUsers
from pcidevices.domain.address import PciAddress
from pcidevices.domain.claim import Claim
from pcidevices.domain.device import Scan
from pcidevices.domain.held import HeldDevice
from pcidevices.domain.offer import Offer
from pcidevices.domain.outlook import Outlook
from pcidevices.domain.published import PublishedDevice
from pcidevices.domain.sight import Sight
from pcidevices.domain.steps import Step
from pcidevices.errors import Conflict, HardwareError, KubeletAway, NotFound, Unavailable
from pcidevices.feeds import Feeds
from pcidevices.ports import Listing, Plugin
from pcidevices.registry import Registry
from pcidevices.runtime.controller import Result
from pcidevices.runtime.latest import Latest
from tests.support.builders import NODE
from tests.support.tiny_kernel import TinyKernel


T = TypeVar("T")


class Crash(BaseException):
    """The process is gone, in the middle of everything."""


@dataclass
class Points:
    """Counts the points at which a process can end: before and after each effect. At one of them it does."""

    crash_at: int | None = None
    passed: int = 0

    async def around(self, effect: Callable[[], Awaitable[T]]) -> T:
        self._pass()
        result = await effect()
        self._pass()
        return result

    def _pass(self) -> None:
        if self.passed == self.crash_at:
            self.crash_at = None
            raise Crash
        self.passed += 1


class ClaimServer:
    """Implements the port `Claims`, like an API server: versions, conflicts, finalizers."""

    def __init__(self) -> None:
        self.objects: dict[str, Claim] = {}
        self.version = 100
        self.writes: list[str] = []
        self.is_away = False

    def put(self, claim: Claim) -> Claim:
        self.version += 1
        self.objects[claim.name] = written = replace(claim, resource_version=str(self.version))
        return written

    def delete(self, name: str) -> None:
        """Somebody deletes the claim: it stays for as long as a finalizer is on it."""
        claim = self.put(replace(self.objects[name], deleting=True))
        if not claim.finalizers:
            del self.objects[name]

    async def lists(self) -> AsyncIterator[Listing[Claim]]:
        yield Listing(tuple(self.objects.values()), self.version)

    async def hold(self, claim: Claim) -> Claim:
        self._newest(claim, "hold")
        return self.put(replace(claim, finalizers=(*claim.finalizers, GIVE_BACK_FINALIZER)))

    async def write_status(self, claim: Claim, status: PCIDeviceClaimStatus) -> Claim:
        self._newest(claim, "status")
        return self.put(replace(claim, status=status))

    async def release(self, claim: Claim) -> None:
        self._newest(claim, "release")
        left = tuple(name for name in claim.finalizers if name not in FINALIZERS)
        self.put(replace(claim, finalizers=left))
        if claim.deleting and not left:
            del self.objects[claim.name]

    def _newest(self, claim: Claim, what: str) -> None:
        self.writes.append(what)
        newest = self.objects.get(claim.name)
        if self.is_away:
            raise Unavailable("no answer")
        if newest is None:
            raise NotFound(claim.name)
        if (newest.uid, newest.resource_version) != (claim.uid, claim.resource_version):
            raise Conflict(f"{claim.name} was written since")


class Stoppable:
    """The ports `Claims` and `Control` of one process, which may end at any point."""

    def __init__(self, server: ClaimServer, kernel: TinyKernel, points: Points) -> None:
        self._server = server
        self._kernel = kernel
        self._points = points

    async def look(self, address: PciAddress) -> Sight:
        return await self._points.around(lambda: self._kernel.look(address))

    async def take(self, step: Step) -> None:
        await self._points.around(lambda: self._kernel.take(step))

    def lists(self) -> AsyncIterator[Listing[Claim]]:
        return self._server.lists()

    async def hold(self, claim: Claim) -> Claim:
        return await self._points.around(lambda: self._server.hold(claim))

    async def write_status(self, claim: Claim, status: PCIDeviceClaimStatus) -> Claim:
        return await self._points.around(lambda: self._server.write_status(claim, status))

    async def release(self, claim: Claim) -> None:
        await self._points.around(lambda: self._server.release(claim))


@dataclass
class Told:
    """Implements the port `Events`."""

    events: list[tuple[str, str]] = field(default_factory=list)

    def tell(self, claim: Claim, *, reason: str, note: str, warning: bool = False) -> None:
        assert note
        self.events.append((claim.name, f"{'!' if warning else ''}{reason}"))

    async def run(self) -> None:
        """There is nothing to send."""

    @property
    def reasons(self) -> list[str]:
        return [reason for _, reason in self.events]


class ToldKubelet:
    """What the kubelet says of who holds what, and what it was told is healthy."""

    def __init__(self) -> None:
        self.holders: dict[str, str] = {}
        self.advertised: set[str] = set()
        self.is_away = False

    async def held(self) -> tuple[HeldDevice, ...]:
        if self.is_away:
            raise KubeletAway("no answer")
        return tuple(HeldDevice("default", pod, "main", "x/y", (ids,)) for ids, pod in self.holders.items())

    async def allocatable(self) -> Mapping[str, frozenset[str]]:
        return {}

    def plugin(self, offers: Latest[Offer]) -> Plugin:
        raise AssertionError(f"claims make no plugin for {offers.value.resource_name}")

    def is_advertised(self, address: PciAddress) -> bool:
        return str(address) in self.advertised


class Agent:
    """One process: its reconciler, and its view of the claims, which is as old as a test wants it."""

    def __init__(
        self,
        server: ClaimServer,
        kernel: TinyKernel,
        *,
        points: Points | None = None,
        simulated: bool = False,
        kubelet: ToldKubelet | None = None,
        outlook: Outlook = Outlook(),  # noqa: B008  a value
        now: str = "2026-03-04T05:06:07Z",
    ) -> None:
        self.server = server
        self.scans_asked_for = 0
        self.events = Told()
        self.kubelet = kubelet or ToldKubelet()
        self.registry = Registry()
        self.registry.replace_scan(Scan((kernel.device,) if kernel.device else (), begun=-1.0))
        world = Stoppable(server, kernel, points or Points())
        self._reconciler = ClaimReconciler(
            NODE,
            simulated=simulated,
            registry=self.registry,
            claims=world,
            control=world,
            events=self.events,
            pods=PodUsers(self.kubelet, self.kubelet.is_advertised),
            outlook=lambda _: outlook,
            scan_soon=self._ask_for_a_scan,
            looked=Feeds(NODE, self.registry, lambda _: None).looked,
            now=lambda: now,
        )
        self.catch_up()

    def _ask_for_a_scan(self) -> None:
        self.scans_asked_for += 1

    def catch_up(self) -> None:
        """The watch brings what the API server has."""
        self.registry.replace_claims(self.server.objects.values())

    def publish(self, *devices: PublishedDevice) -> None:
        self.registry.replace_published(devices, 1)

    async def reconcile(self, name: str) -> Result:
        return await self._reconciler.reconcile(name)

    async def settle(self, *names: str, rounds: int = 12) -> None:
        """Reconcile until there is nothing to do, with a watch that is never late."""
        for _ in range(rounds):
            results = []
            for name in names or tuple(self.server.objects):
                self.catch_up()
                try:
                    results.append(await self.reconcile(name))
                except (HardwareError, Conflict) as error:
                    results.append(Result(changed=True))
                    self.last: Any = error
            if not any(result.changed for result in results):
                return
