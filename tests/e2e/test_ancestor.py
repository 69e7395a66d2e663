"""Objects that the Go ancestor wrote, under its definitions, on a real API server: ours come over them, and go on."""

from __future__ import annotations

import json

from collections.abc import Iterator

import pytest

from tests.e2e.cluster import ROOT, Agent, Cluster, Object, running_agent, running_control_plane, wait_until


GROUP = "devices.harvesterhci.io"
NODE = "old"
CARDS = ("0000:01:00.0", "0000:01:01.0")
FINALIZER = "wrangler.cattle.io/PCIDeviceClaimOnRemove"
SPEC = """
kernel: "6.12"
iommu: on
devices:
  0000:01:00.0: {id: "8086:10fb", class: 0200, driver: ixgbe}
  0000:01:01.0: {id: "8086:10fb", class: 0200, driver: ixgbe}
"""
TEXT = {"nullable": True, "type": "string"}
DEVICE_STATUS = (
    *("address", "classId", "description", "deviceId", "iommuGroup", "kernelDriverInUse"),
    *("nodeName", "resourceName", "vendorId"),
)


def definition(kind: str, spec: Object, status: Object) -> Object:
    """As its chart has them: any text may be null, and nothing is required."""
    plural = f"{kind.lower()}s"
    schema = {
        "type": "object",
        "properties": {
            "spec": {"type": "object", "properties": spec},
            "status": {"type": "object", "properties": status},
        },
    }
    version = {"name": "v1beta1", "served": True, "storage": True, "subresources": {"status": {}}}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{GROUP}"},
        "spec": {
            "group": GROUP,
            "names": {"kind": kind, "plural": plural, "singular": kind.lower()},
            "scope": "Cluster",
            "versions": [{**version, "schema": {"openAPIV3Schema": schema}}],
        },
    }


def name_of(address: str) -> str:
    return f"{NODE}-{address.replace(':', '').replace('.', '')}"


def put(cluster: Cluster, kind: str, address: str, spec: Object, status: Object) -> None:
    # Without the second label the agent would take them for those of a real node, and keep its hands off.
    labels = {"nodename": NODE, f"{GROUP}/simulated": "true"}
    metadata: Object = {"name": name_of(address), "labels": labels}
    if kind == "PCIDeviceClaim":
        metadata["finalizers"] = [FINALIZER]
        owner = json.loads(cluster.kubectl("get", "pcidevice", name_of(address), "-o", "json"))["metadata"]["uid"]
        metadata["ownerReferences"] = [
            {"apiVersion": f"{GROUP}/v1beta1", "kind": "PCIDevice", "name": name_of(address), "uid": owner}
        ]
    cluster.kubectl(
        *("create", "-f", "-"),
        given={"apiVersion": f"{GROUP}/v1beta1", "kind": kind, "metadata": metadata, "spec": spec},
    )
    patch = json.dumps({"status": status})
    cluster.kubectl("patch", kind, name_of(address), "--subresource=status", "--type=merge", "-p", patch)


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """The ancestor's objects, with our definitions applied over its own."""
    with running_control_plane(tmp_path_factory.mktemp("cluster")) as cluster:
        texts = dict.fromkeys(("address", "nodeName", "userName"), TEXT)
        flag = {"type": "boolean"}
        kinds = (
            definition("PCIDevice", {}, dict.fromkeys(DEVICE_STATUS, TEXT)),
            definition(
                "PCIDeviceClaim",
                {**texts, "disableResourcePooling": flag},
                {"kernelDriverToUnbind": TEXT, "passthroughEnabled": flag},
            ),
        )
        cluster.kubectl("create", "-f", "-", given={"apiVersion": "v1", "kind": "List", "items": kinds})
        cluster.wait_until_defined()
        cluster.kubectl("create", "-f", "-", given={"apiVersion": "v1", "kind": "Node", "metadata": {"name": NODE}})
        for address in CARDS:
            status: Object = dict.fromkeys(DEVICE_STATUS)
            status |= {"address": address, "vendorId": "8086", "deviceId": "10fb", "classId": "0200"}
            status |= {"nodeName": NODE, "resourceName": "intel.com/A_NAME_OF_LONG_AGO", "kernelDriverInUse": "ixgbe"}
            put(cluster, "PCIDevice", address, {}, status)
        taken = {"kernelDriverToUnbind": "ixgbe", "passthroughEnabled": True}
        put(cluster, "PCIDeviceClaim", CARDS[0], {"address": CARDS[0], "nodeName": NODE, "userName": "admin"}, taken)
        cluster.kubectl("apply", "--server-side", "--force-conflicts", "-f", ROOT / "manifests/crds/crds.yaml")
        wait_until(lambda: "bridge" in cluster.kubectl("explain", "pcidevice.status"), "our definitions are served")
        yield cluster


@pytest.fixture(scope="module")
def agent(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Agent]:
    folder = tmp_path_factory.mktemp("agent")
    with running_agent(folder, NODE, kubeconfig=cluster.kubeconfig, spec=SPEC) as agent:
        agent.wait_for_event("agent.synced")
        yield agent


def claim(cluster: Cluster, address: str) -> Object:
    whole: Object = json.loads(cluster.kubectl("get", "pciclaim", name_of(address), "-o", "json"))
    return whole


def test_its_claims_come_to_be_ready(cluster: Cluster, agent: Agent) -> None:  # noqa: ARG001
    """The record of the original driver stays, and ours is added to what keeps the claim."""
    cluster.kubectl("wait", "--for=condition=Ready", f"pciclaim/{name_of(CARDS[0])}", "--timeout=30s")

    seen = claim(cluster, CARDS[0])

    assert seen["status"]["kernelDriverToUnbind"] == "ixgbe"
    assert seen["metadata"]["finalizers"] == [FINALIZER, f"{GROUP}/give-back"]


def test_its_devices_keep_the_names_that_virtual_machines_ask_for(cluster: Cluster, agent: Agent) -> None:  # noqa: ARG001
    devices = cluster.devices(NODE)

    for address in CARDS:
        assert devices[name_of(address)]["status"]["resourceName"] == "intel.com/A_NAME_OF_LONG_AGO"
        assert devices[name_of(address)]["status"]["conditions"]


def test_its_claims_go_when_they_are_deleted(cluster: Cluster, agent: Agent) -> None:  # noqa: ARG001
    """Nobody else would take the ancestor's finalizer off."""
    cluster.kubectl("delete", "pciclaim", name_of(CARDS[0]), "--timeout=30s")

    assert cluster.kubectl("get", "pcideviceclaims", "-o", "name") == ""
