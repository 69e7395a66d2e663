"""Structural schemas: what is wrong with an object, in the words of the real API server."""

from __future__ import annotations

import json
import re

from collections.abc import Callable, Iterator

from .errors import Cause
from .kinds import PRESERVE
from .schemas import member
from .values import Json, Object, parsed_time


Causes = Iterator[Cause]


def _is_number(value: Json) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


TYPES: dict[str, Callable[[Json], bool]] = {
    "object": lambda value: isinstance(value, dict),
    "array": lambda value: isinstance(value, list),
    "string": lambda value: isinstance(value, str),
    "boolean": lambda value: isinstance(value, bool),
    "integer": lambda value: _is_number(value) and value == int(value),
    "number": _is_number,
}


def causes(value: Json, schema: Object, path: str = "") -> Causes:
    """Everything that is wrong with *value*, deepest last."""
    wrong = _wrong_type(value, schema)
    if wrong:
        yield _type_cause(path, wrong, value)
        return
    if value is None:
        return
    if "enum" in schema and value not in schema["enum"]:
        listed = ", ".join(json.dumps(allowed) for allowed in schema["enum"])
        yield Cause("FieldValueNotSupported", path, f"Unsupported value: {_shown(value)}: supported values: {listed}")
    if isinstance(value, dict):
        yield from _object_causes(value, schema, path)
    elif isinstance(value, list):
        yield from _list_causes(value, schema, path)
    elif isinstance(value, str):
        yield from _string_causes(value, schema, path)
    elif _is_number(value):
        yield from _number_causes(value, schema, path)
    yield from _composed_causes(value, schema, path)


def _wrong_type(value: Json, schema: Object) -> str:
    """The type that was wanted, if it is not the value's."""
    if schema.get("x-kubernetes-int-or-string"):
        return "" if TYPES["integer"](value) or isinstance(value, str) else "integer,string"
    wanted: str = schema.get("type", "")
    if not wanted or (value is None and schema.get("nullable")):
        return ""
    if not TYPES[wanted](value):
        return wanted
    if schema.get("format") == "date-time" and parsed_time(value) is None:
        return "date-time"
    return ""


def _type_cause(path: str, wanted: str, value: Json) -> Cause:
    found = _shown(value) if wanted == "date-time" else json.dumps(_type_of(value))
    message = f"Invalid value: {found}: {path} in body must be of type {wanted}: {found}"
    return Cause("FieldValueTypeInvalid", path, message)


def _type_of(value: Json) -> str:
    if value is None:
        return "null"
    return next(name for name, fits in TYPES.items() if fits(value))


def _shown(value: Json) -> str:
    return json.dumps(value)


def _invalid(path: str, value: Json, rule: str) -> Cause:
    return Cause("FieldValueInvalid", path, f"Invalid value: {_shown(value)}: {path} in body {rule}")


def _object_causes(value: Object, schema: Object, path: str) -> Causes:
    for key in schema.get("required", ()):
        if key not in value:
            yield Cause("FieldValueRequired", f"{path}.{key}" if path else key, "Required value")
    if len(value) < schema.get("minProperties", 0):
        yield _invalid(path, len(value), f"should have at least {schema['minProperties']} properties")
    if len(value) > schema.get("maxProperties", len(value)):
        yield Cause(
            "FieldValueTooMany", path, f"Too many: {len(value)}: must have at most {schema['maxProperties']} items"
        )
    for key, item in value.items():
        yield from causes(item, member(schema, key) or {PRESERVE: True}, f"{path}.{key}" if path else key)


def _list_causes(value: list[Json], schema: Object, path: str) -> Causes:
    if len(value) < schema.get("minItems", 0):
        yield _invalid(path, len(value), f"should have at least {schema['minItems']} items")
    if len(value) > schema.get("maxItems", len(value)):
        yield Cause("FieldValueTooMany", path, f"Too many: {len(value)}: must have at most {schema['maxItems']} items")
    for index, item in enumerate(value):
        yield from causes(item, schema.get("items", {}), f"{path}[{index}]")
    keys = schema.get("x-kubernetes-list-map-keys")
    if schema.get("x-kubernetes-list-type") in ("map", "set"):
        seen: list[Json] = []
        for index, item in enumerate(value):
            mark = {key: item.get(key) for key in keys} if keys and isinstance(item, dict) else item
            if mark in seen:
                yield Cause("FieldValueDuplicate", f"{path}[{index}]", f"Duplicate value: {_shown(mark)}")
            seen.append(mark)


def _string_causes(value: str, schema: Object, path: str) -> Causes:
    if "pattern" in schema and not re.search(schema["pattern"], value):
        yield _invalid(path, value, f"should match '{schema['pattern']}'")
    if len(value) < schema.get("minLength", 0):
        yield _invalid(path, value, f"should be at least {schema['minLength']} chars long")
    if len(value) > schema.get("maxLength", len(value)):
        yield Cause("FieldValueTooLong", path, f"Too long: may not be more than {schema['maxLength']} bytes")


def _number_causes(value: float, schema: Object, path: str) -> Causes:
    low, high = schema.get("minimum"), schema.get("maximum")
    if low is not None and (value < low or (schema.get("exclusiveMinimum") and value == low)):
        yield _invalid(path, value, f"should be greater than{_or_equal(schema, 'exclusiveMinimum')} {low}")
    if high is not None and (value > high or (schema.get("exclusiveMaximum") and value == high)):
        yield _invalid(path, value, f"should be less than{_or_equal(schema, 'exclusiveMaximum')} {high}")
    if "multipleOf" in schema and value % schema["multipleOf"]:
        yield _invalid(path, value, f"should be a multiple of {schema['multipleOf']}")


def _or_equal(schema: Object, exclusive: str) -> str:
    return "" if schema.get(exclusive) else " or equal to"


def _composed_causes(value: Json, schema: Object, path: str) -> Causes:
    for inner in schema.get("allOf", ()):
        yield from causes(value, inner, path)
    if "anyOf" in schema and not any(_fits(value, inner) for inner in schema["anyOf"]):
        yield _invalid(path, value, "must validate at least one schema (anyOf)")
    if "oneOf" in schema and sum(_fits(value, inner) for inner in schema["oneOf"]) != 1:
        yield _invalid(path, value, "must validate one and only one schema (oneOf)")
    if "not" in schema and _fits(value, schema["not"]):
        yield _invalid(path, value, "must not validate the schema (not)")


def _fits(value: Json, schema: Object) -> bool:
    return next(causes(value, schema), None) is None
