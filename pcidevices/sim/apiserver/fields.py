"""
Sets of fields, as `managedFields` keeps them.

A field is a path of steps in the words of FieldsV1: ``f:name``, ``k:{"type":"Ready"}`` for an item of a list that is a
map, ``v:"x"`` for an item of a list that is a set.
"""

from __future__ import annotations

import json

from collections.abc import Iterable, Iterator
from typing import TypeAlias

from .kinds import PRESERVE
from .schemas import member
from .values import Json, Object


Path: TypeAlias = tuple[str, ...]
Fields: TypeAlias = frozenset[Path]


class _Container:
    """Stands for the value of a field that is only the sum of its own fields."""


CONTAINER = _Container()
ANYTHING: Object = {PRESERVE: True}


def item_step(item: Json, schema: Object) -> str | None:
    """How the items of this list are told apart; None where the list is one value."""
    match schema.get("x-kubernetes-list-type"):
        case "map" if isinstance(item, dict):
            keys = {key: item[key] for key in sorted(schema["x-kubernetes-list-map-keys"]) if key in item}
            return "k:" + json.dumps(keys, separators=(",", ":"))
        case "set":
            return "v:" + json.dumps(item, separators=(",", ":"))
        case _:
            return None


def values_by_field(value: Json, schema: Object, path: Path = ()) -> Iterator[tuple[Path, Json]]:
    """Each field of *value* with its value; `CONTAINER` for objects and lists that have fields of their own."""
    if isinstance(value, dict) and value and schema.get("x-kubernetes-map-type") != "atomic":
        if path:
            yield path, CONTAINER
        for key, item in value.items():
            yield from values_by_field(item, member(schema, key) or ANYTHING, (*path, f"f:{key}"))
    elif isinstance(value, list) and schema.get("x-kubernetes-list-type") in ("map", "set"):
        yield path, CONTAINER
        for item in value:
            step = item_step(item, schema)
            yield from values_by_field(item, schema.get("items", ANYTHING), (*path, step or ""))
    else:
        yield path, value


def applied_fields(value: Json, schema: Object) -> Fields:
    """The fields that an applied configuration claims: all but the objects and lists around them."""
    return frozenset(
        path for path, found in values_by_field(value, schema) if found is not CONTAINER or path[-1][0] == "k"
    )


def as_tree(fields: Iterable[Path]) -> Object:
    """A set of fields as FieldsV1."""
    tree: Object = {}
    marks: list[Object] = []
    for path in sorted(fields):
        node = tree
        for step in path:
            node = node.setdefault(step, {})
        marks.append(node)
    for node in marks:
        if node:
            node["."] = {}
    return tree


def from_tree(tree: Object, path: Path = ()) -> Iterator[Path]:
    """The set of fields that FieldsV1 stands for."""
    if path and not tree:
        yield path
    for step, inner in tree.items():
        if step == "." or not isinstance(inner, dict):
            yield path
        else:
            yield from from_tree(inner, (*path, step))
