"""From the API server's JSON to values, and back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple
from typing import Any, TypeVar

import msgspec
import structlog

from pcidevices.api.v1beta1 import ALLOW_PROTECTED, LOOK, PCIDeviceClaimSpec, PCIDeviceClaimStatus, PCIDeviceStatus
from pcidevices.domain.address import PciAddress
from pcidevices.domain.claim import Claim
from pcidevices.domain.published import Node, Owner, PublishedDevice


log = structlog.get_logger()

S = TypeVar("S", bound=msgspec.Struct)


class _Owner(msgspec.Struct, rename="camel", omit_defaults=True):
    api_version: str = ""
    kind: str = ""
    name: str = ""
    uid: str = ""
    controller: bool | None = None
    block_owner_deletion: bool | None = None


class _Metadata(msgspec.Struct, rename="camel"):
    name: str
    uid: str = ""
    resource_version: str = ""
    labels: dict[str, str] | None = None
    owner_references: list[_Owner] | None = None
    deletion_timestamp: str | None = None
    creation_timestamp: str = ""
    generation: int = 0
    annotations: dict[str, str] | None = None
    finalizers: tuple[str, ...] | None = None


class _Object(msgspec.Struct):
    metadata: _Metadata
    spec: msgspec.Raw = msgspec.Raw(b"{}")
    status: msgspec.Raw = msgspec.Raw(b"{}")


def published_device(raw: msgspec.Raw | bytes, node_name: str) -> PublishedDevice | None:
    """
    A PCIDevice of this node; None for one whose name is not that of a device of this node.

    Of a status that does not fit the types only what fits is kept, and it is written anew.
    """
    whole = msgspec.json.decode(raw, type=_Object)
    meta = whole.metadata
    if PciAddress.of_object_name(meta.name, node_name) is None:
        return None
    status, misshapen = _status(whole, PCIDeviceStatus)
    return PublishedDevice(
        name=meta.name,
        uid=meta.uid,
        resource_version=meta.resource_version,
        labels=meta.labels or {},
        owners=tuple(Owner(*msgspec.structs.astuple(owner)) for owner in meta.owner_references or ()),
        status=status,
        misshapen_status=misshapen,
        look_asked=(meta.annotations or {}).get(LOOK, ""),
        deleting=meta.deletion_timestamp is not None,
    )


def claim(raw: msgspec.Raw | bytes, node_name: str) -> Claim | None:
    """A PCIDeviceClaim for this node; None for another node's, or one older than the schema that makes no sense."""
    whole = msgspec.json.decode(raw, type=_Object)
    meta = whole.metadata
    try:
        spec = msgspec.json.decode(whole.spec, type=PCIDeviceClaimSpec)
        address = PciAddress.parse(spec.address)
    except ValueError as error:  # msgspec's ValidationError is one
        log.warning("object.misshapen", kind="PCIDeviceClaim", name=meta.name, error=str(error))
        return None
    if spec.node_name != node_name:
        return None
    status, misshapen = _status(whole, PCIDeviceClaimStatus)
    return Claim(
        name=meta.name,
        uid=meta.uid,
        resource_version=meta.resource_version,
        node_name=spec.node_name,
        address=address,
        user_name=spec.user_name,
        disable_resource_pooling=spec.disable_resource_pooling,
        node_system_uuid=spec.node_system_uuid,
        allow_protected=(meta.annotations or {}).get(ALLOW_PROTECTED, ""),
        created=meta.creation_timestamp,
        generation=meta.generation,
        finalizers=meta.finalizers or (),
        status=status,
        misshapen_status=misshapen,
        deleting=meta.deletion_timestamp is not None,
    )


def _status(whole: _Object, kind: type[S]) -> tuple[S, dict[str, Any]]:
    """The status, and if it does not fit the types how it stands; what fits is kept then."""
    try:
        return msgspec.json.decode(whole.status, type=kind), {}
    except msgspec.ValidationError as error:
        log.warning("object.misshapen", kind=kind.__name__, name=whole.metadata.name, error=str(error))
        raw = msgspec.json.decode(whole.status)
        return (_fitting(raw, kind), raw) if isinstance(raw, dict) else (kind(), {})


def _fitting(raw: dict[str, Any], kind: type[S]) -> S:
    """
    What of *raw* fits: each field by itself, and each item of a list.

    So a claim's record outlives what somebody wrote beside it.
    """
    fitting: dict[str, Any] = {}
    for field in msgspec.structs.fields(kind):
        value = raw.get(field.encode_name)
        kept = [item for item in value if _fits([item], field.type)] if isinstance(value, list) else value
        if _fits(kept, field.type):
            fitting[field.encode_name] = kept
    return msgspec.convert(fitting, kind)


def _fits(value: object, kind: type[Any]) -> bool:
    try:
        msgspec.convert(value, kind)
    except msgspec.ValidationError:
        return False
    return True


def node(raw: msgspec.Raw | bytes) -> Node:
    """A Node, of which only the identity matters here."""
    meta = msgspec.json.decode(raw, type=_Object).metadata
    return Node(meta.name, meta.uid)


def owner_references(owners: Sequence[Owner]) -> list[dict[str, Any]]:
    """Owners as metadata.ownerReferences."""
    return [msgspec.to_builtins(_Owner(*astuple(owner))) for owner in owners]
