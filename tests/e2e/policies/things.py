"""Objects and their paths, as the rows of the table name them."""

from __future__ import annotations

from typing import Any


GROUP = "/apis/devices.harvesterhci.io/v1beta1"
DEVICES, CLAIMS = f"{GROUP}/pcidevices", f"{GROUP}/pcideviceclaims"
EVENTS = "/apis/events.k8s.io/v1/namespaces/default/events"
NAMESPACE = "pcidevices-system"
LEASES = f"/apis/coordination.k8s.io/v1/namespaces/{NAMESPACE}/leases"
LEASE = f"{LEASES}/pcidevices-gone-nodes"
KUBEVIRTS = "/apis/kubevirt.io/v1/namespaces/kubevirt/kubevirts"
KUBEVIRT = f"{KUBEVIRTS}/kubevirt"
GIVE_BACK = "devices.harvesterhci.io/give-back"
NODE_GONE = "devices.harvesterhci.io/node-gone"
ANCESTORS = "wrangler.cattle.io/PCIDeviceClaimOnRemove"
ACCOUNT = "system:serviceaccount:pcidevices-system:pcidevices"
NODES = ("janus", "juno")
GONE = "minerva"


def a_device(name: str, *, node: str) -> dict[str, Any]:
    meta = {"name": name, "labels": {"nodename": node}}
    return {"apiVersion": "devices.harvesterhci.io/v1beta1", "kind": "PCIDevice", "metadata": meta, "spec": {}}


def a_claim(
    name: str, *, node: str = "janus", address: str = "0000:04:00.0", held: bool = False, **spec: Any
) -> dict[str, Any]:
    meta = {"name": name} | ({"finalizers": [GIVE_BACK]} if held else {})
    whole = {"address": address, "nodeName": node} | spec
    return {"apiVersion": "devices.harvesterhci.io/v1beta1", "kind": "PCIDeviceClaim", "metadata": meta, "spec": whole}


def an_event(name: str, *, node: str, kind: str = "PCIDeviceClaim") -> dict[str, Any]:
    return {
        "metadata": {"name": name, "namespace": "default"},
        "regarding": {"apiVersion": "devices.harvesterhci.io/v1beta1", "kind": kind, "name": "x", "uid": "1"},
        "reason": "Ready",
        "note": "it is",
        "type": "Normal",
        "action": "Reconcile",
        "eventTime": "2026-01-01T00:00:00.000000Z",
        "reportingController": "devices.harvesterhci.io/pcidevices",
        "reportingInstance": f"pcidevices-{node}",
    }


def a_lease(holder: str, *, name: str = "pcidevices-gone-nodes", seconds: int = 15) -> dict[str, Any]:
    return {"metadata": {"name": name}, "spec": {"holderIdentity": holder, "leaseDurationSeconds": seconds}}


ENTRY = {"pciVendorSelector": "10DE:1C02", "resourceName": "nvidia.com/GP106", "externalResourceProvider": True}
FOREIGN_ENTRY = {"pciVendorSelector": "8086:10FB", "resourceName": "intel.com/82599"}


def a_kubevirt() -> dict[str, Any]:
    configuration = {
        "developerConfiguration": {"featureGates": ["HostDevices"]},
        "permittedHostDevices": {"pciHostDevices": [FOREIGN_ENTRY, {**ENTRY, "resourceName": "nvidia.com/OLD"}]},
    }
    return {
        "apiVersion": "kubevirt.io/v1",
        "kind": "KubeVirt",
        "metadata": {"name": "kubevirt"},
        "spec": {"configuration": configuration},
    }
