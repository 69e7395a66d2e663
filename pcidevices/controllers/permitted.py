"""See to it that KubeVirt lets through what is claimed, and nothing longer than that."""

from __future__ import annotations

import random

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import NamedTuple

import structlog

from anyio import current_time

from pcidevices.api.reasons import Reason
from pcidevices.domain.address import PciAddress
from pcidevices.domain.claim import Claim
from pcidevices.domain.conditions import Finding
from pcidevices.domain.letsthrough import GATE_IS_OFF, none_or_many, taken_out
from pcidevices.domain.permitted import (
    Decision,
    KubeVirt,
    Permission,
    Write,
    decide,
    needed_on,
    permission_of,
)
from pcidevices.errors import Forbidden, Refused
from pcidevices.ports import KubeVirts
from pcidevices.registry import Registry, Snapshot
from pcidevices.runtime.backoff import Backoff
from pcidevices.runtime.controller import Request, Result

from .dispute import Dispute


log = structlog.get_logger()

PERMITTED = "permitted"
KUBEVIRT = Request(PERMITTED, "kubevirt")
"""All that there is to ask for: there is one list in the cluster."""

_EVERY = 300.0
_SWEEP_EVERY = 3600.0
_ABSENT_FOR = 150.0
_JITTER = (0.8, 1.2)


class _Seen(NamedTuple):
    """A claim at one moment: with another version it may have been without its device in between."""

    version: str
    needs: frozenset[Permission]
    may_need: frozenset[Permission]
    """The same for the moment at which it has its device; that may be over before it is seen."""


class PermittedReconciler:
    """
    Reconciles what this node needs of KubeVirt's list, in one request.

    Each agent adds what its own node needs and is missing. What one of its claims has released it takes out if the
    server, asked just before, knows no claim that needs it; and it asks once more just after. So whoever came to need
    it in between is seen by us, or sees it missing. What we put back for another node is in doubt likewise. What a
    crash or a gone node leaves behind is found by sweeps, which ask for all that we added: at the start and about
    once an hour.

    At rest a look is one GET every few minutes; without claims there is none but the sweep's.
    """

    def __init__(  # noqa: PLR0913  whom it asks and tells, and how patient it is
        self,
        node_name: str,
        *,
        registry: Registry,
        kubevirts: KubeVirts,
        every: float = _EVERY,
        sweep_every: float = _SWEEP_EVERY,
        absent_for: float = _ABSENT_FOR,
        backoff: Callable[[int], float] = Backoff(1200.0, 21600.0),  # noqa: B008  a value
        look_at: Callable[[Iterable[PciAddress]], object] = lambda _: None,
    ) -> None:
        self._node_name = node_name
        self._registry = registry
        self._kubevirts = kubevirts
        self._every = every
        self._sweep_every = sweep_every
        self._absent_for = absent_for
        self._dispute = Dispute(backoff)
        self._look_at = look_at
        self._sweep_at = float("-inf")
        self._absent_until = float("-inf")
        self._released: frozenset[Permission] = frozenset()
        """What claims of this node have ceased to need, and nobody has looked at since."""
        self._doubtful: frozenset[Permission] = frozenset()
        """What we took out, or put back, while other nodes may have come to think otherwise."""
        self._findings: Mapping[str, Finding] = {}

    @property
    def findings(self) -> Mapping[str, Finding]:
        """Of each resource that this node needs, whether virtual machines may have it; as of the last look."""
        return self._findings

    def finding(self, claim: Claim) -> Finding | None:
        """Whether KubeVirt lets through what a claim has; None while that is not known, or not asked."""
        permission = self._permission(claim, self._registry.snapshot)
        return None if permission is None else self._findings.get(permission.resource_name)

    async def follow(self, add: Callable[[Request], object]) -> None:
        """Ask for a look now, and whenever a claim of this node changes, or what it needs; for ever."""
        before: Mapping[str, _Seen] = {}
        add(KUBEVIRT)
        async for snapshot in self._registry.snapshots():
            after = {claim.uid: self._seen(claim, snapshot) for claim in snapshot.claims.values()}
            if after != before:
                self._released = self._released.union(
                    *(_released(seen, after.get(uid)) for uid, seen in before.items())
                )
                before = after
                add(KUBEVIRT)

    async def reconcile(self, _: str) -> Result:
        needed = self._needed(self._registry.snapshot)
        sweeps = current_time() >= self._sweep_at
        released, self._released = self._released, frozenset()
        changed, looked = False, False
        try:
            is_absent = current_time() < self._absent_until
            if not is_absent and (needed or released or self._doubtful or sweeps):
                changed = await self._look(needed, released, sweeps=sweeps)
            looked = True
        except (Forbidden, Refused) as error:
            # Trying again soon cannot help; nor may it be for ever that nobody lets us.
            self._tell(_all(needed, Finding("Unknown", error.reason, str(error))))
        finally:
            if not looked:
                self._released |= released
        return Result(changed=changed, requeue_after=self._pause())

    async def _look(self, needed: frozenset[Permission], released: frozenset[Permission], *, sweeps: bool) -> bool:
        found = await self._kubevirts.find()
        if len(found) != 1:
            # With the one that comes, or is named, all that we added there is asked for.
            self._sweep_at = float("-inf")
            # A KubeVirt is not installed in a moment: it is not looked for with each claim.
            self._absent_until = current_time() + self._absent_for
            self._tell(_all(needed, none_or_many(found)))
            return False
        ours = found[0].ours.permissions
        kubevirt = await self._turn(found[0], needed, ours if sweeps else released & ours)
        changed = kubevirt is not found[0]
        while self._doubtful:
            kubevirt = await self._turn(kubevirt, needed, frozenset())
        if sweeps:
            self._sweep_at = current_time() + self._sweep_every * random.uniform(*_JITTER)  # noqa: S311  no secret
        return changed

    async def _turn(
        self, kubevirt: KubeVirt, needed: frozenset[Permission], released: frozenset[Permission]
    ) -> KubeVirt:
        """Decide from what the server says now, and write; return what it became."""
        ours = kubevirt.ours.permissions
        in_question = self._doubtful | (released - needed)
        still = await self._kubevirts.still_needed(in_question) if in_question else frozenset()
        contested, withheld = self._dispute.over(kubevirt, needed)
        restored = self._doubtful & still
        here = (needed | restored) - withheld
        decision = decide(kubevirt.listed, kubevirt.ours, here, (ours - in_question) | still | withheld)
        for_others: frozenset[Permission] = frozenset()
        if isinstance(decision, Write):
            for_others = (restored - needed).intersection(decision.added).union(decision.removed)
            self._doubtful |= for_others
            kubevirt = await self._write(kubevirt, decision)
        self._doubtful = for_others
        self._tell(self._found(kubevirt, decision, needed, contested))
        return kubevirt

    async def _write(self, kubevirt: KubeVirt, write: Write) -> KubeVirt:
        undone = kubevirt.ours.permissions.intersection(write.added)
        written = await self._kubevirts.write(kubevirt, write)
        self._dispute.added_again(undone)
        if write.restricts:
            log.warning(
                "permitted.restricted",
                kubevirt=str(kubevirt),
                consequence="nothing was listed, which allowed everything; from now on what is not listed is refused",
            )
        for one in write.added:
            log.info("permitted.added", kubevirt=str(kubevirt), selector=one.selector, resource=one.resource_name)
        for one in write.removed:
            log.info("permitted.removed", kubevirt=str(kubevirt), selector=one.selector, resource=one.resource_name)
        return written

    def _found(
        self,
        kubevirt: KubeVirt,
        decision: Decision,
        needed: frozenset[Permission],
        contested: Collection[Permission],
    ) -> dict[str, Finding]:
        names = {permission.resource_name for permission in needed}
        findings = {name: found for name, found in decision.findings.items() if name in names}
        if not kubevirt.has_gate:
            plain = [name for name, found in findings.items() if found.reason == Reason.PERMITTED]
            findings |= dict.fromkeys(plain, GATE_IS_OFF)
        return findings | _all(contested, taken_out(kubevirt))

    def _tell(self, findings: Mapping[str, Finding]) -> None:
        before, self._findings = self._findings, findings
        news: dict[Finding, list[str]] = {}
        for name, found in sorted(findings.items()):
            if found.reason != Reason.PERMITTED and found != before.get(name):
                news.setdefault(found, []).append(name)
        for found, names in news.items():
            log.warning("permitted.doubted", reason=found.reason, message=found.message, resources=names)
        changed = {name for name, found in findings.items() if found != before.get(name)}
        if changed:
            self._look_at(self._addresses(changed))

    def _addresses(self, names: Collection[str]) -> frozenset[PciAddress]:
        """The devices that are claimed under these names."""
        view = self._registry.snapshot
        claims = ((claim, self._permission(claim, view)) for claim in view.claims.values())
        return frozenset(claim.address for claim, wanted in claims if wanted and wanted.resource_name in names)

    def _permission(self, claim: Claim, view: Snapshot) -> Permission | None:
        device = view.published.get(claim.address.object_name(self._node_name))
        return None if device is None else permission_of(device, claim)

    def _seen(self, claim: Claim, snapshot: Snapshot) -> _Seen:
        may_need = self._permission(claim, snapshot)
        return _Seen(
            version=claim.resource_version,
            needs=needed_on(self._node_name, [claim], snapshot.published),
            may_need=frozenset([may_need] if may_need else ()),
        )

    def _needed(self, snapshot: Snapshot) -> frozenset[Permission]:
        return needed_on(self._node_name, snapshot.claims.values(), snapshot.published)

    def _pause(self) -> float:
        """Agents that were started together do not look together."""
        return self._every * random.uniform(*_JITTER)  # noqa: S311  no secret


def _released(before: _Seen, after: _Seen | None) -> frozenset[Permission]:
    return before.needs | before.may_need if after is None else before.needs - after.needs


def _all(permissions: Iterable[Permission], finding: Finding) -> dict[str, Finding]:
    return {permission.resource_name: finding for permission in permissions}
