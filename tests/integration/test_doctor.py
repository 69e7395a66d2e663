"""Broken in one way each, and made so for real: `kubectl pci doctor` names what is wrong first."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from anyio import CancelScope, sleep

from pcidevices.domain.diagnosis import Mark
from pcidevices.sim.node import load_spec
from tests.support.agent import until
from tests.support.deviceplugin import Listed, Plugin
from tests.support.machine import DISK, GPU, ISA, NIC, PF, SPEC, VF
from tests.support.ward import NODE, Ward, a_ward


NOTHING = "0000:7f:00.0"
NO_MODULE = SPEC.replace("vfio-pci: loadable", "vfio-pci: missing")
NO_IOMMU = SPEC.replace("iommu: on", "iommu: off")
OTHER_CARD = f'devices: {{{NIC}: {{id: "10de:1c02", class: 0300, driver: nouveau}}}}'

Make = Callable[[Ward], Awaitable[object]]


@dataclass(frozen=True)
class Situation:
    """What is wrong, and what is to be found: the link, its reason (none when all is well), and how sure that is."""

    text: str
    make: Make
    link: str
    reason: str
    mark: Mark = Mark.CAUSE
    asks: tuple[str, ...] = (f"{NODE}-000001000",)
    spec: str = SPEC
    kubevirt: bool = True
    patience: float = 5.0
    """The doctor's."""
    write_patience: float = 5.0


SITUATIONS: list[Situation] = []


def situation(text: str, link: str, reason: str, **how: Any) -> Callable[[Make], Make]:
    def add(make: Make) -> Make:
        SITUATIONS.append(Situation(text, make, link, reason, **how))
        return make

    return add


@situation("All is well", "", "", mark=Mark.HOLDS)
async def _well(ward: Ward) -> None:
    await ward.make_ready(NIC)


@situation(
    "A pod that still pulls its image has the only device, and a stopped virtual machine asks for it",
    "",
    "",
    mark=Mark.HOLDS,
)
async def _had(ward: Ward) -> None:
    await ward.make_ready(NIC)
    await ward.kubelet.admit("first", {ward.resource(NIC): 1})
    pod, machine = a_pod("first", ward.resource(NIC)), a_machine("router", ward.resource(NIC))
    pod["spec"]["nodeName"], machine["spec"]["runStrategy"] = NODE, "Halted"
    ward.scene.server.apply(pod)
    ward.scene.server.apply(machine)


@situation("You may not read PCIDevices", "access", "Forbidden")
async def _no_list(ward: Ward) -> None:
    ward.scene.server.faults.refuse(10**6, 403, verb="get", resource="pcidevices")


@situation("The API server cannot be reached", "access", "Unavailable")
async def _no_server(ward: Ward) -> None:
    await ward.stop_agent()
    await ward.scene.server.pause()


@situation("The definitions are not installed", "access", "NotFound")
async def _no_definitions(ward: Ward) -> None:
    await ward.stop_agent()
    for kind in ("pcidevices", "pcideviceclaims"):
        name = f"{kind}.devices.harvesterhci.io"
        ward.scene.server.delete("customresourcedefinitions.apiextensions.k8s.io", name)


@situation("You may not ask the agent, and all is well", "agent", "Forbidden", mark=Mark.DOUBT)
async def _no_patch(ward: Ward) -> None:
    await ward.make_ready(NIC)
    ward.scene.server.faults.refuse(10**6, 403, verb="patch", resource="pcidevices")


@situation(
    "You may not ask the agent, and the disk is mounted", "allowed", "DeviceProtected", asks=(f"{NODE}-000004000",)
)
async def _no_patch_and_mounted(ward: Ward) -> None:
    ward.claim(DISK)
    await ward.told(DISK, "DeviceProtected")
    ward.scene.server.faults.refuse(10**6, 403, verb="patch", resource="pcidevices")


@situation("The agent does not run", "agent", "AgentSilent", patience=1.0)
async def _agent_is_down(ward: Ward) -> None:
    await ward.make_ready(NIC)
    await ward.stop_agent()


@situation("The name is misspelt", "agent", "NotPublished", asks=("jnus-000001000",))
async def _misspelt(ward: Ward) -> None:
    await ward.make_ready(NIC)


@situation("The claim's node is misspelt", "agent", "NotPublished", asks=("mine",))
async def _node_misspelt(ward: Ward) -> None:
    ward.claim(NIC, name="mine", node="jnus")


@situation("The claim is for an address with nothing there", "device", "DeviceNotFound", asks=("mine",))
async def _nothing_there(ward: Ward) -> None:
    ward.claim(NOTHING, name="mine")
    await ward.told("mine", "DeviceNotFound")


@situation("The claimed card was pulled out", "device", "DeviceNotFound")
async def _unplugged(ward: Ward) -> None:
    await ward.make_ready(NIC)
    ward.scene.node.unplug(NIC)
    await ward.told(NIC, "DeviceNotFound")


@situation("The group's number moved, and nobody announced it", "device", "Outdated", mark=Mark.DOUBT)
async def _group_moved(ward: Ward) -> None:
    hardware = ward.scene.hardware[-1]
    before = hardware.looks
    await ward.make_ready(NIC)
    await until(lambda: hardware.looks > before)  # the scan that the claim's steps hint at
    groups = ward.scene.node.sysfs / "kernel/iommu_groups"
    link = ward.scene.path(NIC) / "iommu_group"
    (groups / link.readlink().name).rename(groups / "77")
    link.unlink()
    link.symlink_to(groups / "77")


@situation("Nobody claims the device", "claim", "NotClaimed")
async def _unclaimed(ward: Ward) -> None:
    await until(lambda: ward.scene.device(NIC))


@situation("Somebody left a driver override behind", "claim", "LeftWithoutDriver")
async def _override(ward: Ward) -> None:
    ward.scene.node.write(ward.scene.path(NIC) / "driver_override", "pci-stub")
    ward.scene.node.write(ward.scene.path(NIC) / "driver/unbind", NIC)
    await until(lambda: ward.scene.device(NIC) and ward.scene.driver(NIC) is None)


@situation("An older claim has the device", "claim", "ClaimedByAnother", asks=("mine",))
async def _stale_claim(ward: Ward) -> None:
    await ward.make_ready(NIC)
    ward.claim(NIC, name="mine", userName="bob")
    await ward.told("mine", "ClaimedByAnother")


@situation("Another claim waits for the device", "rivals", "ClaimedByAnother")
async def _rival(ward: Ward) -> None:
    await _stale_claim(ward)


@situation("The claim was deleted, and a virtual machine has the device", "claim", "DeviceInUse")
async def _held(ward: Ward) -> None:
    await ward.make_ready(NIC)
    ward.scene.node.hold(NIC)
    ward.delete(NIC)
    await ward.told(NIC, "DeviceInUse")


@situation("The claim was deleted, and the unbind hangs", "claim", "WriteTimedOut", write_patience=0.2)
async def _hung(ward: Ward) -> None:
    await ward.make_ready(NIC)
    ward.scene.hold_unseen(NIC)
    ward.delete(NIC)
    await ward.told(NIC, "WriteTimedOut")


@situation("The claim was deleted, and the kubelet that restarted does not name its pods", "claim", "DeviceInUse")
async def _blind(ward: Ward) -> None:
    await ward.make_ready(NIC)
    await ward.kubelet.admit("vm", {ward.resource(NIC): 1})
    await ward.kubelet.restart(blind_for=None)
    ward.delete(NIC)
    await ward.told(NIC, "DeviceInUse")


@situation("The claim is for another machine of that name", "allowed", "WrongMachine")
async def _wrong_machine(ward: Ward) -> None:
    ward.claim(NIC, nodeSystemUUID="00000000-1111-2222-3333-444444444444")
    await ward.told(NIC, "WrongMachine")


@situation("Another card is at the address", "allowed", "DeviceChanged")
async def _another_card(ward: Ward) -> None:
    await ward.make_ready(NIC)
    ward.scene.node.unplug(NIC)
    await ward.told(NIC, "DeviceNotFound")
    ward.scene.node.plug(*load_spec(OTHER_CARD).devices.values())
    await ward.told(NIC, "DeviceChanged")


@situation("The disk is mounted", "allowed", "DeviceProtected", asks=(f"{NODE}-000004000",))
async def _mounted(ward: Ward) -> None:
    ward.claim(DISK)
    await ward.told(DISK, "DeviceProtected")


@situation("The NIC has the node's address", "allowed", "DeviceProtected")
async def _addressed(ward: Ward) -> None:
    ward.scene.node.network.set_address("ens1", "10.0.0.5/24", gateway="10.0.0.1")
    ward.claim(NIC)
    await ward.told(NIC, "DeviceProtected")


@situation("Somebody bound the NIC back by hand, and uses it", "allowed", "DeviceProtected")
async def _bound_back(ward: Ward) -> None:
    await ward.make_ready(NIC)
    bus = ward.scene.node.sysfs / "bus/pci/drivers"
    ward.scene.node.write(bus / "vfio-pci/unbind", NIC)
    ward.scene.node.write(bus / "ixgbe/bind", NIC)
    ward.scene.node.network.set_address("ens1", "10.0.0.5/24")
    await ward.told(NIC, "DeviceProtected")


@situation("A bridge is claimed", "allowed", "NotClaimable", asks=(f"{NODE}-0000001f0",))
async def _bridge(ward: Ward) -> None:
    ward.claim(ISA)
    await ward.told(ISA, "NotClaimable")


@situation("Virtual functions of the card are in use", "allowed", "DeviceInUse", asks=(f"{NODE}-000003000",))
async def _functions(ward: Ward) -> None:
    ward.scene.node.load_module("igbvf")
    ward.scene.node.write(ward.scene.path(PF) / "sriov_numvfs", "2")
    ward.claim(VF)
    await ward.told(VF, "Ready")
    ward.claim(PF)
    await ward.told(PF, "DeviceInUse")


@situation("The kernel has no IOMMU", "iommu", "NoIommuGroup", spec=NO_IOMMU)
async def _no_iommu(ward: Ward) -> None:
    ward.claim(NIC)
    await ward.told(NIC, "NoIommuGroup")


@situation("The kernel has no module vfio-pci", "module", "DriverMissing", spec=NO_MODULE)
async def _no_module(ward: Ward) -> None:
    ward.claim(NIC)
    await ward.told(NIC, "DriverMissing")


@situation("The kernel refuses a step", "bound", "SysfsWriteFailed")
async def _refused(ward: Ward) -> None:
    (ward.scene.path(NIC) / "driver_override").unlink()
    ward.claim(NIC)
    await ward.told(NIC, "SysfsWriteFailed")


@situation("Another device of the group is on a host driver", "group", "GroupNotViable", asks=(f"{NODE}-000002000",))
async def _group(ward: Ward) -> None:
    ward.claim(GPU)
    await ward.told(GPU, "GroupNotViable")


@situation("The kubelet does not run", "offered", "KubeletAway")
async def _kubelet_is_away(ward: Ward) -> None:
    await ward.make_ready(NIC)
    await ward.kubelet.stop()


@situation("Somebody removes the plug-in's socket again and again", "offered", "SocketGone")
async def _no_socket(ward: Ward) -> None:
    await ward.make_ready(NIC)
    folder, resource = ward.kubelet.device_plugins, ward.resource(NIC)

    async def clean() -> None:
        while True:
            for path in folder.glob("kubevirt-*.sock") if ward.kubelet.status()[resource].allocatable else ():
                path.unlink()
            await sleep(0.005)  # waits: the rhythm of the example

    ward.tasks.start_soon(clean)
    await until(lambda: not list(folder.glob("kubevirt-*.sock")))


@situation("Another device plug-in offers the same resource", "kubelet", "SecondProvider")
async def _second_plugin(ward: Ward) -> None:
    await ward.make_ready(NIC)
    folder, resource = ward.kubelet.device_plugins, ward.resource(NIC)
    rival = Plugin(folder / "rival.sock", resource, {"gpu-0": Listed()}).listen()

    async def insist() -> None:
        try:
            while True:
                await rival.register(folder / "kubelet.sock")
                await sleep(0.1)  # waits: likewise
        finally:
            with CancelScope(shield=True):
                await rival.close()

    ward.tasks.start_soon(insist)


@situation("The kubelet counts the device, and has not written the Node", "node", "NotCounted")
async def _node_is_behind(ward: Ward) -> None:
    await ward.make_ready(NIC)
    ward.reporting.cancel()
    await ward.kubelet.restart()
    nothing = {"status": {"allocatable": {ward.resource(NIC): "0"}}}
    ward.scene.server.patch("nodes", NODE, nothing)
    await until(lambda: ward.kubelet.status()[ward.resource(NIC)].allocatable == 1)


@situation(
    "The Node has fewer of a resource than are Ready, and the node is asked about", "node", "NotCounted", asks=(NODE,)
)
async def _node_has_too_few(ward: Ward) -> None:
    await ward.make_ready(NIC)
    ward.reporting.cancel()
    ward.scene.server.patch("nodes", NODE, {"status": {"allocatable": {ward.resource(NIC): "0"}}})


@situation("The Node is not Ready", "node", "KubeletAway")
async def _node_is_not_ready(ward: Ward) -> None:
    await ward.make_ready(NIC)
    gone = {"type": "Ready", "status": "Unknown", "message": "Kubelet stopped posting node status."}
    ward.scene.server.patch("nodes", NODE, {"status": {"conditions": [gone]}})


@situation("There is no KubeVirt", "kubevirt", "KubeVirtNotFound", mark=Mark.DOUBT, kubevirt=False)
async def _no_kubevirt(ward: Ward) -> None:
    await ward.make_ready(NIC)


@situation("Somebody takes the entry out of KubeVirt's list", "kubevirt", "NotPermitted")
async def _no_entry(ward: Ward) -> None:
    await ward.make_permitted(NIC)

    async def insist() -> None:
        while True:
            if ward.permitted():
                ward.permit(permittedHostDevices={"pciHostDevices": []})
            await sleep(0.01)  # waits: likewise

    ward.tasks.start_soon(insist)
    await until(lambda: not ward.permitted())


@situation("KubeVirt lists the model under another name too", "kubevirt", "ConflictingPermission", mark=Mark.DOUBT)
async def _two_entries(ward: Ward) -> None:
    entry = {"pciVendorSelector": "8086:10fb", "resourceName": "intel.com/mine", "externalResourceProvider": True}
    ward.permit(permittedHostDevices={"pciHostDevices": [entry]})
    await ward.make_permitted(NIC)
    await until(lambda: len(ward.permitted()) > 1)


@situation("KubeVirt hands the same devices out itself", "kubevirt", "ConflictingPermission")
async def _second_provider(ward: Ward) -> None:
    ward.permit(permittedHostDevices={"pciHostDevices": [{"pciVendorSelector": "8086:10fb", "resourceName": "x.io/y"}]})
    await ward.make_ready(NIC)


@situation("KubeVirt's feature gate is off", "kubevirt", "FeatureGateOff")
async def _no_gate(ward: Ward) -> None:
    ward.permit(developerConfiguration={"featureGates": []})
    await ward.make_ready(NIC)


@situation("A pod has the only device, and another waits for it", "use", "DeviceInUse")
async def _wanted(ward: Ward) -> None:
    await ward.make_ready(NIC)
    await ward.kubelet.admit("first", {ward.resource(NIC): 1})
    ward.scene.server.apply(a_pod("second", ward.resource(NIC)))


@situation("The resource is misspelt in the virtual machine", "wishes", "UnknownResource")
async def _misspelt_in_a_machine(ward: Ward) -> None:
    await ward.make_ready(NIC)
    ward.scene.server.apply(a_machine("router", ward.resource(NIC).replace("_SFI", "_SFX")))


@situation("The resource is misspelt in a pod", "wishes", "UnknownResource")
async def _misspelt_in_a_pod(ward: Ward) -> None:
    await ward.make_ready(NIC)
    ward.scene.server.apply(a_pod("dpdk", ward.resource(NIC).lower()))


def a_machine(name: str, resource: str) -> dict[str, Any]:
    devices = {"hostDevices": [{"name": "uplink", "deviceName": resource}]}
    return {
        "apiVersion": "kubevirt.io/v1",
        "kind": "VirtualMachine",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"template": {"spec": {"domain": {"devices": devices}}}},
    }


def a_pod(name: str, resource: str) -> dict[str, Any]:
    container = {"name": "c", "image": "x", "resources": {"limits": {resource: "1"}}}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"containers": [container]},
        "status": {"phase": "Pending"},
    }


@pytest.mark.parametrize("case", SITUATIONS, ids=lambda case: case.text)
async def test_the_doctor_names_what_is_wrong_first(case: Situation, memory: Path) -> None:
    """All before it holds; nothing is told of what comes after it."""
    async with a_ward(memory, case.spec, kubevirt=case.kubevirt, patience=case.write_patience) as ward:
        await case.make(ward)

        found = await ward.asked(*case.asks, patience=case.patience)

    worst = found.worst
    told = (worst.what, worst.reason, worst.mark) if worst is not None else ("", "", Mark.HOLDS)
    assert told == (case.link, case.reason, case.mark), [str(link) for link in found.links]
    assert (found.cause is None) == (case.mark is not Mark.CAUSE)
