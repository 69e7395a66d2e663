"""The kind that the contract is tried on: cluster-scoped, with all that a definition can say and kubectl shows."""

from __future__ import annotations

from copy import deepcopy
from typing import Any


STRING = {"type": "string"}
CONDITION = {
    "type": "object",
    "required": ["type", "status"],
    "properties": dict.fromkeys(("type", "status", "reason", "message"), STRING)
    | {"lastTransitionTime": {"type": "string", "format": "date-time"}},
}
SPEC = {
    "type": "object",
    "description": "What is wanted of the widget.",
    "required": ["node"],
    "properties": {
        "node": {"type": "string", "pattern": "^[a-z0-9]+$", "description": "Where the widget is."},
        "size": {"type": "integer", "minimum": 1, "maximum": 10, "default": 3},
        "mode": {"type": "string", "enum": ["fast", "slow"]},
        "note": {"type": "string", "nullable": True, "maxLength": 8},
        "tags": {"type": "object", "additionalProperties": STRING},
        "anything": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
        "list": {"type": "array", "items": STRING, "maxItems": 3},
        "set": {"type": "array", "items": STRING, "x-kubernetes-list-type": "set"},
        "when": {"type": "string", "format": "date-time"},
        "port": {"x-kubernetes-int-or-string": True},
    },
}
STATUS = {
    "type": "object",
    "properties": {
        "phase": STRING,
        "seen": {"type": "string", "format": "date-time"},
        "conditions": {
            "type": "array",
            "x-kubernetes-list-type": "map",
            "x-kubernetes-list-map-keys": ["type"],
            "items": CONDITION,
        },
    },
}
READY = '.status.conditions[?(@.type=="Ready")].status'
COLUMNS = [
    {"name": "Node", "type": "string", "jsonPath": ".spec.node"},
    {"name": "Ready", "type": "string", "jsonPath": READY},
    {"name": "Seen", "type": "date", "jsonPath": ".status.seen"},
    {"name": "Size", "type": "integer", "jsonPath": ".spec.size", "priority": 1},
    {"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"},
]


def crd(group: str, plural: str = "widgets", kind: str = "Widget", **names: Any) -> dict[str, Any]:
    """The definition."""
    version = {
        "name": "v1",
        "served": True,
        "storage": True,
        "subresources": {"status": {}},
        "selectableFields": [{"jsonPath": ".spec.node"}],
        "additionalPrinterColumns": COLUMNS,
        "schema": {
            "openAPIV3Schema": {
                "type": "object",
                "description": "A widget does nothing.",
                "required": ["spec"],
                "properties": deepcopy({"spec": SPEC, "status": STATUS}),
            }
        },
    }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{group}"},
        "spec": {
            "group": group,
            "scope": "Cluster",
            "names": {"plural": plural, "kind": kind, **names},
            "versions": [version],
        },
    }
