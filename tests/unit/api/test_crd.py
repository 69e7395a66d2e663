"""The custom resource definitions: what users of the ancestor find again, and what is new."""

from __future__ import annotations

from typing import Any

import pytest

from pcidevices.api.crd import definitions


CRDS = {crd["spec"]["names"]["kind"]: crd for crd in definitions()}
KINDS = sorted(CRDS)


def version(kind: str) -> Any:
    (only,) = CRDS[kind]["spec"]["versions"]
    return only


def fields(kind: str, part: str) -> Any:
    return version(kind)["schema"]["openAPIV3Schema"]["properties"][part]["properties"]


def test_there_are_both_kinds_of_the_ancestors_group() -> None:
    assert {kind: crd["metadata"]["name"] for kind, crd in CRDS.items()} == {
        "PCIDevice": "pcidevices.devices.harvesterhci.io",
        "PCIDeviceClaim": "pcideviceclaims.devices.harvesterhci.io",
    }


@pytest.mark.parametrize("kind", KINDS)
def test_a_kind_is_served_as_v1beta1_for_the_whole_cluster_with_a_status(kind: str) -> None:
    assert CRDS[kind]["spec"]["group"] == "devices.harvesterhci.io"
    assert CRDS[kind]["spec"]["scope"] == "Cluster"
    assert version(kind)["name"] == "v1beta1"
    assert version(kind)["served"]
    assert version(kind)["storage"]
    assert version(kind)["subresources"] == {"status": {}}


@pytest.mark.parametrize(
    ("kind", "columns"),
    [
        (
            "PCIDevice",
            ["Address", "Vendor Id", "Device Id", "Node Name", "Description", "Kernel Driver In Use"],
        ),
        (
            "PCIDeviceClaim",
            ["Address", "Node Name", "User Name", "Kernel Driver To Unbind", "Passthrough Enabled"],
        ),
    ],
)
def test_kubectl_get_shows_the_ancestors_columns_and_no_others(kind: str, columns: list[str]) -> None:
    """Scripts cut them out by number; what is new is shown with ``-o wide``."""
    shown = [c["name"] for c in version(kind)["additionalPrinterColumns"] if c.get("priority", 0) == 0]

    assert shown == columns


@pytest.mark.parametrize("kind", KINDS)
def test_columns_and_selectable_fields_name_fields_that_there_are(kind: str) -> None:
    paths = [c["jsonPath"] for c in version(kind)["additionalPrinterColumns"]]
    paths += [f["jsonPath"] for f in version(kind)["selectableFields"]]

    for _, part, field in (path.split("[")[0].split(".") for path in paths if not path.startswith(".metadata")):
        assert field in fields(kind, part)


@pytest.mark.parametrize(
    ("kind", "short_name", "selectable"),
    [
        ("PCIDevice", "pcidev", [".status.nodeName", ".status.address", ".status.resourceName"]),
        ("PCIDeviceClaim", "pciclaim", [".spec.nodeName"]),
    ],
)
def test_people_can_ask_in_few_words(kind: str, short_name: str, selectable: list[str]) -> None:
    assert CRDS[kind]["spec"]["names"]["shortNames"] == [short_name]
    assert CRDS[kind]["spec"]["names"]["categories"] == ["pci"]
    assert [f["jsonPath"] for f in version(kind)["selectableFields"]] == selectable


@pytest.mark.parametrize(
    ("kind", "part", "names"),
    [
        (
            "PCIDevice",
            "status",
            "address vendorId deviceId classId iommuGroup nodeName resourceName description kernelDriverInUse",
        ),
        ("PCIDeviceClaim", "spec", "address nodeName userName disableResourcePooling"),
        ("PCIDeviceClaim", "status", "kernelDriverToUnbind passthroughEnabled"),
    ],
)
def test_all_fields_of_the_ancestor_are_there(kind: str, part: str, names: str) -> None:
    assert fields(kind, part).keys() >= set(names.split())


def test_the_iommu_group_is_text() -> None:
    """The ancestor writes "14"; a number would be refused by the users' tools."""
    assert fields("PCIDevice", "status")["iommuGroup"]["type"] == "string"


def test_the_spec_of_a_claim_cannot_be_changed() -> None:
    spec = version("PCIDeviceClaim")["schema"]["openAPIV3Schema"]["properties"]["spec"]

    (rule,) = spec["x-kubernetes-validations"]
    assert rule["rule"] == "self == oldSelf"
    assert rule["message"]
    assert version("PCIDeviceClaim")["schema"]["openAPIV3Schema"]["required"] == ["spec"]
    assert spec["required"] == ["address", "nodeName"]


@pytest.mark.parametrize("kind", KINDS)
def test_everything_at_the_top_is_described(kind: str) -> None:
    schema = version(kind)["schema"]["openAPIV3Schema"]

    assert schema["description"]
    assert all(schema["properties"][part]["description"] for part in ("spec", "status"))
    assert schema["properties"]["metadata"] == {"type": "object"}
