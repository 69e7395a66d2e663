"""From JSON to values."""

from __future__ import annotations

import json

from typing import Any

import pytest

from structlog.testing import capture_logs

from pcidevices.adapters.kube.objects import claim, node, owner_references, published_device
from pcidevices.api.v1beta1 import ClaimedDevice, Condition, PCIDeviceClaimStatus, PCIDeviceStatus
from pcidevices.domain.address import PciAddress
from pcidevices.domain.claim import Claim
from pcidevices.domain.published import Node, Owner, PublishedDevice


META = {"name": "janus-000004000", "uid": "u-1", "resourceVersion": "42"}
READY = {"type": "Ready", "status": "True", "reason": "Ready"}
OWNER = {"apiVersion": "v1", "kind": "Node", "name": "janus", "uid": "n-1", "controller": False}


def raw(meta: Any, **parts: Any) -> bytes:
    return json.dumps({"apiVersion": "x", "kind": "y", "metadata": meta, **parts}).encode()


def a_claim(**spec: Any) -> Claim | None:
    return claim(raw(META, spec={"address": "0000:04:00.0", "nodeName": "janus"} | spec), "janus")


def test_a_device_is_read_with_everything_that_we_write() -> None:
    meta = META | {"labels": {"nodename": "janus"}, "ownerReferences": [OWNER], "annotations": {"a": "b"}}
    status = {
        "address": "0000:04:00.0",
        "numaNode": 0,
        "sriov": {"role": "PhysicalFunction", "totalVfs": 7, "numVfs": 0},
        "conditions": [{"type": "Present", "status": "True", "reason": "Seen"}],
    }

    device = published_device(raw(meta, spec={}, status=status), "janus")
    assert device == PublishedDevice(
        name="janus-000004000",
        uid="u-1",
        resource_version="42",
        labels={"nodename": "janus"},
        owners=(Owner("v1", "Node", "janus", "n-1", controller=False),),
        status=device.status if device else PCIDeviceStatus(),
    )
    assert device is not None
    assert (device.status.address, device.status.numa_node, device.version) == ("0000:04:00.0", 0, 42)
    assert device.status.conditions == (Condition(type="Present", status="True", reason="Seen"),)


def test_a_device_that_asks_for_a_look_is_read_with_what_it_asks() -> None:
    device = published_device(raw(META | {"annotations": {"devices.harvesterhci.io/look": "one"}}), "janus")

    assert device is not None
    assert device.look_asked == "one"


def test_a_new_device_has_an_empty_status() -> None:
    device = published_device(raw(META), "janus")

    assert device is not None
    assert (device.status, device.labels, device.owners, device.deleting) == (PCIDeviceStatus(), {}, (), False)


def test_what_is_on_its_way_out_says_so() -> None:
    gone = META | {"deletionTimestamp": "2026-11-21T00:00:00Z"}
    device = published_device(raw(gone), "janus")
    claimed = claim(raw(gone, spec={"address": "0000:04:00.0", "nodeName": "janus"}), "janus")

    assert device is not None
    assert device.deleting
    assert claimed is not None
    assert claimed.deleting


@pytest.mark.parametrize(
    "name",
    ["janus2-000004000", "janus", "janus-", "janus-0000040", "janus-00000400z", "000004000", "janus-2-000004000", "x"],
)
def test_a_device_of_another_node_is_none(name: str) -> None:
    assert published_device(raw(META | {"name": name}), "janus") is None


def test_a_node_whose_name_ends_like_an_address_keeps_its_devices() -> None:
    device = published_device(raw(META | {"name": "n-000004000-000004000"}), "n-000004000")

    assert device is not None
    assert published_device(raw(META | {"name": "n-000004000-000004000"}), "n") is None


@pytest.mark.parametrize(
    "status",
    [
        {"address": 5},
        {"numaNode": "zero"},
        {"conditions": {"Present": True}},
        {"sriov": {"role": "Bystander"}},
        ["a", "list"],
        "text",
        None,
    ],
)
def test_of_a_status_nothing_is_kept_that_does_not_fit_and_that_is_told(status: Any) -> None:
    """So it is written anew."""
    with capture_logs() as logs:
        device = published_device(raw(META, status=status), "janus")

    assert device is not None
    assert device.status == PCIDeviceStatus()
    assert [(told["event"], told["name"]) for told in logs] == [("object.misshapen", "janus-000004000")]


def test_one_field_that_does_not_fit_costs_no_other() -> None:
    """A resource name that got lost would be chosen anew."""
    status = {"resourceName": "nvidia.com/GP106", "numaNode": "zero", "iommuGroupMembers": ["0000:04:00.0", 5]}

    device = published_device(raw(META, status=status), "janus")

    assert device is not None
    assert device.status == PCIDeviceStatus(resource_name="nvidia.com/GP106", iommu_group_members=("0000:04:00.0",))
    assert device.misshapen_status == status


@pytest.mark.parametrize(
    "misshapen",
    [
        {"conditions": [{"type": "Approved", "status": "Maybe", "reason": "X"}, READY]},
        {"conditions": [{"status": "True"}, "Ready", None, READY, []]},
        {"conditions": [READY], "passthroughEnabled": "yes"},
        {"conditions": [READY], "wasOnVfio": None},
    ],
)
def test_what_a_claim_has_recorded_survives_what_somebody_wrote_beside_it(misshapen: dict[str, Any]) -> None:
    """Without its record the claim would be let go, and its device left where it is."""
    record = {
        "kernelDriverToUnbind": "nvidia",
        "claimed": {"vendorId": "10de", "deviceId": "1c02", "subsystem": "1458:3702"},
    }
    spec = {"address": "0000:04:00.0", "nodeName": "janus"}

    found = claim(raw(META, spec=spec, status=record | misshapen), "janus")

    assert found is not None
    assert found.status == PCIDeviceClaimStatus(
        kernel_driver_to_unbind="nvidia",
        claimed=ClaimedDevice(vendor_id="10de", device_id="1c02", subsystem="1458:3702"),
        conditions=(Condition(type="Ready", status="True", reason="Ready"),),
    )
    assert found.misshapen_status == record | misshapen


def test_fields_of_a_later_version_are_passed_over() -> None:
    device = published_device(raw(META, status={"address": "0000:04:00.0", "colour": "green"}), "janus")

    assert device is not None
    assert device.status == PCIDeviceStatus(address="0000:04:00.0")


def test_a_claim_is_read() -> None:
    assert a_claim(userName="alice", disableResourcePooling=True) == Claim(
        name="janus-000004000",
        uid="u-1",
        resource_version="42",
        node_name="janus",
        address=PciAddress(0, 4, 0, 0),
        user_name="alice",
        disable_resource_pooling=True,
    )


def test_a_claim_may_leave_the_domain_out() -> None:
    found = a_claim(address="04:00.0")

    assert found is not None
    assert found.address == PciAddress(0, 4, 0, 0)


def test_a_claim_for_another_node_is_none() -> None:
    assert a_claim(nodeName="juno") is None


@pytest.mark.parametrize(
    "parts",
    [
        {},
        {"spec": None},
        {"spec": []},
        {"spec": {"nodeName": "janus"}},
        {"spec": {"address": 4, "nodeName": "janus"}},
        *(
            {"spec": {"address": address, "nodeName": "janus"}}
            for address in ("", "nonsense", "0000:04:00.8", "0000:04:20.0", "00000:04:00.0", "0000:04:00.0\n")
        ),
    ],
    ids=repr,
)
def test_a_claim_that_makes_no_sense_is_passed_over_and_told(parts: dict[str, Any]) -> None:
    """It may be older than the schema; it must not keep the others from being seen."""
    with capture_logs() as logs:
        assert claim(raw(META, **parts), "janus") is None
    assert [(told["event"], told["kind"]) for told in logs] == [("object.misshapen", "PCIDeviceClaim")]


def test_of_a_node_only_its_identity_is_read() -> None:
    whole = raw({"name": "janus", "uid": "n-1", "labels": {"a": "b"}}, spec={"podCIDR": "10.0.0.0/24"}, status={"x": 1})

    assert node(whole) == Node("janus", "n-1")


def test_owners_are_written_as_they_are_read() -> None:
    owners = (Owner("v1", "Node", "janus", "n-1"), Owner("apps/v1", "DaemonSet", "pcidevices", "d-1"))
    device = published_device(raw(META | {"ownerReferences": owner_references(owners)}), "janus")

    assert device is not None
    assert device.owners == owners
