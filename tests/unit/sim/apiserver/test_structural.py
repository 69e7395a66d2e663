"""A definition cannot make a kind that nobody can write."""

from __future__ import annotations

import pytest

from pcidevices.sim.apiserver.structural import causes


@pytest.mark.parametrize(
    ("schema", "field"),
    [
        ("text", "s"),
        ({"type": "nonsense"}, "s.type"),
        ({"required": "name"}, "s.required"),
        ({"properties": {"a": {"type": 5}}}, "s.properties[a].type"),
        ({"items": {"minimum": "1"}}, "s.items.minimum"),
        ({"additionalProperties": {"maxLength": 1.5}}, "s.additionalProperties.maxLength"),
        ({"anyOf": [{"type": "x"}]}, "s.anyOf[0].type"),
        ({"pattern": "("}, "s.pattern"),
        ({"x-kubernetes-list-type": "map"}, "s.x-kubernetes-list-map-keys"),
    ],
)
def test_a_fault_is_found_where_it_is(schema: object, field: str) -> None:
    assert [cause.field for cause in causes(schema, "s")] == [field]


def test_a_schema_that_is_right_has_no_fault() -> None:
    schema = {
        "type": "object",
        "properties": {"a": {"type": "array", "items": {"type": "string", "pattern": "^a$"}}},
        "additionalProperties": False,
    }

    assert list(causes(schema, "s")) == []
