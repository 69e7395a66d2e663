"""
Show all that is known of devices: what each is, what shares its IOMMU group, its claim, who has it, and what happened.

  kubectl pci describe janus-00005e000
  kubectl pci describe janus 5e:00.0
"""

from __future__ import annotations

import argparse
import sys

from collections.abc import Iterator, Sequence
from urllib.parse import quote

import msgspec

from pcidevices.api.v1beta1 import ALLOW_PROTECTED, CLAIM_REASON, Condition
from pcidevices.domain.printable import plain
from pcidevices.errors import KubectlFailed

from .finding import add_choice, chosen
from .objects import Claim, Device, claims, devices, in_order, owners
from .progress import why_not_ready
from .resources import offered_as
from .screen import Screen
from .transport import Kubectl
from .wording import ids_of, sriov_of


_EVENTS = "/api/v1/namespaces/default/events"
_LABEL = 16
_SHOWN = 10

Row = tuple[str, str]


class _Event(msgspec.Struct, rename="camel"):
    reason: str = ""
    message: str = ""
    type: str = ""
    event_time: str | None = None
    last_timestamp: str | None = None

    @property
    def when(self) -> str:
        """To the microsecond where it is told so; a time without a fraction comes before those with one."""
        return max((each or "").removesuffix("Z") for each in (self.last_timestamp, self.event_time))


class _Events(msgspec.Struct):
    items: list[_Event] | None = None


def add_flags(parser: argparse.ArgumentParser) -> None:
    """The flags of `kubectl pci describe`."""
    add_choice(parser)


def run(flags: argparse.Namespace, kubectl: Kubectl) -> int:
    """Look once, and tell."""
    screen = Screen.of(sys.stdout)
    taken = owners(claims(kubectl))
    for index, device in enumerate(chosen(flags, kubectl)):
        if index:
            print("\n")
        neighbours = []
        if len(device.status.iommu_group_members) > 1:
            neighbours = in_order(devices(kubectl, node=device.status.node_name))
        claim = taken.get(device.place)
        for label, text in [*rows(device, claim), *group_rows(device, neighbours, taken)]:
            print(f"{label:{_LABEL}}{plain(text)}".rstrip())
        for line in [*_conditions(claim, screen), *_happened(_events(kubectl, device, claim))]:
            print(screen.cut(line))
    return 0


def rows(device: Device, claim: Claim | None) -> Iterator[Row]:
    """Label and text of each line; what is not known is left out."""
    status = device.status
    yield "Name:", device.name
    yield "Node:", status.node_name
    yield "Address:", status.address
    yield "Description:", status.description
    yield "Ids:", ids_of(status)
    if status.serial_number:
        yield "Serial number:", status.serial_number
    yield "Driver:", status.kernel_driver_in_use or "none"
    yield "NUMA node:", "none" if status.numa_node is None else str(status.numa_node)
    if status.network_interfaces:
        yield "Interfaces:", ", ".join(status.network_interfaces)
    if status.block_devices:
        yield "Disks:", ", ".join(status.block_devices)
    if sriov := sriov_of(status):
        yield "SR-IOV:", sriov
    yield "Resource:", offered_as(device, claim)
    yield "In use by:", ", ".join(status.in_use_by) or "nobody that the kubelet knows of"
    present = next((one for one in status.conditions if one.type == "Present" and one.status != "True"), None)
    if present:
        yield "Present:", f"{present.reason}: {present.message}"
    yield from _claim_rows(claim)


def _claim_rows(claim: Claim | None) -> Iterator[Row]:
    if claim is None:
        yield "Claim:", "none"
        return
    notes = claim.metadata.annotations or {}
    yield "Claim:", claim.name + (" (being deleted)" if claim.metadata.deletion_timestamp else "")
    yield "  By:", f"{claim.spec.user_name or 'unknown'}, {claim.metadata.creation_timestamp}"
    if reason := notes.get(CLAIM_REASON):
        yield "  Because:", reason
    if claim.status.kernel_driver_to_unbind:
        yield "  Was on:", claim.status.kernel_driver_to_unbind
    if notes.get(ALLOW_PROTECTED):
        yield "  Allowed:", "although the host uses it"
    if not claim.status.conditions:
        yield "  State:", why_not_ready(claim)


def group_rows(device: Device, neighbours: Sequence[Device], taken: dict[tuple[str, str], Claim]) -> Iterator[Row]:
    """The IOMMU group, and who else is in it."""
    status = device.status
    yield "IOMMU group:", status.iommu_group or "none; is the IOMMU on?"
    for other in neighbours:
        if other.name == device.name or other.status.address not in status.iommu_group_members:
            continue
        claim = taken.get(other.place)
        whose = f"claimed by {claim.spec.user_name or 'somebody'}" if claim else "not claimed"
        driver = other.status.kernel_driver_in_use or "no driver"
        yield "", f"{other.status.address}  {other.status.description}  [{driver}], {whose}"


def _conditions(claim: Claim | None, screen: Screen) -> Iterator[str]:
    if claim is None or not claim.status.conditions:
        return
    yield "Conditions:"
    width = max(len(one.type) for one in claim.status.conditions)
    for one in claim.status.conditions:
        yield f"  {screen.mark(holds=_holds(one))} {one.type:{width}}  {plain(f'{one.reason}: {one.message}')}"


def _holds(one: Condition) -> bool | None:
    return {"True": True, "False": False}.get(one.status)


def _happened(events: Sequence[_Event]) -> Iterator[str]:
    if events:
        yield "Events:"
    for event in events[-_SHOWN:]:
        yield f"  {event.when[:19]}  {event.reason}: {plain(event.message)}"


def _events(kubectl: Kubectl, device: Device, claim: Claim | None) -> list[_Event]:
    """What happened to the device and its claim; nothing where a person may not see Events."""
    found: list[_Event] = []
    for name in dict.fromkeys([device.name, *([claim.name] if claim else [])]):
        query = f"{_EVENTS}?fieldSelector={quote(f'involvedObject.name={name}')}"
        try:
            found += kubectl.get(query, into=_Events).items or []
        except KubectlFailed as error:
            if error.word not in {"Forbidden", "NotFound"}:
                raise
    return sorted(found, key=lambda event: event.when)
