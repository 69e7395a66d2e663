"""Claims for other nodes: what must be known of them to let those go whose node is gone."""

from __future__ import annotations

import re

from dataclasses import dataclass

from pcidevices.api.v1beta1 import FINALIZERS


_LONGEST_NAME = 253
_SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class ForeignClaim:
    """A claim, whichever node it is for; without its device."""

    name: str
    uid: str
    resource_version: str
    node_name: str
    finalizers: tuple[str, ...] = ()
    deleting: bool = False

    @property
    def is_held(self) -> bool:
        """Whether an agent has ever taken it up, and not let it go yet."""
        return not FINALIZERS.isdisjoint(self.finalizers)

    @property
    def needs_an_agent(self) -> bool:
        """Whether something is left to do that only the agent of its node would do."""
        return self.is_held or not self.deleting


def can_be_a_node(name: str) -> bool:
    """Whether the API server would take *name* for a Node's; a claim can say anything."""
    return len(name) <= _LONGEST_NAME and _SUBDOMAIN.fullmatch(name) is not None
