"""How it stands with a node, seen from the node itself and without the cluster: the same findings in the same words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from pcidevices.api.reasons import Reason
from pcidevices.api.v1beta1 import Look
from pcidevices.errors import DeviceNotFound, DeviceUnreadable, KubeletAway

from .hardware import group_of, iommu_of_node, module_of
from .link import Diagnosis, Link, broken, doubtful, holds


@dataclass(frozen=True, slots=True, kw_only=True)
class Here:
    """What the node itself tells."""

    iommu_enabled: bool
    looks: Mapping[str, Look]
    """By address: devices on a vfio driver, or those that were named."""
    any_look: Look | None = None
    """At whichever device: the driver for virtual machines is the same for most."""
    kubelet_problem: str = ""
    counted: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """The ids of each resource that the kubelet counts."""
    sockets: Mapping[str, bool] = field(default_factory=dict)
    """The plug-ins' sockets, and whether somebody listens there."""


def diagnose_here(here: Here) -> Diagnosis:
    """All that is not as it should be; what concerns one device does not hide another."""
    return Diagnosis(tuple(_links(here)))


def _links(here: Here) -> Iterator[Link]:
    is_needed = any(look.on_vfio for look in here.looks.values())
    yield iommu_of_node(is_enabled=here.iommu_enabled, is_needed=is_needed)
    modules = map(module_of, (*here.looks.values(), here.any_look))
    if (module := next((link for link in modules if link is not None), None)) is not None:
        yield module
    for address, look in here.looks.items():
        yield from _device(address, look, here)
    if here.kubelet_problem:
        yield broken("kubelet", KubeletAway.reason, here.kubelet_problem, command="systemctl status kubelet")
    else:
        yield holds("kubelet", f"it answers, and counts {len(here.counted)} resources", "systemctl status kubelet")
    for path, is_heard in here.sockets.items():
        if is_heard:
            yield holds("socket", f"somebody listens at {path}")
        else:
            then = "see whether the agent runs"
            yield broken(
                "socket", Reason.NOT_REGISTERED, f"nobody listens at {path}", command=f"ls -l {path}", then=then
            )


def _device(address: str, look: Look, here: Here) -> Iterator[Link]:
    command = f"lspci -nnks {address}"
    if not look.found:
        yield broken("device", DeviceNotFound.reason, f"there is nothing at {address}", command=command)
        return
    if look.silent:
        fact = f"the kernel does not answer for {address}"
        yield broken("device", Reason.DEVICE_SILENT, fact, command="ps axo stat,pid,comm | grep ^D")
        return
    if look.problem:
        yield broken("device", DeviceUnreadable.reason, f"{address}: {look.problem}", command=command)
        return
    yield _driver(address, look, command)
    if look.on_vfio and (group := group_of(look, address)) is not None:
        yield group
    if look.holders:
        yield holds("use", f"{address} is in use: {'; '.join(look.holders)}", "fuser -v /dev/vfio/*")
    names = sorted(name for name, ids in here.counted.items() if address in ids)
    if names:
        yield holds("kubelet", f"the kubelet counts {address} under {', '.join(names)}")
    elif look.on_vfio and not here.kubelet_problem:
        fact = f"the kubelet counts {address} under no resource: it is not claimed, or not offered"
        yield doubtful("kubelet", Reason.NOT_COUNTED, fact, then="kubectl pci doctor says why")


def _driver(address: str, look: Look, command: str) -> Link:
    if look.on_vfio:
        return holds("bound", f"{address} is on {look.kernel_driver_in_use}", command)
    where = f"{address} is on {look.kernel_driver_in_use or 'no driver'}"
    if look.never:
        return doubtful("bound", Reason.NOT_CLAIMABLE, look.never, command=command)
    if look.host_uses:
        return doubtful("bound", Reason.DEVICE_PROTECTED, f"{where}: {'; '.join(look.host_uses)}", command=command)
    if look.driver_override and not look.kernel_driver_in_use:
        fact = f"{where}, and its driver override is {look.driver_override}"
        return doubtful("bound", Reason.LEFT_WITHOUT_DRIVER, fact, command=command)
    return holds("bound", where, command)
