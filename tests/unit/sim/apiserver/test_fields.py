"""Sets of fields."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from pcidevices.sim.apiserver.fields import applied_fields, as_tree, from_tree


STEPS = st.sampled_from(["f:a", "f:b", 'k:{"type":"Ready"}', 'v:"x"'])
FIELDS = st.frozensets(st.lists(STEPS, min_size=1, max_size=4).map(tuple), max_size=6)
SCHEMA = {
    "properties": {
        "conditions": {
            "x-kubernetes-list-type": "map",
            "x-kubernetes-list-map-keys": ["type"],
            "items": {"properties": {"type": {}, "status": {}}},
        },
        "set": {"x-kubernetes-list-type": "set"},
        "atom": {"x-kubernetes-map-type": "atomic", "properties": {"x": {}}},
        "tags": {"additionalProperties": {}},
        "list": {},
    }
}


@settings(max_examples=40)
@given(FIELDS)
def test_a_set_of_fields_survives_being_written_down(fields: frozenset[tuple[str, ...]]) -> None:
    assert frozenset(from_tree(as_tree(fields))) == fields


def test_lists_and_objects_are_told_apart_by_their_schema() -> None:
    value = {
        "conditions": [{"type": "Ready", "status": "True"}],
        "set": ["x", 1],
        "atom": {"x": 1},
        "tags": {"t": "1"},
        "list": [1],
    }

    assert as_tree(applied_fields(value, SCHEMA)) == {
        "f:conditions": {'k:{"type":"Ready"}': {".": {}, "f:status": {}, "f:type": {}}},
        "f:set": {'v:"x"': {}, "v:1": {}},
        "f:atom": {},
        "f:tags": {"f:t": {}},
        "f:list": {},
    }
