"""What is told of a fresh look at one device. Pure, and bounded: an object on the API server holds it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from pcidevices.api.v1beta1 import GroupMember, Look, PCIDeviceStatus, PluginLook

from .device import PciDevice, Unreadable
from .held import HeldDevice
from .protection import blockers, in_use_below, protections, why_never
from .published import PublishedDevice
from .sight import Sight
from .standing import OfferSeen


LONGEST_REQUEST = 64
"""Characters of a request; what is longer is not answered."""
_MOST, _LONGEST = 16, 256


@dataclass(frozen=True, slots=True, kw_only=True)
class KubeletSeen:
    """What the kubelet answered just now."""

    problem: str = ""
    """Why it did not."""
    allocatable: Mapping[str, frozenset[str]] = field(default_factory=dict)
    held: tuple[HeldDevice, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Around:
    """What is known beside the device itself."""

    iommu_enabled: bool
    kubelet: KubeletSeen = field(default_factory=KubeletSeen)
    offer: OfferSeen | None = None
    said: PCIDeviceStatus | None = None
    """What the object said before."""


def is_asked(published: PublishedDevice) -> bool:
    """Whether the object asks for a look that it has not had."""
    asked, answer = published.look_asked, published.status.look
    return bool(asked) and len(asked) <= LONGEST_REQUEST and (answer is None or answer.request != asked)


def look_of(sight: Sight, around: Around, *, request: str, now: str, version: str) -> Look:
    """All that a diagnosis needs to know of *sight*."""
    device = sight.device if isinstance(sight.device, PciDevice) else None
    on_vfio = device is not None and device.driver in sight.vfio_drivers
    host_uses: tuple[str, ...] = ()
    if device is not None and not on_vfio:
        below = in_use_below(sight)
        host_uses = (*((below,) if below else ()), *protections(sight, device))
    return Look(
        request=request,
        time=now,
        agent_version=version,
        found=sight.device is not None,
        problem=_cut(sight.device.problem) if isinstance(sight.device, Unreadable) else "",
        silent=sight.is_silent,
        step_under_way=_cut(sight.write_under_way or ""),
        kernel_driver_in_use=(device and device.driver) or "",
        driver_override=_cut(sight.override or ""),
        on_vfio=on_vfio,
        iommu_enabled=around.iommu_enabled,
        iommu_group=(device and device.iommu_group) or "",
        group_members=tuple(_member(other) for other in sight.others[:_MOST]),
        blockers=_few(blockers(sight)),
        never=(device and why_never(device)) or "",
        host_uses=_few(host_uses),
        holders=_few((*_open(sight), *_pods(sight, around.kubelet.held))),
        vfio_module=sight.vfio.module,
        vfio_module_state=_state(sight),
        machine=_cut(sight.machine or ""),
        outdated=_outdated(device, around.said),
        plugin=_plugin(str(sight.address), around.offer, around.kubelet),
        kubelet_problem=_cut(around.kubelet.problem),
    )


def _member(other: PciDevice | Unreadable) -> GroupMember:
    if isinstance(other, Unreadable):
        return GroupMember(address=_cut(other.name))
    return GroupMember(address=str(other.address), driver=other.driver or "")


def _open(sight: Sight) -> Iterable[str]:
    for holder in sight.holders:
        where = f"{holder.address}: " if holder.address not in {None, sight.address} else ""
        yield f"{where}{holder.text}"


def _pods(sight: Sight, held: Iterable[HeldDevice]) -> Iterable[str]:
    for one in held:
        if str(sight.address) in one.ids:
            yield f"pod {one.namespace}/{one.pod}" if one.pod else "a pod that the kubelet does not name now"


def _state(sight: Sight) -> Literal["Loaded", "Loadable", "Missing"] | None:
    if sight.vfio.name is not None:
        return "Loaded"
    match sight.vfio.can_be_loaded:
        case True:
            return "Loadable"
        case False:
            return "Missing"
        case None:
            return None


def _outdated(device: PciDevice | None, said: PCIDeviceStatus | None) -> tuple[str, ...]:
    if device is None or said is None:
        return ()
    differs = {
        "driver": (said.kernel_driver_in_use, device.driver),
        "IOMMU group": (said.iommu_group, device.iommu_group),
    }
    return tuple(
        f"the {what} was said to be {old or 'none'}, and is {new or 'none'}"
        for what, (old, new) in differs.items()
        if old != new
    )


def _plugin(address: str, offer: OfferSeen | None, kubelet: KubeletSeen) -> PluginLook | None:
    if offer is None:
        return None
    counted = kubelet.allocatable.get(offer.resource_name, frozenset())
    return PluginLook(
        resource_name=offer.resource_name,
        socket=_cut(offer.standing.socket),
        socket_found=offer.standing.socket_found,
        registered=offer.standing.is_registered,
        unhealthy=_cut(offer.unhealthy or ""),
        counted=address in counted,
        strangers=_few(tuple(sorted(counted - offer.offered))),
        reason=offer.standing.reason,
        message=_cut(offer.standing.message),
    )


def _few(texts: Iterable[str]) -> tuple[str, ...]:
    every = tuple(dict.fromkeys(map(_cut, texts)))
    return every if len(every) <= _MOST else (*every[:_MOST], f"and {len(every) - _MOST} more")


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
