"""The custom resource definitions, made from the types, so that the two cannot drift."""

from __future__ import annotations

from typing import Any

from .schema import Schema, structural
from .v1beta1 import GROUP, VERSION, PCIDeviceClaimSpec, PCIDeviceClaimStatus, PCIDeviceStatus


CATEGORY = "pci"

_DEVICE_COLUMNS = (
    ("Address", "string", ".status.address", 0),
    ("Vendor Id", "string", ".status.vendorId", 0),
    ("Device Id", "string", ".status.deviceId", 0),
    ("Node Name", "string", ".status.nodeName", 0),
    ("Description", "string", ".status.description", 0),
    ("Kernel Driver In Use", "string", ".status.kernelDriverInUse", 0),
    ("Class Id", "string", ".status.classId", 1),
    ("IOMMU Group", "string", ".status.iommuGroup", 1),
    ("NUMA Node", "integer", ".status.numaNode", 1),
    ("Resource Name", "string", ".status.resourceName", 1),
    ("Present", "string", '.status.conditions[?(@.type=="Present")].status', 1),
    ("Age", "date", ".metadata.creationTimestamp", 1),
)
_CLAIM_COLUMNS = (
    ("Address", "string", ".spec.address", 0),
    ("Node Name", "string", ".spec.nodeName", 0),
    ("User Name", "string", ".spec.userName", 0),
    ("Kernel Driver To Unbind", "string", ".status.kernelDriverToUnbind", 0),
    ("Passthrough Enabled", "boolean", ".status.passthroughEnabled", 0),
    ("Ready", "string", '.status.conditions[?(@.type=="Ready")].status', 1),
    ("Reason", "string", '.status.conditions[?(@.type=="Ready")].reason', 1),
    ("Age", "date", ".metadata.creationTimestamp", 1),
)


def definitions() -> list[dict[str, Any]]:
    """Both CustomResourceDefinitions, ready to be applied."""
    device_status = structural(PCIDeviceStatus)
    claim_spec = structural(PCIDeviceClaimSpec)
    claim_spec["x-kubernetes-validations"] = [
        {
            "rule": "self == oldSelf",
            "message": "the spec of a claim cannot be changed; delete the claim and make another",
        }
    ]
    return [
        _definition(
            "PCIDevice",
            short_name="pcidev",
            description="One PCI function of one node, as its agent last saw it.",
            properties={
                "spec": {"type": "object", "description": "Empty: a device is described, not ordered."},
                "status": device_status,
            },
            columns=_DEVICE_COLUMNS,
            selectable=(".status.nodeName", ".status.address", ".status.resourceName"),
        ),
        _definition(
            "PCIDeviceClaim",
            short_name="pciclaim",
            description="Asks that a device leaves its host driver for vfio-pci; deleting it gives the device back.",
            properties={"spec": claim_spec, "status": structural(PCIDeviceClaimStatus)},
            required=["spec"],
            columns=_CLAIM_COLUMNS,
            selectable=(".spec.nodeName",),
        ),
    ]


def _definition(
    kind: str,
    *,
    short_name: str,
    description: str,
    properties: dict[str, Schema],
    columns: tuple[tuple[str, str, str, int], ...],
    selectable: tuple[str, ...],
    required: list[str] | None = None,
) -> dict[str, Any]:
    singular = kind.lower()
    schema: Schema = {
        "description": description,
        "type": "object",
        "properties": {
            "apiVersion": {"type": "string", "description": "Version of the schema of this object."},
            "kind": {"type": "string", "description": "Kind of this object."},
            "metadata": {"type": "object"},
            **properties,
        },
    }
    if required:
        schema["required"] = required
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{singular}s.{GROUP}"},
        "spec": {
            "group": GROUP,
            "scope": "Cluster",
            "names": {
                "kind": kind,
                "listKind": f"{kind}List",
                "plural": f"{singular}s",
                "singular": singular,
                "shortNames": [short_name],
                "categories": [CATEGORY],
            },
            "versions": [
                {
                    "name": VERSION,
                    "served": True,
                    "storage": True,
                    "schema": {"openAPIV3Schema": schema},
                    "subresources": {"status": {}},
                    "selectableFields": [{"jsonPath": path} for path in selectable],
                    "additionalPrinterColumns": [
                        {
                            "name": name,
                            "type": type_,
                            "jsonPath": path,
                            **({"priority": priority} if priority else {}),
                        }
                        for name, type_, path, priority in columns
                    ],
                }
            ],
        },
    }
