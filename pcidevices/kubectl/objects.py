"""The cluster's objects, as far as these commands read them; anything else in them is passed over."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TypeVar

import msgspec

from pcidevices.api.v1beta1 import (
    API_VERSION,
    GIVE_BACK_FINALIZER,
    GROUP,
    NODE_LABEL,
    PCIDeviceClaimSpec,
    PCIDeviceClaimStatus,
    PCIDeviceStatus,
)
from pcidevices.domain.address import PciAddress
from pcidevices.domain.published import node_label

from .transport import Kubectl


DEVICES = f"/apis/{API_VERSION}/pcidevices"
CLAIMS = f"/apis/{API_VERSION}/pcideviceclaims"
DEVICE_KIND = f"pcidevices.{GROUP}"
CLAIM_RESOURCE = f"pcideviceclaim.{GROUP}"
"""As kubectl calls a claim in what it says."""
NODES, NODES_AT_ONCE = "/api/v1/nodes", 50
"""A Node is long: it names all images."""
_ODD = msgspec.Raw(b"{}")


class Metadata(msgspec.Struct, rename="camel", frozen=True):
    """What every object has."""

    name: str
    uid: str = ""
    resource_version: str = ""
    labels: dict[str, str] | None = None
    annotations: dict[str, str] | None = None
    finalizers: tuple[str, ...] | None = None
    creation_timestamp: str = ""
    deletion_timestamp: str | None = None


class Device(msgspec.Struct, frozen=True):
    """A PCIDevice."""

    metadata: Metadata
    status: PCIDeviceStatus = PCIDeviceStatus()

    @property
    def name(self) -> str:
        return self.metadata.name

    @property
    def place(self) -> tuple[str, str]:
        """Node and address: what a claim has in common with its device, whatever the two are called."""
        return self.status.node_name, self.status.address


class Claim(msgspec.Struct, frozen=True):
    """A PCIDeviceClaim."""

    metadata: Metadata
    spec: PCIDeviceClaimSpec
    status: PCIDeviceClaimStatus = PCIDeviceClaimStatus()

    @property
    def name(self) -> str:
        return self.metadata.name

    @property
    def place(self) -> tuple[str, str]:
        """Node and address, the latter as a PCIDevice has it; what is no address stays as it is."""
        try:
            return self.spec.node_name, str(PciAddress.parse(self.spec.address))
        except ValueError:
            return self.spec.node_name, self.spec.address


class _Stranger(msgspec.Struct):
    metadata: Metadata
    spec: msgspec.Raw = _ODD


_CLAIM = msgspec.json.Decoder(Claim)
O = TypeVar("O", Device, Claim)  # noqa: E741  an object


def devices(kubectl: Kubectl, *, node: str = "", selector: str = "") -> Iterator[Device]:
    """All PCIDevices, or those of a node or with certain labels, as they come."""
    return (device for _, device in raw_devices(kubectl, node=node, selector=selector))


def raw_devices(kubectl: Kubectl, *, node: str = "", selector: str = "") -> Iterator[tuple[msgspec.Raw, Device]]:
    """The same, each with what the server sent."""
    labels = ",".join(part for part in (f"{NODE_LABEL}={node_label(node)}" if node else "", selector) if part)
    return _all(kubectl, DEVICES, Device, selector=labels)


def claims(kubectl: Kubectl, *, selector: str = "") -> Iterator[Claim]:
    """All PCIDeviceClaims."""
    return (claim for _, claim in _all(kubectl, CLAIMS, Claim, selector=selector))


def every_claim(kubectl: Kubectl) -> Iterator[Claim]:
    """Those too whose spec makes no sense."""
    return (whatever(raw) for items, _ in kubectl.pages(CLAIMS) for raw in items)


def _all(kubectl: Kubectl, path: str, kind: type[O], *, selector: str) -> Iterator[tuple[msgspec.Raw, O]]:
    decoder = msgspec.json.Decoder(kind)
    for items, _ in kubectl.pages(path, {"labelSelector": selector} if selector else None):
        for raw in items:
            if (found := read(raw, decoder)) is not None:
                yield raw, found


def read(raw: msgspec.Raw | bytes, decoder: msgspec.json.Decoder[O]) -> O | None:
    """The object; one with a status that does not fit the types is shown without, one without a sensible spec not."""
    try:
        return decoder.decode(raw)
    except msgspec.ValidationError:
        stranger = msgspec.json.decode(raw, type=_Stranger)
        without = msgspec.json.encode({"metadata": stranger.metadata, "spec": stranger.spec})
        try:
            return decoder.decode(without)
        except msgspec.ValidationError:
            return None


def whatever(raw: msgspec.Raw | bytes) -> Claim:
    """A claim; of one without a sensible spec, its metadata, and node and address in whatever words."""
    if (found := read(raw, _CLAIM)) is not None:
        return found
    stranger = msgspec.json.decode(raw, type=_Stranger)
    said = msgspec.json.decode(stranger.spec)
    node, address = (str(said.get(key, "")) if isinstance(said, dict) else "" for key in ("nodeName", "address"))
    return Claim(stranger.metadata, PCIDeviceClaimSpec(node_name=node, address=address))


def owners(claims: Iterable[Claim]) -> dict[tuple[str, str], Claim]:
    """The claim that has each place; of several it is chosen as the agent chooses (see domain.claims.owner_of)."""
    found: dict[tuple[str, str], Claim] = {}
    for claim in claims:
        before = found.get(claim.place)
        if before is None or _rank(claim) < _rank(before):
            found[claim.place] = claim
    return found


def in_order(devices: Iterable[Device]) -> list[Device]:
    """By node and address."""
    return sorted(devices, key=lambda device: (device.status.node_name, *sort_key(device.status.address)))


def sort_key(address: str) -> tuple[int, str]:
    """Domains may have more than four digits; the longer the later."""
    return len(address), address


def _rank(claim: Claim) -> tuple[bool, bool, str, str]:
    meta = claim.metadata
    has_given_back = meta.deletion_timestamp is not None and GIVE_BACK_FINALIZER not in (meta.finalizers or ())
    return has_given_back, claim.status.claimed is None, meta.creation_timestamp, meta.uid
