"""Take claimed devices to their vfio driver, give released ones back, and say why where that is not so."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Protocol

import structlog

from anyio import current_time

from pcidevices.api.reasons import Reason
from pcidevices.api.v1beta1 import GIVE_BACK_FINALIZER, PCIDeviceClaimStatus
from pcidevices.domain.address import PciAddress
from pcidevices.domain.claim import Claim
from pcidevices.domain.claims import ALLOWED, READY, decide
from pcidevices.domain.conditions import Finding, condition
from pcidevices.domain.decision import Decision
from pcidevices.domain.device import PciDevice, Unreadable
from pcidevices.domain.outlook import Outlook
from pcidevices.domain.sight import Sight
from pcidevices.domain.steps import Bind, LoadModule, Probe, Step, Unbind
from pcidevices.errors import DeviceNotTaken, HardwareError, NotFound
from pcidevices.ports import Claims, Control, Events
from pcidevices.registry import Registry
from pcidevices.runtime.controller import CHANGED, SETTLED, Result
from pcidevices.runtime.keyedlock import KeyedLock

from .podusers import PodUsers
from .written import WATCH_PATIENCE, Written


log = structlog.get_logger()

_SCAN_PATIENCE = 0.5
_ONCE_MORE = 0.5
_ON_THE_WAY = frozenset({Reason.BINDING, Reason.WITHDRAWING})
_USUAL = frozenset({Reason.READY, Reason.BINDING, Reason.GIVEN_BACK, Reason.LEFT_ON_VFIO, Reason.CLAIMED_BY_ANOTHER})


class Looked(Protocol):
    """Told of each look at a claimed device."""

    def __call__(self, device: PciDevice, begun: float, *, by: str) -> object:
        """What the look that *begun* then, of the claim *by*, saw."""
        ...


class ClaimReconciler:
    """
    Reconciles one claim, named by its object's name.

    One turn is: look, decide, record, look again, take the steps; and so on, until nothing is left to do or the
    same steps would be taken again. No step is taken before what undoes it is recorded.
    Devices of one IOMMU group have their turns one after another. The look is a fresh one: what the
    registry has was seen before somebody mounted the disk.
    """

    def __init__(  # noqa: PLR0913  all that it looks at and acts on
        self,
        node_name: str,
        *,
        simulated: bool,
        registry: Registry,
        claims: Claims,
        control: Control,
        events: Events,
        pods: PodUsers,
        outlook: Callable[[Claim], Outlook] = lambda _: Outlook(),
        scan_soon: Callable[[], object] = lambda: None,
        looked: Looked = lambda *_, **__: None,
        now: Callable[[], str],
    ) -> None:
        self._node_name = node_name
        self._simulated = simulated
        self._registry = registry
        self._claims = claims
        self._control = control
        self._events = events
        self._pods = pods
        self._outlook = outlook
        self._scan_soon = scan_soon
        self._looked = looked
        self._now = now
        self._order: KeyedLock[str] = KeyedLock()
        self._written = Written()
        self._tries: Counter[str] = Counter()
        self._unanswered: set[str] = set()
        """Claims whose last look the kernel did not answer in time: once may be a busy machine, twice is told."""
        self._last_seen: dict[PciAddress, Sight] = {}

    async def reconcile(self, name: str) -> Result:
        first = self._registry.snapshot.claims.get(name)
        if first is None or self._is_for_real_hardware(first):
            return SETTLED
        device = self._registry.snapshot.devices.get(first.address)
        async with self._order.of((device and device.iommu_group) or str(first.address)):
            claim = self._registry.snapshot.claims.get(name)
            if claim is None:
                return SETTLED
            if self._written.is_ahead_of(name, claim.version):
                return Result(requeue_after=WATCH_PATIENCE)
            result = await self._turns(claim)
        if result.requeue_after is None and self._is_ahead_of_the_registry(claim.address):
            return Result(changed=result.changed, requeue_after=_SCAN_PATIENCE)
        return result

    async def _turns(self, claim: Claim) -> Result:
        failure: HardwareError | None = None
        taken: tuple[Step, ...] = ()
        noted: tuple[object, ...] | None = None
        while True:
            decision = await self._decide(claim, failure)
            if failure is not None or not decision.steps:
                return await self._conclude(claim, decision, failure)
            if noted != (record := _record_of(decision.status)):  # also when a host driver has just come to have it
                noted, recorded = record, await self._record(claim, decision)
                if recorded is not claim:  # that may have taken minutes, and the host a disk meanwhile
                    claim = recorded
                    continue
            steps = _until_the_next_look(decision.steps)
            if steps == taken:
                failure = DeviceNotTaken(f"{claim.address}: no driver took it; does the kernel's log say why?")
                self._tries[claim.uid] += claim.deleting
                continue
            taken = steps
            failure = await self._take(claim, steps)

    async def _decide(self, claim: Claim, failure: HardwareError | None) -> Decision:
        begun = current_time()
        sight = await self._control.look(claim.address)
        self._last_seen[claim.address] = sight
        self._note(claim, sight, begun)
        if sight.is_silent and claim.uid not in self._unanswered:
            self._unanswered.add(claim.uid)
            return Decision(status=claim.status, look_again=_ONCE_MORE)
        if not sight.is_silent:
            self._unanswered.discard(claim.uid)
        if claim.deleting:
            sight = await self._pods.added_to(sight)
        rivals = [c for c in self._registry.snapshot.claims_for(claim.address) if c.uid != claim.uid]
        return decide(
            claim,
            sight,
            rivals=rivals,
            outlook=self._outlook(claim),
            now=self._now(),
            failure=failure,
            tries=self._tries[claim.uid],
        )

    def _note(self, claim: Claim, sight: Sight, begun: float) -> None:
        """What is news is confirmed by a scan: what a failed probe leaves behind, say, is announced by nobody."""
        if sight.saw_nothing:
            return
        is_news = self._differs(claim.address, sight)
        if isinstance(sight.device, PciDevice):
            self._looked(sight.device, begun, by=claim.name)
        if is_news:
            self._scan_soon()

    async def _record(self, claim: Claim, decision: Decision) -> Claim:
        """See to it that whoever comes after us can undo what is done next."""
        claim = await self._hold(claim, decision)
        if _record_of(decision.status) != _record_of(claim.status):
            claim = await self._write(claim, decision.status)
        return claim

    async def _hold(self, claim: Claim, decision: Decision) -> Claim:
        if decision.hold and GIVE_BACK_FINALIZER not in claim.finalizers:
            claim = await self._claims.hold(claim)
            self._written.add(claim.name, claim.version)
        return claim

    async def _write(self, claim: Claim, status: PCIDeviceClaimStatus) -> Claim:
        news = tuple(_news(claim.status, status))
        claim = await self._claims.write_status(claim, status)
        self._written.add(claim.name, claim.version)
        for finding in news:
            self._tell(claim, finding)
        return claim

    async def _take(self, claim: Claim, steps: tuple[Step, ...]) -> HardwareError | None:
        try:
            for step in steps:
                await self._take_one(claim, step)
        except HardwareError as error:
            return error
        return None

    async def _take_one(self, claim: Claim, step: Step) -> None:
        try:
            await self._control.take(step)
        except HardwareError:
            if claim.deleting and isinstance(step, LoadModule | Bind | Probe):  # the original driver's own failures
                self._tries[claim.uid] += 1
            raise

    async def _conclude(self, claim: Claim, decision: Decision, failure: HardwareError | None) -> Result:
        if decision.release is not None:
            return await self._release(claim, decision.release)
        differs = decision.status != claim.status or bool(claim.misshapen_status)
        try:
            claim = await self._hold(claim, decision)
            if differs:
                await self._write(claim, decision.status)
        except NotFound:  # deleted, and gone before it was ours
            return SETTLED
        if decision.look_again is None and failure is not None:
            raise failure
        if decision.look_again is None:
            self._tries.pop(claim.uid, None)
        return Result(changed=differs, requeue_after=decision.look_again)

    async def _release(self, claim: Claim, ending: Finding) -> Result:
        try:
            await self._claims.release(claim)
        except NotFound:  # somebody else let it go
            return SETTLED
        self._tries.pop(claim.uid, None)
        self._events.tell(claim, reason=ending.reason, note=ending.message, warning=ending.reason not in _USUAL)
        log.info("claim.released", **_facts(claim, ending))
        return CHANGED

    def _tell(self, claim: Claim, finding: Finding) -> None:
        """One Event and one line of log for each change that a person may want to know of."""
        is_usual = finding.reason in _USUAL
        self._events.tell(claim, reason=finding.reason, note=finding.message, warning=not is_usual)
        if is_usual:
            log.info("claim.changed", **_facts(claim, finding))
        else:
            log.warning("claim.refused", **_facts(claim, finding))

    def _is_ahead_of_the_registry(self, address: PciAddress) -> bool:
        """
        Whether the last look saw what the registry has not: no device, another card, or another one of its group.

        When that comes to be again as the last scan saw it, the next scan finds nothing changed, and nobody
        asks us to look: so we look again by ourselves, until both have seen the same.
        """
        return self._differs(address, self._last_seen.pop(address, Sight(address=address)))

    def _differs(self, address: PciAddress, sight: Sight) -> bool:
        known = self._registry.snapshot.devices
        seen = [(address, sight.device), *((one.address, one) for one in sight.others if isinstance(one, PciDevice))]
        return any(_in_short(one) != _in_short(known.get(at)) for at, one in seen)

    def _is_for_real_hardware(self, claim: Claim) -> bool:
        """A rehearsal under a real node's name must leave the claims for its real devices alone."""
        published = self._registry.snapshot.published.get(claim.address.object_name(self._node_name))
        return self._simulated and published is not None and not published.is_simulated


def _until_the_next_look(steps: tuple[Step, ...]) -> tuple[Step, ...]:
    """A module's loading may take half a minute: whatever is unbound after that is looked at first."""
    is_first = isinstance(steps[0], LoadModule) and any(isinstance(step, Unbind) for step in steps)
    return steps[:1] if is_first else steps


def _news(before: PCIDeviceClaimStatus, after: PCIDeviceClaimStatus) -> Iterator[Finding]:
    """What a person wants to hear of: that it came out otherwise, and that somebody overrode a protection."""
    for kind in (ALLOWED, READY):
        old, new = condition(before.conditions, kind), condition(after.conditions, kind)
        is_news = (old.status, old.reason) != (new.status, new.reason) and new.reason not in _ON_THE_WAY
        if is_news and (kind == READY or new.reason == Reason.PROTECTION_OVERRIDDEN):
            yield Finding(new.status, new.reason, new.message)


def _in_short(device: PciDevice | Unreadable | None) -> tuple[object, ...] | None:
    return (device.model, device.driver, device.iommu_group) if isinstance(device, PciDevice) else None


def _facts(claim: Claim, finding: Finding) -> dict[str, str]:
    about = {"claim": claim.name, "address": str(claim.address), "user": claim.user_name}
    return about | {"reason": finding.reason, "message": finding.message}


def _record_of(status: PCIDeviceClaimStatus) -> tuple[object, ...]:
    return status.claimed, status.kernel_driver_to_unbind, status.was_on_vfio
