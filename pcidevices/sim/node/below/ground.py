from __future__ import annotations

import itertools

from collections.abc import Iterator
from dataclasses import dataclass, field

from pcidevices.sim.node.network import Network
from pcidevices.sim.node.numbers import Numbers
from pcidevices.sim.node.storage import Storage
from pcidevices.sim.node.tree import Tree
from pcidevices.sim.node.uevents import Uevents


@dataclass(frozen=True, slots=True)
class Ground:
    """What all that is made below devices shares: the files, the uevents, the use, the numbers."""

    tree: Tree
    uevents: Uevents
    storage: Storage
    network: Network
    interfaces: Iterator[int] = field(default_factory=lambda: itertools.count(2))
    virtio: Numbers = field(default_factory=Numbers)
    controllers: Numbers = field(default_factory=Numbers)
    minors: Numbers = field(default_factory=Numbers)
