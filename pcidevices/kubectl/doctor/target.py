"""What a person wants looked at: a device, a claim, a node, or all."""

from __future__ import annotations

import re

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import msgspec

from pcidevices.api.v1beta1 import NODE_LABEL
from pcidevices.domain.address import PciAddress
from pcidevices.domain.published import node_label
from pcidevices.errors import ConfigError, KubectlFailed, NotFound
from pcidevices.kubectl.objects import CLAIMS, DEVICES, NODES, Claim, Device, Metadata, devices, read, whatever
from pcidevices.kubectl.selection import choose
from pcidevices.kubectl.transport import Kubectl


O = TypeVar("O")  # noqa: E741  an object
_DECODER = msgspec.json.Decoder(Device)
_NAME = re.compile(r"[a-z0-9]([-.a-z0-9]*[a-z0-9])?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One of these; nothing is all."""

    name: str = ""
    node: str = ""
    address: str = ""
    device: Device | None = None
    claim: str = ""
    """The claim that was named."""

    @property
    def is_cluster(self) -> bool:
        return not self.name

    @property
    def is_node(self) -> bool:
        return bool(self.name) and not self.address and self.device is None


class _Object(msgspec.Struct):
    metadata: Metadata


def target_of(words: Sequence[str], kubectl: Kubectl) -> Target:
    """
    What the words mean: an object of exactly that name first, then any part of a device's.

    Raises:
        NotFound: nothing.
        ConfigError: a word means several devices, or the words mean several; or a claim that makes no sense.
    """
    if not words:
        return Target()
    if len(words) == 1 and _NAME.fullmatch(words[0]):
        name = words[0]
        if device := _device(kubectl, name):
            return of_device(device)
        if claim := get(kubectl, f"{CLAIMS}/{name}", msgspec.Raw):
            return _of_claim(whatever(claim), kubectl)
        if _is_node(name, kubectl):
            return Target(name=name, node=name)
    try:
        chosen = choose(list(devices(kubectl)), words)
    except NotFound:
        if len(words) > 1:
            raise
        return Target(name=words[0], address="?")
    if len(chosen) > 1:
        raise ConfigError("one device, claim or node at a time")
    return of_device(chosen[0])


def of_device(device: Device) -> Target:
    """One that has an object."""
    return Target(name=device.name, node=device.status.node_name, address=device.status.address, device=device)


def get(kubectl: Kubectl, path: str, kind: type[O]) -> O | None:
    """The object, if there is one."""
    try:
        return kubectl.get(path, into=kind)
    except KubectlFailed as error:
        if error.word == "NotFound" and "could not find the requested resource" not in str(error):
            return None
        raise


def _device(kubectl: Kubectl, name: str) -> Device | None:
    raw = get(kubectl, f"{DEVICES}/{name}", msgspec.Raw)
    return None if raw is None else read(raw, _DECODER)


def _of_claim(claim: Claim, kubectl: Kubectl) -> Target:
    node, address = claim.place
    try:
        name = PciAddress.parse(address).object_name(node)
    except ValueError:
        what = f"claim {claim.name} is for {address!r}, which is no PCI address"
        raise ConfigError(f"{what}; kubectl unclaim {claim.name}, and claim the device anew") from None
    device = _device(kubectl, name)
    return Target(name=claim.name, node=node, address=address, device=device, claim=claim.name)


def _is_node(name: str, kubectl: Kubectl) -> bool:
    query = {"labelSelector": f"{NODE_LABEL}={node_label(name)}", "limit": 1}
    items, _ = next(iter(kubectl.pages(DEVICES, query, limit=1)))
    if items:
        return True
    try:
        return get(kubectl, f"{NODES}/{name}", _Object) is not None
    except KubectlFailed as error:
        if error.word != "Forbidden":
            raise
        return False
