"""Objects as somebody gives them to kubectl."""

from __future__ import annotations

from typing import Any

from pcidevices.api.v1beta1 import API_VERSION


def a_claim_manifest(name: str, address: str, node: str, **spec: Any) -> dict[str, Any]:
    """A PCIDeviceClaim; *spec* adds to what is in it, or changes that."""
    return {
        "apiVersion": API_VERSION,
        "kind": "PCIDeviceClaim",
        "metadata": {"name": name},
        "spec": {"address": address, "nodeName": node, "userName": "alice", **spec},
    }
