"""Where things stand in the drawing: columns of boxes, filled from the left, as even as their order allows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import TypeVar

from .values import LARGE, Group, Node, Numa, Tile


T = TypeVar("T")

COLUMN, TILE, STRIP = 272, 74, 46
"""A column's width, a device's height, and the width of the strip on which a group's number stands."""
COLUMNS, SIDE_BY_SIDE = 6, 2
"""Columns of the whole drawing; NUMA nodes that share them in one row."""
PAD, GAP = 20, 8
NODE_HEAD, NUMA_HEAD = 58, 34
WIDTH = COLUMNS * COLUMN + 4 * PAD - GAP
DEVICE = COLUMN - STRIP - GAP - GAP // 2


@dataclass(frozen=True, slots=True)
class Box:
    """A part of an IOMMU group, as high as its devices, with its upper left corner."""

    x: int
    y: int
    group: Group

    @property
    def height(self) -> int:
        return _height(self.group.tiles)


@dataclass(frozen=True, slots=True)
class NumaArea:
    """A NUMA node, with the upper left corner of its head."""

    x: int
    y: int
    width: int
    numa: Numa
    boxes: tuple[Box, ...]


@dataclass(frozen=True, slots=True)
class NodeArea:
    """A node over the whole width."""

    y: int
    height: int
    node: Node
    numas: tuple[NumaArea, ...]


def node_areas(nodes: Sequence[Node], top: int) -> Iterator[NodeArea]:
    """The nodes, one below the other, from *top* on."""
    for node in nodes:
        columns = COLUMNS // min(SIDE_BY_SIDE, len(node.numas))
        y, areas = top + NODE_HEAD, []
        for row in _chunks(node.numas, COLUMNS // columns):
            placed = [
                _numa_area(numa, PAD * 2 + index * columns * COLUMN, y, columns) for index, numa in enumerate(row)
            ]
            areas += placed
            y = max(box.y + box.height for area in placed for box in area.boxes) + PAD
        yield NodeArea(top, y - top, node, tuple(areas))
        top = y + PAD


def _numa_area(numa: Numa, x: int, y: int, columns: int) -> NumaArea:
    parts = [Group(group.number, tiles) for group in numa.groups for tiles in _chunks(group.tiles, LARGE)]
    heights = [_height(part.tiles) + GAP for part in parts]
    limit = max(*heights, -(-sum(heights) // columns), 0)
    while len(filled := _filled(heights, limit)) > columns:
        limit += TILE // 2
    boxes = []
    for column, indices in enumerate(filled):
        tops = accumulate((heights[index] for index in indices), initial=y + NUMA_HEAD)
        boxes += [Box(x + column * COLUMN, top, parts[index]) for top, index in zip(tops, indices, strict=False)]
    return NumaArea(x, y, columns * COLUMN - GAP, numa, tuple(boxes))


def _filled(heights: Sequence[int], limit: int) -> list[list[int]]:
    """Which box stands in which column, when none may be higher than *limit*."""
    columns: list[list[int]] = [[]]
    used = 0
    for index, height in enumerate(heights):
        if used + height > limit and columns[-1]:
            columns.append([])
            used = 0
        columns[-1].append(index)
        used += height
    return columns


def _height(tiles: Sequence[Tile]) -> int:
    return len(tiles) * TILE + GAP


def _chunks(items: Sequence[T], size: int) -> list[tuple[T, ...]]:
    return [tuple(items[start : start + size]) for start in range(0, len(items), size)]
