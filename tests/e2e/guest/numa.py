"""Scenarios of a machine with two NUMA nodes, each with two cards of one resource. Standard library only."""

from __future__ import annotations

import rig

from tests.e2e.guest.agent import Object
from tests.e2e.guest.node import Chain
from tests.e2e.guest.scene import state


CARDS = ("0000:41:00.0", "0000:42:00.0", "0000:81:00.0", "0000:82:00.0")


def preferred(chain: Chain, facts: Object) -> None:
    """The kubelet, whom NUMA nodes do not concern, asks the plugin which of them go together. The claims stay."""
    facts["home"] = state(*CARDS)
    chain.scene.claim(*CARDS)
    chain.scene.ready(*CARDS)
    chain.allocatable(CARDS[0], count=len(CARDS))
    facts["of four"] = nodes_of(chain, {"left": 2, "right": 2})
    chain.end("left", "right")
    facts["of three"] = nodes_of(chain, {"alone": 1, "beside": 2})
    chain.end("alone", "beside")


def aligned(chain: Chain, facts: Object) -> None:
    """The kubelet has been told the NUMA nodes, and gives a container devices of one of them or none at all."""
    chain.scene.ready(*CARDS)
    chain.allocatable(CARDS[0], count=len(CARDS))
    chain.create("both", CARDS[0], count=3)
    facts["refused"] = chain.refused("both")
    chain.end("both")
    facts["of four"] = nodes_of(chain, {"first": 2, "second": 2})
    chain.end("first", "second")


def nodes_of(chain: Chain, wanted: dict[str, int]) -> dict[str, list[str]]:
    """Let pods have so many of the cards, one after the other; the NUMA nodes of what each has got."""
    for name, count in wanted.items():
        chain.start(name, *CARDS, count=count)
    return {name: [rig.read(rig.device(it) / "numa_node") for it in chain.addresses_of(name)] for name in wanted}
