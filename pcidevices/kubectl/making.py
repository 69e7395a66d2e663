"""The claim itself, and who makes it."""

from __future__ import annotations

import msgspec

from pcidevices.api.v1beta1 import ALLOW_PROTECTED, API_VERSION, CLAIM_REASON
from pcidevices.errors import KubectlFailed

from .objects import Device
from .transport import Kubectl


_REVIEWS = "/apis/authentication.k8s.io/v1/selfsubjectreviews"


def claim_for(device: Device, user: str, *, allowed: bool, reason: str, unpooled: bool) -> dict[str, object]:
    """A claim that bears the name of its device; *allowed* is what the host uses all the same."""
    notes = {
        **({ALLOW_PROTECTED: device.status.address} if allowed else {}),
        **({CLAIM_REASON: reason} if reason else {}),
    }
    return {
        "apiVersion": API_VERSION,
        "kind": "PCIDeviceClaim",
        "metadata": {"name": device.name, **({"annotations": notes} if notes else {})},
        "spec": {
            "address": device.status.address,
            "nodeName": device.status.node_name,
            "userName": user,
            **({"disableResourcePooling": True} if unpooled else {}),
        },
    }


class _Review(msgspec.Struct):
    """What a SelfSubjectReview answers, as far as it matters."""

    status: dict[str, dict[str, msgspec.Raw]]


def user_of(kubectl: Kubectl) -> str:
    """Who asks, as the API server knows them; empty on a server that is too old to say."""
    review = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
    try:
        answer = msgspec.json.decode(kubectl.create(_REVIEWS, review), type=_Review)
    except KubectlFailed as error:
        if error.word in {"NotFound", "Forbidden"}:
            return ""
        raise
    return msgspec.json.decode(answer.status["userInfo"]["username"], type=str)
