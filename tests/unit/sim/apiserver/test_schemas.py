"""Pruning, defaults and validation without a server."""

from __future__ import annotations

from typing import Any

import pytest

from hypothesis import given, settings
from hypothesis import strategies as st

from pcidevices.sim.apiserver.schemas import defaulted, pruned, unknown_fields
from pcidevices.sim.apiserver.validation import causes


STRING = {"type": "string"}
SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "name": STRING,
        "size": {"type": "integer", "default": 3},
        "note": {"type": "string", "nullable": True},
        "tags": {"type": "object", "additionalProperties": STRING},
        "open": {"type": "object", "x-kubernetes-preserve-unknown-fields": True, "properties": {"in": {}}},
        "items": {"type": "array", "items": {"type": "object", "properties": {"a": STRING, "b": {"default": 1}}}},
        "nested": {"type": "object", "default": {}, "properties": {"deep": {"type": "boolean", "default": True}}},
    },
}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*SCHEMA["properties"], "x"]), inner),
    max_leaves=8,
)


def test_what_the_schema_does_not_know_is_dropped_and_named() -> None:
    value = {"x": 1, "tags": {"any": "y"}, "open": {"any": {"z": 1}}, "items": [{"a": "1", "c": 2}]}

    assert pruned(value, SCHEMA) == {"tags": {"any": "y"}, "open": {"any": {"z": 1}}, "items": [{"a": "1"}]}
    assert list(unknown_fields(value, SCHEMA)) == ["x", "items[0].c"]


def test_null_stays_where_it_may() -> None:
    assert pruned({"name": None, "note": None}, SCHEMA) == {"note": None}


def test_defaults_come_in_at_every_depth() -> None:
    assert defaulted({"items": [{}]}, SCHEMA) == {"items": [{"b": 1}], "size": 3, "nested": {"deep": True}}


def test_defaults_are_not_shared() -> None:
    first, second = defaulted({}, SCHEMA), defaulted({}, SCHEMA)

    assert first["nested"] is not second["nested"]
    assert SCHEMA["properties"]["nested"]["default"] == {}


@settings(max_examples=25)
@given(st.dictionaries(st.sampled_from([*SCHEMA["properties"], "x"]), JSON))
def test_pruning_and_defaults_settle_at_once(value: dict[str, Any]) -> None:
    """Done twice is done once; nothing unknown is left; the value itself is never touched."""
    before = repr(value)
    once = defaulted(pruned(value, SCHEMA), SCHEMA)

    assert defaulted(pruned(once, SCHEMA), SCHEMA) == once
    assert not list(unknown_fields(once, SCHEMA))
    assert repr(value) == before


@pytest.mark.parametrize(
    ("value", "schema", "reason"),
    [
        ("x", {"type": "integer"}, "FieldValueTypeInvalid"),
        (True, {"type": "integer"}, "FieldValueTypeInvalid"),
        (None, {"type": "string"}, "FieldValueTypeInvalid"),
        ({}, {"type": "object", "required": ["a"]}, "FieldValueRequired"),
        ({}, {"type": "object", "minProperties": 1}, "FieldValueInvalid"),
        ({"a": 1, "b": 2}, {"type": "object", "maxProperties": 1}, "FieldValueTooMany"),
        ([], {"type": "array", "minItems": 1}, "FieldValueInvalid"),
        ([1, 2], {"type": "array", "maxItems": 1}, "FieldValueTooMany"),
        ("", {"type": "string", "minLength": 1}, "FieldValueInvalid"),
        ("xx", {"type": "string", "maxLength": 1}, "FieldValueTooLong"),
        ("x", {"type": "string", "pattern": "^y"}, "FieldValueInvalid"),
        ("x", {"type": "string", "enum": ["y"]}, "FieldValueNotSupported"),
        (1, {"type": "integer", "minimum": 1, "exclusiveMinimum": True}, "FieldValueInvalid"),
        (2, {"type": "number", "maximum": 2, "exclusiveMaximum": True}, "FieldValueInvalid"),
        (3, {"type": "integer", "multipleOf": 2}, "FieldValueInvalid"),
        ("x", {"anyOf": [{"type": "integer"}, {"pattern": "y"}]}, "FieldValueInvalid"),
        ("x", {"oneOf": [{"pattern": "x"}, {"type": "string"}]}, "FieldValueInvalid"),
        ("x", {"allOf": [{"pattern": "y"}]}, "FieldValueInvalid"),
        ("x", {"not": {"type": "string"}}, "FieldValueInvalid"),
        (["a", "a"], {"type": "array", "x-kubernetes-list-type": "set"}, "FieldValueDuplicate"),
    ],
)
def test_each_rule_finds_its_fault(value: object, schema: dict[str, Any], reason: str) -> None:
    assert [cause.reason for cause in causes(value, schema, "f")] == [reason]


@pytest.mark.parametrize(
    ("value", "schema"),
    [
        (None, {"type": "string", "nullable": True}),
        (4.0, {"type": "integer"}),
        (4, {"type": "number"}),
        (80, {"x-kubernetes-int-or-string": True}),
        ("http", {"x-kubernetes-int-or-string": True}),
        ("2026-01-01T00:00:00.123456Z", {"type": "string", "format": "date-time"}),
        ({"any": [{"thing": 1}]}, {"x-kubernetes-preserve-unknown-fields": True}),
    ],
)
def test_what_is_right_has_no_fault(value: object, schema: dict[str, Any]) -> None:
    assert list(causes(value, schema)) == []
