"""docs/reference/pcidevice.md says what the definitions say."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from pcidevices.api import v1beta1
from pcidevices.api.crd import definitions
from pcidevices.domain.naming import resource_name
from tests.docs.pages import code, page, rows


PAGE = page("docs/reference/pcidevice.md")
VERSIONS: dict[str, Any] = {
    definition["spec"]["names"]["kind"]: definition["spec"]["versions"][0] for definition in definitions()
}
PARTS = [("PCIDevice", "status"), ("PCIDeviceClaim", "spec"), ("PCIDeviceClaim", "status")]


def _fields(schema: dict[str, Any], below: str = "") -> Iterator[list[str]]:
    for name, part in schema.get("properties", {}).items():
        is_list = part["type"] == "array"
        kind = f"list of {part['items']['type']}s" if is_list else part["type"]
        yield [f"`{below}{name}`", kind, part["description"]]
        yield from _fields(part["items"] if is_list else part, f"{below}{name}{'[]' if is_list else ''}.")


@pytest.mark.parametrize(("kind", "part"), PARTS)
def test_every_field_has_the_type_and_the_meaning_that_the_schema_gives_it(kind: str, part: str) -> None:
    schema = VERSIONS[kind]["schema"]["openAPIV3Schema"]["properties"][part]

    assert list(rows(PAGE.section(f"### {kind} {part}"))) == list(_fields(schema))


def test_a_device_has_no_spec_to_tell_of() -> None:
    assert "properties" not in VERSIONS["PCIDevice"]["schema"]["openAPIV3Schema"]["properties"]["spec"]


@pytest.mark.parametrize("kind", VERSIONS)
def test_every_column_is_told(kind: str) -> None:
    assert list(rows(PAGE.section(f"### {kind} columns"))) == [
        [column["name"], f"`{column['jsonPath']}`", "with `-o wide`" if column.get("priority") else "always"]
        for column in VERSIONS[kind]["additionalPrinterColumns"]
    ]


@pytest.mark.parametrize("kind", VERSIONS)
def test_every_field_selector_is_told(kind: str) -> None:
    told = code(PAGE.section(f"### {kind} field selectors"))

    assert told == ["metadata.name", *(field["jsonPath"][1:] for field in VERSIONS[kind]["selectableFields"])]


def test_every_label_is_told() -> None:
    labels = {value for name, value in vars(v1beta1).items() if name.endswith("_LABEL")}

    assert {code(row[0])[0] for row in rows(PAGE.section("### Labels"))} == labels


def test_the_names_in_the_examples_are_those_that_the_rules_give() -> None:
    examples = [row for row in rows(PAGE.section("## Resource names")) if len(row) == 3]

    assert examples
    for vendor, device, name in examples:
        known, _, ids = device.partition(", id ")
        made = resource_name(None if vendor == "unknown" else vendor, None if ids else known, ids.strip("`") or "ffff")
        assert f"`{made}`" == name
