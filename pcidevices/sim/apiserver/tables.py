"""Tables: what `kubectl get` shows."""

from __future__ import annotations

from collections.abc import Sequence

from .kinds import Kind
from .values import Object


def table(kind: Kind, objects: Sequence[Object], *, include: str = "Metadata", headed: bool = True) -> Object:
    """The rows of some kept objects; *include* says what of each object goes with its row."""
    return {
        "kind": "Table",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": {},
        "columnDefinitions": [column.definition() for column in kind.columns] if headed else None,
        "rows": [
            {"cells": [column.cell(obj) for column in kind.columns]} | _included(kind, obj, include) for obj in objects
        ],
    }


def _included(kind: Kind, obj: Object, include: str) -> Object:
    match include:
        case "None":
            return {}
        case "Object":
            return {"object": kind.shown(obj)}
        case _:
            return {
                "object": {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": obj["metadata"]}
            }
