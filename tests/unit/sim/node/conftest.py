from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pcidevices.sim.node import SimulatedNode, load_spec


MakeNode = Callable[[str], SimulatedNode]


@pytest.fixture
def make_node(tmp_path: Path) -> Iterator[MakeNode]:
    """Builds a node from YAML; at the end of the test nobody holds its devices any more."""
    nodes: list[SimulatedNode] = []

    def make(text: str) -> SimulatedNode:
        nodes.append(SimulatedNode(tmp_path / f"node{len(nodes)}", load_spec(text)))
        return nodes[-1]

    yield make
    for node in nodes:
        node.close()
