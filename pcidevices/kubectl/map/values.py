"""What is drawn: nodes, their NUMA nodes, IOMMU groups in these, devices in those."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from .state import State


Row = tuple[str, str]

LARGE = 6
"""A group of more devices may go on in the next column."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tile:
    """One device in the picture."""

    name: str
    node: str
    address: str
    state: State
    title: str
    """What it is, without its class."""
    note: str
    """What matters most in its state: why it is not Ready, who has it, why the host needs it; else its class."""
    driver: str
    rows: tuple[Row, ...]
    """All that is told of it, labelled."""


@dataclass(frozen=True, slots=True)
class Group:
    """An IOMMU group, which virtual machines get as a whole; without a *number*, devices that have none."""

    number: str | None
    tiles: tuple[Tile, ...]


@dataclass(frozen=True, slots=True)
class Numa:
    """What is attached to one NUMA node; without a *number*, to none that the kernel tells."""

    number: int | None
    groups: tuple[Group, ...]

    @property
    def label(self) -> str:
        return "No NUMA node told" if self.number is None else f"NUMA node {self.number}"


@dataclass(frozen=True, slots=True)
class Node:
    """One machine."""

    name: str
    numas: tuple[Numa, ...]

    @property
    def tiles(self) -> Iterator[Tile]:
        return (tile for numa in self.numas for group in numa.groups for tile in group.tiles)


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """All that is drawn."""

    nodes: tuple[Node, ...]
    taken: str
    """When it was looked at, for a person."""
    selection: str = ""
    """What was asked for, when not everything was."""

    @property
    def tiles(self) -> Iterator[Tile]:
        return (tile for node in self.nodes for tile in node.tiles)
