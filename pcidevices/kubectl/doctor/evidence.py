"""All that the cluster tells of one device, as facts for a diagnosis."""

from __future__ import annotations

import time

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TypeVar

import msgspec

from pcidevices.api.v1beta1 import ALLOW_PROTECTED, NODE_LABEL
from pcidevices.domain.address import PciAddress
from pcidevices.domain.claim import Claim
from pcidevices.domain.diagnosis import Answer, Facts
from pcidevices.domain.diagnosis.together import taken_beside
from pcidevices.domain.published import PublishedDevice, node_label
from pcidevices.errors import Forbidden, KubectlFailed, Unauthorized, Unavailable
from pcidevices.errors import NotFound as NoSuchObject
from pcidevices.kubectl import objects
from pcidevices.kubectl.commandline import missing_role
from pcidevices.kubectl.transport import Kubectl

from .asking import Asked, ask
from .others import kubevirts, node_of, wishes
from .target import Target


T = TypeVar("T")
_DEVICE = msgspec.json.Decoder(objects.Device)
_CLAIM = msgspec.json.Decoder(objects.Claim)
_ASK_AGAIN = 1.1
"""Seconds: an agent looks at a device once a second at the most."""
_REASONS = {
    "Forbidden": Forbidden.reason,
    "Unauthorized": Unauthorized.reason,
    "ServiceUnavailable": Unavailable.reason,
    "InternalError": Unavailable.reason,
    "Timeout": Unavailable.reason,
}
_NOT_REACHED = ("The connection to the server", "Unable to connect to the server")


def facts_of(target: Target, kubectl: Kubectl, patience: float) -> Facts:
    """Ask the agent, and read meanwhile what others have to say."""
    unread: dict[str, str] = {}
    with ThreadPoolExecutor(4) as pool:
        agent = pool.submit(_ask, target, kubectl, patience)
        node = pool.submit(_or_words, lambda: node_of(target.node, kubectl) if target.node else None, "node", unread)
        virt = pool.submit(_or_words, lambda: kubevirts(kubectl), "kubevirt", unread)
        want = pool.submit(_or_words, lambda: wishes(kubectl), "wishes", unread)
        claims = claims_of(target.node, kubectl) if target.node else []
        asked, before = agent.result()
        device = None if target.device is None else published(asked.device or target.device)
        wanted = want.result() or ()
        every = list(map(published, objects.devices(kubectl))) if wanted and device is not None else []
        return Facts(
            name=target.name,
            node_name=target.node,
            address=target.address,
            device=device,
            claims=tuple(claim for claim in claims if str(claim.address) == target.address),
            asked_claim=target.claim,
            answer=asked.answer,
            words=asked.words,
            look=asked.look if device is not None else None,
            was_outdated=before,
            node=node.result(),
            kubevirts=virt.result(),
            wishes=wanted,
            resources=frozenset(_names(every)),
            taken_beside=0 if device is None else taken_beside(device, every, claims),
            unread=unread,
        )


def refused(name: str, error: KubectlFailed) -> Facts | None:
    """The facts where not even the objects can be read; None when that is no question of access."""
    word = error.word
    if word == "NotFound" or "the server doesn't have a resource type" in str(error):
        return Facts(name=name, refusal=(NoSuchObject.reason, error.lines[-1], ""))
    reason = Unavailable.reason if error.lines[-1].startswith(_NOT_REACHED) else _REASONS.get(word)
    if reason is None:
        return None
    return Facts(name=name, refusal=(reason, error.lines[-1], missing_role(error)))


def claims_of(node: str, kubectl: Kubectl) -> list[Claim]:
    """Those for a node's devices; a server that cannot select them sends all."""
    query: dict[str, object] = {"fieldSelector": f"spec.nodeName={node}"}
    try:
        found = list(_claims(query, kubectl))
    except KubectlFailed as error:
        if error.word != "BadRequest":
            raise
        found = list(_claims({}, kubectl))
    return [claim for claim in found if claim.node_name == node]


def sensible(found: Iterable[objects.Claim]) -> Iterator[Claim]:
    """Without those that are older than the schema, with an address that is none."""
    for each in found:
        with suppress(ValueError):
            yield claim_of(each)


def claim_of(found: objects.Claim) -> Claim:
    """As the rules want it."""
    meta = found.metadata
    node, address = found.place
    return Claim(
        name=meta.name,
        uid=meta.uid,
        resource_version=meta.resource_version,
        node_name=node,
        address=PciAddress.parse(address),
        user_name=found.spec.user_name,
        disable_resource_pooling=found.spec.disable_resource_pooling,
        node_system_uuid=found.spec.node_system_uuid,
        allow_protected=(meta.annotations or {}).get(ALLOW_PROTECTED, ""),
        created=meta.creation_timestamp,
        finalizers=meta.finalizers or (),
        status=found.status,
        deleting=meta.deletion_timestamp is not None,
    )


def published(found: objects.Device) -> PublishedDevice:
    """Likewise."""
    meta = found.metadata
    return PublishedDevice(
        name=meta.name,
        uid=meta.uid,
        resource_version=meta.resource_version,
        labels=meta.labels or {},
        owners=(),
        status=found.status,
    )


def some_device(node: str, kubectl: Kubectl) -> str:
    """The name of any object of the node, in which its agent can be asked; empty when there is none."""
    selector = {"labelSelector": f"{NODE_LABEL}={node_label(node)}"}
    items, _ = next(iter(kubectl.pages(objects.DEVICES, selector, limit=1)))
    found = [device for raw in items if (device := objects.read(raw, _DEVICE))]
    return found[0].name if found else ""


def _ask(target: Target, kubectl: Kubectl, patience: float) -> tuple[Asked, tuple[str, ...]]:
    """The answer; and what the agent had not noticed, if it has by now."""
    name = target.device.name if target.device is not None else ""
    if target.device is None and target.node:
        name = some_device(target.node, kubectl)
    if not name:
        return Asked(Answer.NOBODY), ()
    first = ask(name, kubectl, patience=patience)
    if first.look is None or not first.look.outdated:
        return first, ()
    time.sleep(_ASK_AGAIN)
    return ask(name, kubectl, patience=patience), first.look.outdated


def _names(devices: Iterable[PublishedDevice]) -> Iterator[str]:
    for device in devices:
        if name := device.status.resource_name:
            yield name
            yield f"{name.partition('/')[0]}/{device.name}"


def _claims(query: dict[str, object], kubectl: Kubectl) -> Iterator[Claim]:
    for items, _ in kubectl.pages(objects.CLAIMS, query):
        for raw in items:
            if (found := objects.read(raw, _CLAIM)) is not None:
                yield from sensible([found])


def _or_words(read: Callable[[], T], what: str, unread: dict[str, str]) -> T | None:
    try:
        return read()
    except KubectlFailed as error:
        unread[what] = error.lines[-1]
        return None
