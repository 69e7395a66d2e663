"""What the kernel does: IOMMU, module, driver, group."""

from __future__ import annotations

from pcidevices.api.reasons import Reason
from pcidevices.api.v1beta1 import Condition, Look
from pcidevices.domain.claims import BOUND, GROUP_VIABLE
from pcidevices.domain.conditions import condition
from pcidevices.errors import DriverMissing, WriteTimedOut

from .facts import Facts
from .link import Link, broken, doubtful, holds


def iommu(facts: Facts) -> Link | None:
    """Whether the kernel can keep the device apart at all."""
    return iommu_of(facts.look, facts.address, _said(facts, GROUP_VIABLE))


def iommu_of(look: Look | None, address: str, said: Condition | None = None) -> Link | None:
    """By the look; by what was said before where there is none."""
    command = "ls /sys/kernel/iommu_groups"
    if look is not None and not look.iommu_enabled:
        fact = "the kernel has no IOMMU: no device of this node has an IOMMU group"
        return broken("iommu", Reason.NO_IOMMU_GROUP, fact, command=command)
    if look is not None and look.iommu_group:
        return holds("iommu", f"it is on; {address} is in IOMMU group {look.iommu_group}", command)
    if look is not None and not look.silent:
        fact = f"{address} has no IOMMU group, although others of this node have"
        return broken("iommu", Reason.NO_IOMMU_GROUP, fact, command=command)
    if said is not None and said.reason == Reason.NO_IOMMU_GROUP:
        return broken("iommu", Reason.NO_IOMMU_GROUP, said.message, command=command)
    return None


def iommu_of_node(*, is_enabled: bool, is_needed: bool) -> Link:
    """A node without claims may do without."""
    command = "ls /sys/kernel/iommu_groups"
    if is_enabled:
        return holds("iommu", "it is on", command)
    fact = "the kernel has no IOMMU: no device of this node has an IOMMU group"
    return (broken if is_needed else doubtful)("iommu", Reason.NO_IOMMU_GROUP, fact, command=command)


def module(facts: Facts) -> Link | None:
    """Whether the last try to load it failed; else whether it could be."""
    said = _said(facts, BOUND)
    if said is not None and said.reason == DriverMissing.reason:
        return broken("module", DriverMissing.reason, said.message, command="modprobe --dry-run vfio-pci")
    return module_of(facts.look)


def module_of(look: Look | None) -> Link | None:
    """Whether there is a driver to bind to."""
    if look is None or look.vfio_module_state is None:
        return None
    command = f"modprobe --dry-run --verbose {look.vfio_module}"
    match look.vfio_module_state:
        case "Loaded":
            return holds("module", f"{look.vfio_module} is loaded", f"lsmod | grep {look.vfio_module}")
        case "Loadable":
            return holds("module", f"{look.vfio_module} is there, and is loaded when it is needed", command)
        case "Missing":
            fact = f"the running kernel has no module {look.vfio_module}"
            return broken("module", DriverMissing.reason, fact, command=command)


def bound(facts: Facts) -> Link | None:
    """The kernel's word first, then the claim's."""
    look, said = facts.look, _said(facts, BOUND)
    if said is None:
        return None
    command = f"lspci -nnks {facts.address}"
    if look is not None and look.step_under_way:
        fact = f"{facts.address}: {look.step_under_way} has not returned yet"
        return broken("bound", WriteTimedOut.reason, fact, command="ps axo stat,pid,comm | grep ^D")
    if look is not None and look.silent:
        fact = f"the kernel does not answer for {facts.address}"
        return broken("bound", Reason.DEVICE_SILENT, fact, command="ps axo stat,pid,comm | grep ^D")
    if said.status != "True":
        return broken("bound", said.reason or Reason.BINDING, said.message or "it is not bound yet", command=command)
    if look is not None and not look.on_vfio:
        fact = f"{facts.address} is on {look.kernel_driver_in_use or 'no driver'}; somebody has taken it back"
        return broken("bound", Reason.BINDING, fact, command=command)
    return holds("bound", said.message, command)


def group(facts: Facts) -> Link | None:
    """By the look; by what the claim said where there is none."""
    said = _said(facts, GROUP_VIABLE)
    if said is not None and said.status != "True" and facts.look is None:
        return broken("group", said.reason, said.message, command=_members(facts.address))
    then = f"kubectl claim --group {facts.name if facts.device is None else facts.device.name}"
    return group_of(facts.look, facts.address, then=then) or (
        None if said is None else holds("group", said.message, _members(facts.address))
    )


def group_of(look: Look | None, address: str, *, then: str = "") -> Link | None:
    """Whether a virtual machine could have the device, as far as its IOMMU group is concerned."""
    if look is None or not look.iommu_group:
        return None
    name = f"IOMMU group {look.iommu_group}"
    if look.blockers:
        fact = f"{name} is shared: {'; '.join(look.blockers)}"
        return broken("group", Reason.GROUP_NOT_VIABLE, fact, command=_members(address), then=then)
    fact = f"nothing else in {name} is on a driver of the host"
    return holds("group", fact, _members(address))


def _members(address: str) -> str:
    return f"ls /sys/bus/pci/devices/{address}/iommu_group/devices"


def _said(facts: Facts, kind: str) -> Condition | None:
    return None if facts.claim is None else condition(facts.claim.status.conditions, kind)
