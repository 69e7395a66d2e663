"""What a diagnosis is made from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

from pcidevices.api.v1beta1 import Look
from pcidevices.domain.advertise import resource_of
from pcidevices.domain.claim import Claim
from pcidevices.domain.claims import owner_of
from pcidevices.domain.permitted import KubeVirt
from pcidevices.domain.published import PublishedDevice


class Answer(Enum):
    """What came of asking the node's agent for a fresh look."""

    ANSWERED = "answered"
    SILENT = "silent"
    REFUSED = "refused"
    """The API server does not let this person ask."""
    FAILED = "failed"
    """The question did not get through."""
    UNWANTED = "unwanted"
    """The person did not want to."""
    NOBODY = "nobody"
    """The node has no object in which to ask."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeSeen:
    """The Node, as the kubelet keeps it."""

    is_ready: bool = True
    message: str = ""
    """Why it is not ready."""
    capacity: Mapping[str, int] = field(default_factory=dict)
    allocatable: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """Somebody wants devices, and has not got them."""

    who: str
    """``pod default/router``."""
    resource_name: str
    command: str = "kubectl get pods -A"
    """Shows it, and its like."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """All that is known of one device, from its object to those who wait for it."""

    name: str
    """What the person named."""
    node_name: str = ""
    address: str = ""
    device: PublishedDevice | None = None
    claims: tuple[Claim, ...] = ()
    """All for this device."""
    asked_claim: str = ""
    """The claim that the person named, if it was one."""
    refusal: tuple[str, str, str] | None = None
    """Reason, words and what to do, where not even the device and its claims can be read."""
    answer: Answer = Answer.ANSWERED
    words: str = ""
    """Those of the refusal to ask the agent, or how long it took."""
    look: Look | None = None
    was_outdated: tuple[str, ...] = ()
    """What the agent had not noticed before it was asked."""
    node: NodeSeen | None = None
    kubevirts: tuple[KubeVirt, ...] | None = None
    """None when they cannot be read."""
    wishes: tuple[Wish, ...] = ()
    resources: frozenset[str] = frozenset()
    """All resource names that devices of the cluster have."""
    taken_beside: int = 0
    """How many other devices of the node somebody has that are offered under the same name."""
    unread: Mapping[str, str] = field(default_factory=dict)
    """What else could not be read (``node``, ``kubevirt``, ``wishes``), and the words for it."""

    @property
    def claim(self) -> Claim | None:
        """The claim that this is about: the one that was named, else the one that has the device."""
        named = next((claim for claim in self.claims if claim.name == self.asked_claim), None)
        return named or (owner_of(self.claims) if self.claims else None)

    @property
    def owner(self) -> Claim | None:
        return owner_of(self.claims) if self.claims else None

    @property
    def resource_name(self) -> str:
        """What the device is offered as."""
        if self.device is None or self.claim is None:
            return ""
        return resource_of(self.device, self.claim)
