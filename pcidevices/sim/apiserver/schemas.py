"""Structural schemas: what an object may hold (pruning) and what it gets without saying (defaults)."""

from __future__ import annotations

from collections.abc import Iterator

from .kinds import PRESERVE
from .values import Json, Object, clone


_STRING: Object = {"type": "string"}
_STRINGS: Object = {"type": "object", "additionalProperties": _STRING}
_TIME: Object = {"type": "string", "format": "date-time"}
_INTEGER: Object = {"type": "integer", "format": "int64"}

OWNER_REFERENCE: Object = {
    "type": "object",
    "required": ["apiVersion", "kind", "name", "uid"],
    "x-kubernetes-map-type": "atomic",
    "properties": dict.fromkeys(("apiVersion", "kind", "name", "uid"), _STRING)
    | {key: {"type": "boolean"} for key in ("controller", "blockOwnerDeletion")},
}
OBJECT_META: Object = {
    "type": "object",
    "description": "Standard object's metadata.",
    "properties": dict.fromkeys(("name", "generateName", "namespace", "uid", "resourceVersion", "selfLink"), _STRING)
    | dict.fromkeys(("generation", "deletionGracePeriodSeconds"), _INTEGER)
    | {key: {**_TIME, "nullable": True} for key in ("creationTimestamp", "deletionTimestamp")}
    | {
        "labels": _STRINGS,
        "annotations": _STRINGS,
        "finalizers": {
            "type": "array",
            "items": _STRING,
            "x-kubernetes-list-type": "set",
            "x-kubernetes-patch-strategy": "merge",
        },
        "ownerReferences": {
            "type": "array",
            "items": OWNER_REFERENCE,
            "x-kubernetes-list-type": "map",
            "x-kubernetes-list-map-keys": ["uid"],
            "x-kubernetes-patch-strategy": "merge",
            "x-kubernetes-patch-merge-key": "uid",
        },
        "managedFields": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": dict.fromkeys(
                    ("manager", "operation", "apiVersion", "time", "fieldsType", "subresource"), _STRING
                )
                | {"fieldsV1": {"type": "object", PRESERVE: True}},
            },
        },
    },
}


def whole(schema: Object) -> Object:
    """The schema of an object of the API: *schema* with the fields that every object has."""
    common = {"apiVersion": _STRING, "kind": _STRING, "metadata": OBJECT_META}
    return {**schema, "type": "object", "properties": {**schema.get("properties", {}), **common}}


def member(schema: Object, key: str) -> Object | None:
    """The schema of one field of an object, or None where the schema knows no such field."""
    properties = schema.get("properties", {})
    if key in properties:
        found: Object = properties[key]
        return found
    more = schema.get("additionalProperties")
    if more:
        return more if isinstance(more, dict) else {PRESERVE: True}
    return {PRESERVE: True} if schema.get(PRESERVE) else None


def pruned(value: Json, schema: Object) -> Json:
    """*value* without what the schema does not know, and without nulls where it allows none."""
    if isinstance(value, list):
        items = schema.get("items")
        return value if items is None else [pruned(item, items) for item in value]
    if not isinstance(value, dict):
        return value
    kept = {}
    for key, item in value.items():
        inner = member(schema, key)
        if inner is None or (item is None and not _may_be_null(inner)):
            continue
        kept[key] = pruned(item, inner)
    return kept


def _may_be_null(schema: Object) -> bool:
    return bool(schema.get("nullable") or (schema.get(PRESERVE) and "type" not in schema))


def unknown_fields(value: Json, schema: Object, path: str = "") -> Iterator[str]:
    """The paths of what `pruned` would drop for being unknown."""
    if isinstance(value, list):
        for index, item in enumerate(value):
            yield from unknown_fields(item, schema.get("items", {PRESERVE: True}), f"{path}[{index}]")
    elif isinstance(value, dict):
        for key, item in value.items():
            inner, where = member(schema, key), f"{path}.{key}" if path else key
            if inner is None:
                yield where
            else:
                yield from unknown_fields(item, inner, where)


def defaulted(value: Json, schema: Object) -> Json:
    """*value* with the schema's defaults where it says nothing."""
    if isinstance(value, list):
        items = schema.get("items")
        return [defaulted(item, items) for item in value] if items else value
    if not isinstance(value, dict):
        return value
    filled = {
        key: value if (inner := member(schema, key)) is None else defaulted(value, inner)
        for key, value in value.items()
    }
    for key, inner in schema.get("properties", {}).items():
        if "default" in inner and (key not in filled or (filled[key] is None and not _may_be_null(inner))):
            filled[key] = defaulted(clone(inner["default"]), inner)
    return filled
