"""
Decide what KubeVirt must let through. Pure: values in, values out, no clock, no I/O.

The list is one value to the API server, and no part of it can be owned. So what this program has added stands in
an annotation beside it; an entry that is not named there is somebody else's, and is never touched.
"""

from __future__ import annotations

import json

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from pcidevices.api.reasons import Reason

from .advertise import resource_of
from .claim import Claim
from .claims import ALLOWED
from .conditions import Finding, condition
from .published import PublishedDevice


_LIST = "pciHostDevices"
_WHOLE = "permittedHostDevices"
"""In the annotation: the list's surroundings were not there either, which had meant that all is allowed."""

Listed = Mapping[str, Any] | None
"""``spec.configuration.permittedHostDevices`` as it stands; None lets everything through."""


class Permission(NamedTuple):
    """Devices of one model, and the resource under which virtual machines may ask for them."""

    selector: str
    """vendor:device, four lower-case hex digits each."""
    resource_name: str

    @property
    def entry(self) -> dict[str, Any]:
        """What stands in KubeVirt's list for it: advertised by somebody else than KubeVirt."""
        return {
            "pciVendorSelector": self.selector,
            "resourceName": self.resource_name,
            "externalResourceProvider": True,
        }

    def __str__(self) -> str:
        return f"{self.selector} {self.resource_name}"


@dataclass(frozen=True, slots=True)
class Ours:
    """What this program has added, on whichever node."""

    permissions: frozenset[Permission] = frozenset()
    began: bool = False
    """The first entry was ours: before it everything was allowed."""

    @classmethod
    def parse(cls, annotation: str | None) -> Ours:
        """From the annotation; what makes no sense there names nothing, so that nothing of others is taken for ours."""
        try:
            words = json.loads(annotation or "[]")
        except ValueError:
            return cls()
        texts = [word for word in words if isinstance(word, str)] if isinstance(words, list) else []
        pairs = (text.split(" ") for text in texts)
        permissions = frozenset(Permission(*pair) for pair in pairs if len(pair) == len(Permission._fields))
        return cls(permissions, _WHOLE in texts and bool(permissions))

    @property
    def annotation(self) -> str | None:
        """The same as text; None when there is nothing to remember."""
        words = [*([_WHOLE] if self.began else []), *map(str, sorted(self.permissions))]
        return json.dumps(words) if words else None


@dataclass(frozen=True, slots=True, kw_only=True)
class KubeVirt:
    """A KubeVirt installation, as far as this program reads it."""

    namespace: str
    name: str
    uid: str
    resource_version: str
    listed: Listed = None
    ours: Ours = field(default_factory=Ours)
    has_gate: bool = True
    """The feature gate HostDevices is on."""
    is_managed: bool = False
    """By the operator of HyperConverged, which writes the list anew from an object of its own."""

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Leave:
    """Nothing to write."""

    findings: Mapping[str, Finding]
    """Of each resource that this node needs, whether virtual machines may have it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Write:
    """The list, or what is remembered of it, differs."""

    entries: tuple[Any, ...] | None
    """All of the new list; None takes its surroundings away too, so that everything is allowed again."""
    is_new_list: bool
    ours: Ours
    added: tuple[Permission, ...]
    removed: tuple[Permission, ...]
    restricts: bool
    """Everything was allowed until now, and then only what is listed."""
    findings: Mapping[str, Finding]


Decision = Leave | Write


def decide(
    listed: Listed, ours: Ours, needed_here: Collection[Permission], needed_elsewhere: Collection[Permission]
) -> Decision:
    """
    Compare the list with what claims need, and say what it must become.

    What is missing is added for this node only; what we added once goes when nobody needs it.
    """
    here, needed = frozenset(needed_here), {*needed_here, *needed_elsewhere}
    before = _entries(listed)
    removed = tuple(sorted(p for p in ours.permissions - needed if _is_there_as_added(before, p)))
    left = _without(before, removed)
    added = tuple(sorted(p for p in here if not _grants_any(left, p) and not _plugs_any(left, p)))
    after = [*left, *(permission.entry for permission in added)]
    kept = {p for p in ours.permissions & needed if _is_there_as_added(left, p) or not _grants_any(left, p)}
    began = ours.began or (listed is None and bool(added))
    mine = Ours(frozenset(kept.union(added)), began and bool(kept.union(added)))
    findings = _findings(after, here, known=mine.permissions)
    if after == before and mine == ours:
        return Leave(findings=findings)
    ends = listed is None or (ours.began and not mine.permissions and not _lists_others(listed))
    return Write(
        entries=tuple(after) if after or not ends else None,
        is_new_list=after != before,
        ours=mine,
        added=added,
        removed=removed,
        restricts=listed is None and bool(added),
        findings=findings,
    )


def is_listed(listed: Listed, permission: Permission) -> bool:
    """Whether virtual machines may ask for it by an entry of its own."""
    return _grants_any(_entries(listed), permission)


def is_wanted(claim: Claim) -> bool:
    """
    Whether a claim has its device, so that KubeVirt must know of it.

    One that had it keeps it for as long as nobody can tell: a device that is away for a moment comes back.
    """
    status = claim.status
    allowed = condition(status.conditions, ALLOWED).status
    return not claim.deleting and (allowed == "True" or (allowed == "Unknown" and status.claimed is not None))


def permission_of(device: PublishedDevice, claim: Claim) -> Permission | None:
    """What a claimed device is let through by; None while it is not told."""
    status = device.status
    if not (status.vendor_id and status.device_id and status.resource_name):
        return None
    return Permission(f"{status.vendor_id}:{status.device_id}".lower(), resource_of(device, claim))


def needed_on(
    node_name: str, claims: Iterable[Claim], published: Mapping[str, PublishedDevice]
) -> frozenset[Permission]:
    """What the claims of a node need."""
    wanted = ((claim, published.get(claim.address.object_name(node_name))) for claim in claims if is_wanted(claim))
    permissions = (permission_of(device, claim) for claim, device in wanted if device is not None)
    return frozenset(permission for permission in permissions if permission is not None)


def _entries(listed: Listed) -> list[Any]:
    entries = (listed or {}).get(_LIST)
    return list(entries) if isinstance(entries, Sequence) and not isinstance(entries, str) else []


def _lists_others(listed: Mapping[str, Any]) -> bool:
    """Whether devices of other kinds are listed too."""
    return any(value for key, value in listed.items() if key != _LIST)


def _selects(entry: Any, permission: Permission) -> bool:  # noqa: ANN401  JSON
    """KubeVirt compares selectors without regard to case."""
    return isinstance(entry, Mapping) and str(entry.get("pciVendorSelector")).lower() == permission.selector.lower()


def _grants(entry: Any, permission: Permission) -> bool:  # noqa: ANN401  JSON
    return _selects(entry, permission) and entry.get("resourceName") == permission.resource_name


def _is_as_added(entry: Any, permission: Permission) -> bool:  # noqa: ANN401  JSON
    """Whether it says what we write; a server may put defaults of its own beside that."""
    return isinstance(entry, Mapping) and permission.entry.items() <= entry.items()


def _plugs(entry: Any, permission: Permission) -> bool:  # noqa: ANN401  JSON
    """Whether KubeVirt itself advertises these devices because of this entry."""
    return _selects(entry, permission) and entry.get("externalResourceProvider") is not True


def _grants_any(entries: Iterable[Any], permission: Permission) -> bool:
    return any(_grants(entry, permission) for entry in entries)


def _plugs_any(entries: Iterable[Any], permission: Permission) -> bool:
    return any(_plugs(entry, permission) for entry in entries)


def _is_there_as_added(entries: Iterable[Any], permission: Permission) -> bool:
    return any(_is_as_added(entry, permission) for entry in entries)


def _without(entries: Sequence[Any], removed: Iterable[Permission]) -> list[Any]:
    """The first of equal entries is ours: there was none when we added it, and we add at the end."""
    left = list(entries)
    for permission in removed:
        del left[next(n for n, entry in enumerate(left) if _is_as_added(entry, permission))]
    return left


def _findings(
    entries: Sequence[Any], here: Collection[Permission], *, known: Collection[Permission]
) -> Mapping[str, Finding]:
    findings: dict[str, Finding] = {}
    for permission in sorted(here):
        found = _finding(entries, permission, {*known, *here})
        name = permission.resource_name
        # Models of one name share a resource; the worst of what is found of them is told.
        findings[name] = max(findings.get(name, found), found, key=_severity)
    return findings


def _severity(finding: Finding) -> tuple[bool, bool]:
    return not finding.holds, finding.reason != Reason.PERMITTED


def _finding(entries: Sequence[Any], permission: Permission, known: Collection[Permission]) -> Finding:
    selector = permission.selector
    if _plugs_any(entries, permission):
        what = f"KubeVirt lists {selector} without externalResourceProvider, so it hands out the same devices itself"
        return Finding("False", Reason.CONFLICTING_PERMISSION, f"{what}; set it to true, or take that entry out")
    of_ours = {one.resource_name for one in known if one.selector == selector}
    names = {str(entry.get("resourceName")) for entry in entries if _selects(entry, permission)}
    if foreign := sorted(names - of_ours):
        what = f"KubeVirt lists {selector} as {', '.join(foreign)} too"
        return Finding("True", Reason.CONFLICTING_PERMISSION, f"{what}; is that entry still needed?")
    return Finding("True", Reason.PERMITTED, "KubeVirt lets virtual machines have it")
