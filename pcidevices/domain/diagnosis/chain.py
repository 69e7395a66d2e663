"""From the person who asks to the virtual machine that waits: one link after another."""

from __future__ import annotations

from collections.abc import Iterator

from pcidevices.api.reasons import Reason

from .asking import access, agent, device
from .claiming import allowed, claim, ready, rivals
from .counting import kubelet, node, offered
from .facts import Facts
from .hardware import bound, group, iommu, module
from .link import Diagnosis, Link, Mark
from .wanting import kubevirt, use, wishes


_CHAIN = (
    access,
    agent,
    device,
    claim,
    allowed,
    iommu,
    module,
    bound,
    group,
    ready,
    offered,
    kubelet,
    node,
    kubevirt,
    use,
    wishes,
    rivals,
)
"""Each makes a link of the facts, or None where there is nothing to say."""


def diagnose(facts: Facts) -> Diagnosis:
    """
    Look at the links in order, up to the first that does not hold.

    An agent that does not answer is a cause, and what the objects said last is told all the same.
    """
    return Diagnosis(tuple(_up_to_the_cause(facts)))


def _up_to_the_cause(facts: Facts) -> Iterator[Link]:
    for look_at in _CHAIN:
        link = look_at(facts)
        if link is None:
            continue
        yield link
        if link.mark is Mark.CAUSE and link.reason != Reason.AGENT_SILENT:
            return
