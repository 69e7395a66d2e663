"""Take claimed devices to their vfio driver, give released ones back, and say why where that is not so."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from anyio import current_time

from pcidevices.api.v1beta1 import GIVE_BACK_FINALIZER, PCIDeviceClaimStatus
from pcidevices.domain.claim import Claim
from pcidevices.domain.claims import decide
from pcidevices.domain.conditions import Finding
from pcidevices.domain.decision import Decision
from pcidevices.domain.outlook import Outlook
from pcidevices.domain.steps import Bind, LoadModule, Probe, Step, Unbind
from pcidevices.errors import DeviceNotTaken, HardwareError, HostExhausted, NotFound
from pcidevices.ports import Claims, Control, Events
from pcidevices.registry import Registry
from pcidevices.runtime.controller import CHANGED, SETTLED, Result
from pcidevices.runtime.keyedlock import KeyedLock

from .claimnews import news, tell, tell_end
from .podusers import PodUsers
from .sightings import Looked, Sightings
from .written import WATCH_PATIENCE, Written


_SCAN_PATIENCE = 0.5
_ONCE_MORE = 0.5


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
        self._sightings = Sightings(registry, looked=looked, scan_soon=scan_soon)
        self._now = now
        self._order: KeyedLock[str] = KeyedLock()
        self._written = Written()
        self._tries: Counter[str] = Counter()
        self._unanswered: set[str] = set()
        """Claims whose last look the kernel did not answer in time: once may be a busy machine, twice is told."""

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
        if result.requeue_after is None and self._sightings.is_ahead(claim.address):
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
        self._sightings.add(sight, begun, by=claim.name)
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
        findings = tuple(news(claim.status, status))
        claim = await self._claims.write_status(claim, status)
        self._written.add(claim.name, claim.version)
        for finding in findings:
            tell(self._events, claim, finding)
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
        except HostExhausted:
            raise
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
        tell_end(self._events, claim, ending)
        return CHANGED

    def _is_for_real_hardware(self, claim: Claim) -> bool:
        """A rehearsal under a real node's name must leave the claims for its real devices alone."""
        published = self._registry.snapshot.published.get(claim.address.object_name(self._node_name))
        return self._simulated and published is not None and not published.is_simulated


def _until_the_next_look(steps: tuple[Step, ...]) -> tuple[Step, ...]:
    """A module's loading may take half a minute: whatever is unbound after that is looked at first."""
    is_first = isinstance(steps[0], LoadModule) and any(isinstance(step, Unbind) for step in steps)
    return steps[:1] if is_first else steps


def _record_of(status: PCIDeviceClaimStatus) -> tuple[object, ...]:
    return status.claimed, status.kernel_driver_to_unbind, status.was_on_vfio
