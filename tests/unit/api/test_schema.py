"""What custom resource definitions ask of a schema (apiextensions.k8s.io/v1: structural schemas)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any

import msgspec
import pytest

from msgspec import Meta, Struct

from pcidevices.api.schema import Schema, structural
from pcidevices.api.v1beta1 import Condition, PCIDeviceClaimSpec, PCIDeviceClaimStatus, PCIDeviceStatus


STATUSES = (PCIDeviceStatus, PCIDeviceClaimStatus)
KINDS = (*STATUSES, PCIDeviceClaimSpec)


class Inner(Struct):
    """A part."""

    number: int = 3


class Outer(Struct):
    """A whole."""

    part: Inner
    word: Annotated[str, Meta(description="A word.", max_length=5)] | None = None
    parts: tuple[Inner, ...] = ()


class Either(Struct):
    value: int | str


def parts(schema: Schema, path: str = "") -> Iterator[tuple[str, Schema]]:
    """The schema and all that it holds, each with where it is."""
    yield path, schema
    for name, part in schema.get("properties", {}).items():
        yield from parts(part, f"{path}.{name}")
    if "items" in schema:
        yield from parts(schema["items"], f"{path}[]")


def test_references_are_inlined_and_defaults_left_out() -> None:
    schema = structural(Outer)

    inner = {
        "type": "object",
        "description": "A part.",
        "properties": {"number": {"type": "integer", "format": "int64"}},
    }
    assert schema == {
        "type": "object",
        "description": "A whole.",
        "required": ["part"],
        "properties": {
            "part": inner,
            "word": {"type": "string", "description": "A word.", "maxLength": 5, "nullable": True},
            "parts": {"type": "array", "items": inner},
        },
    }


def test_what_no_structural_schema_can_say_is_refused() -> None:
    with pytest.raises(TypeError, match="no structural schema"):
        structural(Either)


@pytest.mark.parametrize("kind", KINDS)
def test_every_part_has_a_type_and_only_keywords_that_are_taken(kind: type[Struct]) -> None:
    taken = {"type", "format", "description", "enum", "pattern", "properties", "items", "required", "nullable"}
    taken |= {"minLength", "maxLength", "x-kubernetes-list-type", "x-kubernetes-list-map-keys"}

    for path, part in parts(structural(kind)):
        assert "type" in part, path
        assert part.keys() <= taken, path


@pytest.mark.parametrize("kind", KINDS)
def test_every_field_is_described(kind: type[Struct]) -> None:
    """``kubectl explain`` shows it; the items of a list of words are described with the list."""
    nameless = [
        path for path, part in parts(structural(kind)) if not part.get("description") and not path.endswith("[]")
    ]

    assert nameless == []


@pytest.mark.parametrize("kind", STATUSES)
def test_conditions_are_a_map_by_type(kind: type[Struct]) -> None:
    """Else one writer's conditions would replace those of another."""
    conditions = structural(kind)["properties"]["conditions"]

    assert conditions["x-kubernetes-list-type"] == "map"
    assert conditions["x-kubernetes-list-map-keys"] == ["type"]
    assert set(conditions["items"]["required"]) >= {"type", "status"}
    assert conditions["items"]["properties"]["status"]["enum"] == ["False", "True", "Unknown"]
    assert conditions["items"]["properties"]["lastTransitionTime"]["format"] == "date-time"


@pytest.mark.parametrize("kind", STATUSES)
def test_no_status_field_is_required(kind: type[Struct]) -> None:
    """The ancestor's objects have less, and what the kernel does not tell is left out."""
    assert "required" not in structural(kind)


@pytest.mark.parametrize(
    "raw",
    [
        {"type": "Healthy", "status": "True", "reason": "Because"},
        {"type": "Healthy", "status": "True", "reason": "Because", "lastTransitionTime": "2026-01-01T00:00:00Z"},
        {"type": "Healthy", "status": "True", "reason": "Because", "message": "m", "observedGeneration": 0},
    ],
)
def test_a_condition_of_somebody_else_is_sent_back_as_it_came(raw: dict[str, Any]) -> None:
    """Lists are patched as a whole, and an empty time would be refused."""
    assert msgspec.to_builtins(msgspec.convert(raw, Condition)) == raw
