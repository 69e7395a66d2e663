"""From what the cluster has to the picture. Pure."""

from __future__ import annotations

import re

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping

from pcidevices.api.reasons import Reason
from pcidevices.api.v1beta1 import PCIDeviceStatus
from pcidevices.domain.conditions import condition
from pcidevices.kubectl.objects import Claim, Device, Metadata, owners, sort_key
from pcidevices.kubectl.refusals import objection

from .details import details
from .state import LEGEND, State, state_of
from .values import Group, Node, Numa, Picture, Tile


_LEGAL_FORM = re.compile(
    r",? (?:Corporation|Corp\.?|(?:Co\.?,? )?Ltd\.?|Technolog(?:y|ies)|Inc\.?)(?:, Inc\.?)?(?= |$)"
)
"""What takes the room of the model's name on a tile; the details have it."""


_HOSTS = frozenset({Reason.NOT_CLAIMABLE, Reason.DEVICE_PROTECTED, Reason.DEVICE_IN_USE})
"""Objections to a claim that mean: the host, or what is on it, would miss the device."""


def picture(devices: Iterable[Device], claims: Iterable[Claim], *, taken: str, selection: str = "") -> Picture:
    """
    The picture of *devices* with what *claims* ask of them, in the order of machines.

    A claim for something that has no object is drawn too when all claims were to be (there is no *selection*):
    what somebody waits for must not be missing.
    """
    taken_by, devices = owners(claims), list(devices)
    if not selection:
        drawn = {device.place for device in devices}
        devices += [_in_place_of(claim) for place, claim in taken_by.items() if place not in drawn]
    nodes: dict[str, list[tuple[Device, Tile]]] = defaultdict(list)
    functions = _virtual_functions(devices)
    for device in sorted(devices, key=_by_address):
        why_needed = _why_needed(device, functions[device.place])
        tile = _tile(device, taken_by.get(device.place), why_needed=why_needed)
        nodes[device.status.node_name].append((device, tile))
    in_order = sorted(nodes, key=_natural)
    return Picture(
        nodes=tuple(Node(name or "on no node", _numas(nodes[name])) for name in in_order),
        taken=taken,
        selection=selection,
    )


def counts(tiles: Iterable[Tile]) -> Mapping[State, int]:
    """How many devices are in each state, in the order of the legend."""
    counted = Counter(tile.state for tile in tiles)
    return {state: counted[state] for state in LEGEND}


def _in_place_of(claim: Claim) -> Device:
    node, address = claim.place
    status = PCIDeviceStatus(address=address, node_name=node, description="Claimed, but there is no such PCIDevice")
    return Device(Metadata(claim.name), status)


def _numas(placed: list[tuple[Device, Tile]]) -> tuple[Numa, ...]:
    """Each group is drawn once, whole, where its first device is."""
    where: dict[str, int | None] = {}
    numas: dict[int | None, dict[str | None, list[Tile]]] = defaultdict(lambda: defaultdict(list))
    for device, tile in placed:
        group, numa = device.status.iommu_group, device.status.numa_node
        numas[numa if group is None else where.setdefault(group, numa)][group].append(tile)
    return tuple(
        Numa(number, tuple(Group(group, tuple(groups[group])) for group in sorted(groups, key=_natural)))
        for number, groups in sorted(numas.items(), key=lambda item: (item[0] is None, item[0] or 0))
    )


def _virtual_functions(devices: Iterable[Device]) -> Mapping[tuple[str, str], list[Device]]:
    """Those of each physical one."""
    functions: dict[tuple[str, str], list[Device]] = defaultdict(list)
    for device in devices:
        if device.status.sriov is not None and device.status.sriov.physical_function:
            functions[device.status.node_name, device.status.sriov.physical_function].append(device)
    return functions


def _why_needed(device: Device, functions: Iterable[Device]) -> str:
    """Why a claim for the device would be refused for the host's sake, as far as the objects tell; empty if not."""
    try:
        refusal = objection(device, functions, None, allowed=False)
    except ValueError:  # its status has an address that is none; nobody can claim that
        return ""
    return refusal.message if refusal is not None and refusal.reason in _HOSTS else ""


def _tile(device: Device, claim: Claim | None, *, why_needed: str) -> Tile:
    status = device.status
    ready = condition(claim.status.conditions, "Ready") if claim else None
    is_ready = ready is not None and ready.status == "True"
    state = state_of(status, is_claimed=claim is not None, is_ready=is_ready, is_needed=bool(why_needed))
    kind, _, title = status.description.partition(": ")
    notes = {
        State.GONE: condition(status.conditions, "Present").reason,
        State.USED: ", ".join(status.in_use_by),
        State.WAITING: ready.reason if ready else "",
        State.NEEDED: why_needed.removeprefix(f"{status.address} ").removeprefix("is "),
    }
    return Tile(
        name=device.name,
        node=status.node_name,
        address=status.address or device.name,
        state=state,
        title=_LEGAL_FORM.sub("", title or status.description) or f"{status.vendor_id}:{status.device_id}",
        note=notes.get(state) or (kind if title else ""),
        driver=status.kernel_driver_in_use or "",
        rows=details(device, claim, state, why_needed),
    )


def _by_address(device: Device) -> tuple[int, str, str]:
    return *sort_key(device.status.address), device.name


def _natural(text: str | None) -> tuple[bool, list[tuple[int, str]]]:
    """Numbers by value, ``node-2`` before ``node-10``; None last."""
    parts = re.findall(r"(\d+)|(\D+)", text or "")
    return text is None, [(int(number or 0), word) for number, word in parts]
