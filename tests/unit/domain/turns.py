"""Turns of decide and write, without the agent and the API server around them."""

from __future__ import annotations

from dataclasses import replace
from typing import assert_never

from pcidevices.domain.device import PciDevice, Unreadable
from pcidevices.domain.inventory import (
    Amend,
    Create,
    Decision,
    Leave,
    Place,
    Policy,
    Remove,
    decide,
    name_to_keep,
)
from pcidevices.domain.published import Node, PublishedDevice
from tests.support.builders import NODE, a_gpu, a_node


NOW = "2026-03-04T05:06:07Z"
PLAIN = Policy()
HERE = a_node()

Seen = PciDevice | Unreadable | None


def decided(
    seen: Seen,
    published: PublishedDevice | None,
    *,
    claimed: bool = False,
    policy: Policy = PLAIN,
    node: Node | None = HERE,
    now: str = NOW,
) -> Decision:
    """What the agent decides that has only this one device."""
    return decide(
        seen,
        published,
        place=Place(NODE, node),
        policy=policy,
        claimed=claimed,
        kept_name=name_to_keep(seen, published, ()) if isinstance(seen, PciDevice) else None,
        now=now,
    )


def written(decision: Decision, published: PublishedDevice | None) -> PublishedDevice | None:
    """What the API server has once *decision* is written; labels are added to those of others."""
    match decision:
        case Leave():
            return published
        case Remove():
            return None
        case Create(labels, owners, status):
            assert published is None
            name = a_gpu().address.object_name(NODE)
            return PublishedDevice(
                name=name, uid="made", resource_version="1", labels=labels, owners=owners, status=status
            )
        case Amend(labels, owners, status):
            assert published is not None
            return replace(
                published,
                labels={**published.labels, **(labels or {})},
                owners=published.owners if owners is None else owners,
                status=published.status if status is None else status,
            )
        case _:
            assert_never(decision)


def settled(
    seen: Seen, published: PublishedDevice | None, *, claimed: bool = False, policy: Policy = PLAIN
) -> PublishedDevice | None:
    """What the API server has in the end; it takes two writes at most (one to remove, one to make)."""
    for _ in range(2):
        published = written(decided(seen, published, claimed=claimed, policy=policy), published)
    assert decided(seen, published, claimed=claimed, policy=policy) == Leave()
    return published
