"""The ports Devices, Claims and Nodes, against an API server that validates, guards and selects."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from aiohttp import web
from msgspec.structs import replace

from pcidevices.adapters.kube.claims import KubeClaims
from pcidevices.adapters.kube.client import KubeClient
from pcidevices.adapters.kube.devices import KubeDevices
from pcidevices.adapters.kube.nodes import KubeNodes
from pcidevices.api.crd import definitions
from pcidevices.api.v1beta1 import API_VERSION, GROUP, Condition, PCIDeviceStatus, Sriov
from pcidevices.domain.address import PciAddress
from pcidevices.domain.published import Node, Owner, PublishedDevice, node_label
from pcidevices.errors import ClusterError, Conflict, NotFound, Refused
from pcidevices.sim.apiserver import ApiServer
from pcidevices.sim.apiserver.store import Key
from tests.support.following import following
from tests.support.kube import a_client, kubeconfig, written
from tests.support.manifests import a_claim_manifest
from tests.support.scripted_api import ScriptedApi, says


NAME = "janus-000004000"
KIND, CLAIMS = f"pcidevices.{GROUP}", f"pcideviceclaims.{GROUP}"
LABELS = {"nodename": "janus", "devices.harvesterhci.io/vendor": "10de"}
OWNER = Owner("v1", "Node", "janus", "11111111-1111-1111-1111-111111111111")
STATUS = PCIDeviceStatus(
    address="0000:04:00.0",
    vendor_id="10de",
    device_id="1c03",
    class_id="0300",
    iommu_group="25",
    node_name="janus",
    resource_name="nvidia.com/GP106_GEFORCE_GTX_1060_3GB",
    description="VGA compatible controller: NVIDIA Corporation GP106 [GeForce GTX 1060 3GB]",
    kernel_driver_in_use="nouveau",
    numa_node=0,
    iommu_group_members=("0000:04:00.0", "0000:04:00.1"),
    sriov=Sriov(role="PhysicalFunction", total_vfs=7, num_vfs=0),
    boot_vga=True,
    conditions=(Condition(type="Present", status="True", reason="Seen", last_transition_time="2026-11-21T10:00:00Z"),),
)


@pytest.fixture
def devices(client: KubeClient) -> KubeDevices:
    return KubeDevices(client, "janus")


async def made(devices: KubeDevices, name: str = NAME) -> PublishedDevice:
    return await devices.create(name, labels=LABELS, owners=[OWNER])


def a_claim(name: str, node: str, address: str = "0000:04:00.0") -> dict[str, Any]:
    return a_claim_manifest(name, address, node)


async def test_a_device_is_made_and_read_back(devices: KubeDevices, server: ApiServer) -> None:
    device = await made(devices)

    assert device == await devices.read(NAME)
    assert (device.name, device.labels, device.owners, device.status) == (NAME, LABELS, (OWNER,), PCIDeviceStatus())
    assert device.version == int(server.get(KIND, NAME)["metadata"]["resourceVersion"])


async def test_a_device_without_owners_has_none(devices: KubeDevices, server: ApiServer) -> None:
    await devices.create(NAME, labels=LABELS, owners=[])

    assert "ownerReferences" not in server.get(KIND, NAME)["metadata"]


async def test_a_device_that_exists_is_a_conflict(devices: KubeDevices) -> None:
    await made(devices)

    with pytest.raises(Conflict, match=NAME):
        await made(devices)


async def test_a_device_that_is_not_there_reads_as_none(devices: KubeDevices) -> None:
    assert await devices.read(NAME) is None


async def test_a_whole_status_goes_to_the_server_and_back(devices: KubeDevices) -> None:
    """What is zero or false is told like anything else, where it is not the default."""
    device = await devices.write_status(await made(devices), STATUS)

    assert device.status == STATUS
    assert device == await devices.read(NAME)


async def test_what_is_not_there_any_more_is_taken_out(devices: KubeDevices, server: ApiServer) -> None:
    device = await devices.write_status(await made(devices), STATUS)
    less = replace(STATUS, kernel_driver_in_use=None, sriov=None, boot_vga=False, numa_node=None)
    device = await devices.write_status(device, less)

    assert device.status == less
    assert {"kernelDriverInUse", "sriov", "bootVga", "numaNode"}.isdisjoint(server.get(KIND, NAME)["status"])


async def test_conditions_and_members_are_replaced_as_a_whole(devices: KubeDevices) -> None:
    device = await devices.write_status(await made(devices), STATUS)
    other = replace(
        STATUS,
        iommu_group_members=("0000:04:00.0",),
        conditions=(replace(STATUS.conditions[0], status="False", reason="DeviceNotFound"),),
    )

    assert (await devices.write_status(device, other)).status == other


async def test_what_others_wrote_into_the_status_stays(devices: KubeDevices, server: ApiServer) -> None:
    """A condition of somebody else is not ours to drop, unless we say so."""
    await made(devices)
    server.patch(KIND, NAME, {"status": {"serialNumber": "theirs"}})
    device = await devices.read(NAME)
    assert device is not None
    device = await devices.write_status(device, replace(device.status, address="0000:04:00.0"))

    assert device.status == PCIDeviceStatus(address="0000:04:00.0", serial_number="theirs")


async def test_labels_and_owners_are_set_and_others_labels_stay(devices: KubeDevices, server: ApiServer) -> None:
    await made(devices)
    server.patch(KIND, NAME, {"metadata": {"labels": {"team": "blue"}, "annotations": {"a": "b"}}})
    device = await devices.read(NAME)
    assert device is not None
    other = Owner("v1", "Node", "janus", "22222222-2222-2222-2222-222222222222")
    device = await devices.write_metadata(device, labels={"nodename": "new"}, owners=[other])

    assert device.labels == LABELS | {"nodename": "new", "team": "blue"}
    assert device.owners == (other,)
    assert server.get(KIND, NAME)["metadata"]["annotations"] == {"a": "b"}


async def test_only_what_is_given_of_the_metadata_is_sent(devices: KubeDevices) -> None:
    device = await devices.write_metadata(await made(devices), labels=None, owners=[])

    assert (device.labels, device.owners) == (LABELS, ())


async def test_a_write_on_an_old_version_is_a_conflict_and_changes_nothing(
    devices: KubeDevices, server: ApiServer
) -> None:
    old = await made(devices)
    server.patch(KIND, NAME, {"metadata": {"labels": {"team": "blue"}}})
    before = server.get(KIND, NAME)

    with pytest.raises(Conflict):
        await devices.write_status(old, STATUS)
    with pytest.raises(Conflict):
        await devices.write_metadata(old, labels={"x": "y"}, owners=None)
    with pytest.raises(Conflict):
        await devices.delete(old)
    assert server.get(KIND, NAME) == before


async def test_an_object_of_the_same_name_that_was_made_since_is_not_deleted(
    devices: KubeDevices, server: ApiServer
) -> None:
    old = await made(devices)
    server.delete(KIND, NAME)
    await made(devices)

    with pytest.raises(Conflict):
        await devices.delete(old)
    assert await devices.read(NAME) is not None


async def test_a_device_is_deleted(devices: KubeDevices) -> None:
    device = await made(devices)
    await devices.delete(device)

    assert await devices.read(NAME) is None
    with pytest.raises(NotFound):
        await devices.delete(device)


async def test_a_write_to_what_is_gone_is_not_found(devices: KubeDevices, server: ApiServer) -> None:
    device = await made(devices)
    server.delete(KIND, NAME)

    with pytest.raises(NotFound):
        await devices.write_status(device, STATUS)


async def test_a_device_of_another_node_is_refused_as_an_answer(devices: KubeDevices) -> None:
    with pytest.raises(Refused, match="janus"):
        await made(devices, "juno-000004000")


async def test_a_status_that_fits_no_schema_of_ours_is_written_anew(devices: KubeDevices, server: ApiServer) -> None:
    """As an older version of the definitions may have let it in; after one write it says what is seen."""
    await made(devices)
    kind = server.cluster.catalog.named(KIND)
    stored = server.cluster.store.get(kind.place, Key("", NAME))
    assert stored is not None
    broken = {"address": "0000:04:00.0", "revision": 5, "bridge": "yes", "networkInterfaces": "eth0"}
    server.cluster.store.put(kind.place, Key("", NAME), {**stored, "status": broken})
    device = await devices.read(NAME)
    assert device is not None

    assert (await devices.write_status(device, STATUS)).status == STATUS


@asynccontextmanager
async def recording(server: ApiServer, tmp_path: Path) -> AsyncIterator[tuple[KubeDevices, ScriptedApi]]:
    """A port to a server that writes down what it is sent, and answers with the object as it is."""

    async def answer(_: web.BaseRequest) -> web.StreamResponse:
        return web.json_response(server.get(KIND, NAME))

    api = ScriptedApi([answer])
    async with api.serving() as url, a_client(written(tmp_path / "recording", kubeconfig(url))) as client:
        yield KubeDevices(client, "janus"), api


async def test_of_a_status_only_what_differs_is_sent(devices: KubeDevices, server: ApiServer, tmp_path: Path) -> None:
    device = await devices.write_status(await made(devices), STATUS)
    async with recording(server, tmp_path) as (port, api):
        await port.write_status(device, replace(STATUS, kernel_driver_in_use="vfio-pci", numa_node=None))

    assert api.asked[0].headers["Content-Type"] == "application/merge-patch+json"
    assert api.asked[0].path.endswith(f"/pcidevices/{NAME}/status")
    assert api.bodies == [
        {
            "metadata": {"resourceVersion": device.resource_version},
            "status": {"kernelDriverInUse": "vfio-pci", "numaNode": None},
        }
    ]


async def test_only_this_nodes_devices_are_listed(devices: KubeDevices, server: ApiServer) -> None:
    mine = await made(devices)
    for name, label in (("juno-000004000", "juno"), ("juno-000005000", "janus"), ("janus-000005000", "juno")):
        meta = {"name": name, "labels": {"nodename": label}}
        server.apply({"apiVersion": API_VERSION, "kind": "PCIDevice", "metadata": meta, "spec": {}})

    async with following(devices.lists()) as followed:
        listed = await followed.until(lambda seen: len(seen) == 1)
        assert listed.items == (mine,)


async def test_a_device_that_loses_its_label_leaves_the_list(devices: KubeDevices, server: ApiServer) -> None:
    await made(devices)
    async with following(devices.lists()) as followed:
        await followed.until(lambda seen: len(seen) == 1)
        server.patch(KIND, NAME, {"metadata": {"labels": {"nodename": "other"}}})
        await followed.until(lambda seen: not seen)


async def test_a_node_with_a_long_name_finds_its_devices(client: KubeClient, server: ApiServer) -> None:
    """A label's value has at most 63 characters, a node's name may have 240."""
    name = "n" * 200
    devices = KubeDevices(client, name)
    device = await devices.create(f"{name}-000004000", labels={"nodename": node_label(name)}, owners=[])
    async with following(devices.lists()) as followed:
        listed = await followed.until(lambda seen: len(seen) == 1)

    assert listed.items == (device,)
    assert server.get(KIND, device.name)


async def test_only_this_nodes_claims_are_listed(client: KubeClient, server: ApiServer) -> None:
    server.apply(a_claim("janus-000004000", "janus"))
    server.apply(a_claim("juno-000004000", "juno"))

    async with following(KubeClaims(client, "janus").lists()) as followed:
        listed = await followed.until(lambda seen: len(seen) == 1)
        assert [(c.name, c.address, c.user_name) for c in listed.items] == [
            ("janus-000004000", PciAddress(0, 4, 0, 0), "alice")
        ]
        server.apply(a_claim("janus-000005000", "janus", "0000:05:00.0"))
        await followed.until(lambda seen: len(seen) == 2)
        server.delete(CLAIMS, "janus-000004000")
        await followed.until(lambda seen: [c.name for c in seen] == ["janus-000005000"])


async def test_a_claim_with_a_finalizer_is_listed_as_deleting_until_it_is_gone(
    client: KubeClient, server: ApiServer
) -> None:
    claim = a_claim("janus-000004000", "janus")
    claim["metadata"]["finalizers"] = ["devices.harvesterhci.io/claim"]
    server.apply(claim)
    async with following(KubeClaims(client, "janus").lists()) as followed:
        await followed.until(lambda seen: [c.deleting for c in seen] == [False])
        server.delete(CLAIMS, "janus-000004000")
        await followed.until(lambda seen: [c.deleting for c in seen] == [True])
        server.patch(CLAIMS, "janus-000004000", {"metadata": {"finalizers": None}})
        await followed.until(lambda seen: not seen)


async def test_claims_are_found_on_a_server_that_cannot_select_them(tmp_path: Path) -> None:
    """Selectable fields of custom resources came with Kubernetes 1.31; without them the definition lacks them."""
    crds = definitions()
    for crd in crds:
        del crd["spec"]["versions"][0]["selectableFields"]
    old = ApiServer(crds)
    async with old.serving(), a_client(written(tmp_path / "c", old.kubeconfig())) as client:
        old.apply(a_claim("juno-000004000", "juno"))
        old.apply(a_claim("janus-000004000", "janus"))
        async with following(KubeClaims(client, "janus").lists()) as followed:
            await followed.until(lambda seen: [c.name for c in seen] == ["janus-000004000"])
            old.apply(a_claim("janus-000005000", "janus", "0000:05:00.0"))
            await followed.until(lambda seen: len(seen) == 2)

    codes = sorted(asked.code for asked in old.requests if asked.verb == "list")
    assert codes == [200, 400]


async def test_a_change_of_another_nodes_claim_is_no_list_for_us(client: KubeClient, server: ApiServer) -> None:
    async with following(KubeClaims(client, "janus").lists()) as followed:
        await followed.until(lambda seen: not seen)
        server.apply(a_claim("juno-000004000", "juno"))
        server.apply(a_claim("janus-000004000", "janus"))
        await followed.until(lambda seen: len(seen) == 1)

    assert len(followed.lists) == 2


async def test_the_own_node_alone_is_listed(client: KubeClient, server: ApiServer) -> None:
    server.apply({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "juno"}})
    uid = server.get("nodes", "janus")["metadata"]["uid"]

    async with following(KubeNodes(client, "janus").lists()) as followed:
        await followed.until(lambda seen: seen == (Node("janus", uid),))


async def test_a_node_that_is_not_there_is_an_empty_list(client: KubeClient, server: ApiServer) -> None:
    """And one that comes again has another uid."""
    before = server.get("nodes", "janus")["metadata"]["uid"]
    async with following(KubeNodes(client, "janus").lists()) as followed:
        await followed.until(lambda seen: len(seen) == 1)
        server.delete("nodes", "janus")
        await followed.until(lambda seen: not seen)
        server.apply({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "janus"}})
        await followed.until(lambda seen: len(seen) == 1 and seen[0].uid != before)


async def test_a_server_without_the_definitions_is_told_from_one_without_objects(tmp_path: Path) -> None:
    bare = ApiServer()
    async with bare.serving(), a_client(written(tmp_path / "c", bare.kubeconfig())) as client:
        with pytest.raises(NotFound):
            await made(KubeDevices(client, "janus"))


async def test_an_answer_that_is_no_object_is_an_error_of_the_server(tmp_path: Path) -> None:
    """Something between us and the server may answer in its place; that must not look like a crash of ours."""
    api = ScriptedApi([says("<html>proxy</html>")])
    async with api.serving() as url, a_client(written(tmp_path / "c", kubeconfig(url))) as client:
        with pytest.raises(ClusterError):
            await KubeDevices(client, "janus").read(NAME)
