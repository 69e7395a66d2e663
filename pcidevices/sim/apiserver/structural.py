"""The shape of schemas themselves, so that a definition cannot make a kind that nobody can write."""

from __future__ import annotations

import re

from typing import TYPE_CHECKING

from . import validation
from .errors import Cause
from .values import Json, Object


if TYPE_CHECKING:
    from collections.abc import Iterator


_STRINGS: Object = {"type": "array", "items": {"type": "string"}}
_SCHEMAS: Object = {"type": "array", "items": {"type": "object"}}
_NUMBERS = ("minimum", "maximum", "multipleOf")
_COUNTS = ("minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties")
_FLAGS = ("nullable", "exclusiveMinimum", "exclusiveMaximum", "x-kubernetes-int-or-string")
_KEYWORDS: Object = {
    "type": "object",
    "properties": {key: {"type": "number"} for key in _NUMBERS}
    | {key: {"type": "integer"} for key in _COUNTS}
    | {key: {"type": "boolean"} for key in _FLAGS}
    | dict.fromkeys(("required", "x-kubernetes-list-map-keys"), _STRINGS)
    | dict.fromkeys(("allOf", "anyOf", "oneOf"), _SCHEMAS)
    | {key: {"type": "object"} for key in ("properties", "items", "not")}
    | {key: {"type": "string"} for key in ("pattern", "format", "description")}
    | {
        "type": {"type": "string", "enum": ["", *validation.TYPES]},
        "enum": {"type": "array"},
        "x-kubernetes-list-type": {"type": "string", "enum": ["atomic", "set", "map"]},
        "x-kubernetes-map-type": {"type": "string", "enum": ["atomic", "granular"]},
    },
}


def causes(schema: Json, path: str) -> Iterator[Cause]:
    """What is wrong with a schema."""
    wrong = list(validation.causes(schema, _KEYWORDS, path))
    yield from wrong
    if wrong:
        return
    if "pattern" in schema and not _compiles(schema["pattern"]):
        yield Cause("FieldValueInvalid", f"{path}.pattern", "Invalid value: must be a valid regular expression")
    if schema.get("x-kubernetes-list-type") == "map" and not schema.get("x-kubernetes-list-map-keys"):
        yield Cause("FieldValueRequired", f"{path}.x-kubernetes-list-map-keys", "Required value: for list type map")
    for where, inner in _inside(schema):
        yield from causes(inner, f"{path}.{where}")


def _inside(schema: Object) -> Iterator[tuple[str, Json]]:
    for name, inner in schema.get("properties", {}).items():
        yield f"properties[{name}]", inner
    for keyword in ("items", "not"):
        if keyword in schema:
            yield keyword, schema[keyword]
    if not isinstance(schema.get("additionalProperties", True), bool):
        yield "additionalProperties", schema["additionalProperties"]
    for keyword in ("allOf", "anyOf", "oneOf"):
        for index, inner in enumerate(schema.get(keyword, ())):
            yield f"{keyword}[{index}]", inner


def _compiles(pattern: str) -> bool:
    try:
        re.compile(pattern)
    except re.error:
        return False
    return True
