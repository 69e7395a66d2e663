"""From msgspec types to the structural schemas that custom resource definitions ask for."""

from __future__ import annotations

from typing import Any

import msgspec


Schema = dict[str, Any]

# Keywords that a structural schema takes as they are
# (apiextensions.k8s.io/v1, JSONSchemaProps); `default` is left out: what is absent stays absent.
_KEPT = frozenset(
    {
        "description",
        "type",
        "format",
        "enum",
        "pattern",
        "minLength",
        "maxLength",
        "minimum",
        "maximum",
        "required",
    }
)
_EXTENSION = "x-kubernetes-"


def structural(kind: type[msgspec.Struct]) -> Schema:
    """
    The structural schema of a msgspec type: references are inlined, ``T | None`` becomes nullable.

    Raises:
        TypeError: the type uses something that no structural schema can say.
    """
    whole = msgspec.json.schema(kind)
    return _convert(whole, whole.get("$defs", {}))


def _convert(schema: Schema, defs: dict[str, Schema]) -> Schema:
    if "$ref" in schema:
        return _convert(defs[schema["$ref"].rpartition("/")[2]], defs)
    if "anyOf" in schema:
        options = [option for option in schema["anyOf"] if option != {"type": "null"}]
        if len(options) != 1 or len(options) == len(schema["anyOf"]):
            raise TypeError(f"no structural schema for {schema}")
        return _convert(options[0], defs) | {"nullable": True}
    kept = {key: value for key, value in schema.items() if key in _KEPT or key.startswith(_EXTENSION)}
    if "enum" in kept:
        kept["type"] = "string"
    if kept.get("type") == "integer":
        kept["format"] = "int64"
    if not kept.get("required", True):
        del kept["required"]
    if "properties" in schema:
        kept["properties"] = {name: _convert(part, defs) for name, part in schema["properties"].items()}
    if "items" in schema:
        kept["items"] = _convert(schema["items"], defs)
    return kept
