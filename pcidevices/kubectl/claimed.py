"""Which claims a person means: by their own names, or by the devices that they are for."""

from __future__ import annotations

from collections.abc import Sequence

from pcidevices.api.v1beta1 import PCIDeviceStatus
from pcidevices.errors import ConfigError, NotFound

from .objects import Claim, Device, Metadata
from .selection import choose, wanted


def meant(claims: Sequence[Claim], devices: Sequence[Device], words: Sequence[str]) -> list[Claim]:
    """
    The claims that the words mean, each once; a claim whose device has no object any more can be meant too.

    Raises:
        NotFound: a word means nothing that is claimed.
        ConfigError: a word means several devices.
    """
    by_name = {claim.name: claim for claim in claims}
    targets = _targets(claims, devices)
    chosen: dict[str, Claim] = {}
    for wish in wanted(words, {claim.spec.node_name for claim in claims}):
        if not wish.node and wish.text in by_name:
            chosen[wish.text] = by_name[wish.text]
            continue
        words_of_one = [f"{wish.node}/{wish.text}" if wish.node else wish.text]
        try:
            target = choose(targets, words_of_one)[0]
        except NotFound:
            raise NotFound(_why_not(devices, words_of_one, str(wish))) from None
        chosen |= {claim.name: claim for claim in claims if claim.place == target.place}
    return list(chosen.values())


def with_groups(chosen: Sequence[Claim], claims: Sequence[Claim], devices: Sequence[Device]) -> list[Claim]:
    """*chosen* and all claims for devices of the same IOMMU groups."""
    places = {claim.place for claim in chosen}
    members = {
        (device.status.node_name, address)
        for device in devices
        if device.place in places
        for address in device.status.iommu_group_members
    }
    return [*chosen, *(c for c in claims if c.place in members and c not in chosen)]


def _targets(claims: Sequence[Claim], devices: Sequence[Device]) -> list[Device]:
    """The claimed devices; in place of one that is gone, what its claim says of it."""
    places = {claim.place: claim for claim in claims}
    there = [device for device in devices if device.place in places]
    gone = places.keys() - {device.place for device in there}
    lost = [
        Device(Metadata(places[place].name), PCIDeviceStatus(node_name=place[0], address=place[1])) for place in gone
    ]
    return [*there, *lost]


def _why_not(devices: Sequence[Device], word: Sequence[str], spelled: str) -> str:
    try:
        return f"{choose(devices, word)[0].name} is not claimed"
    except NotFound:
        return f"no claim, and no claimed device, matches {spelled!r}; `kubectl pci list --claimed` shows them"
    except ConfigError:
        return f"none of the devices that match {spelled!r} is claimed"
