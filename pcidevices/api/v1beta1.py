"""
The kinds of ``devices.harvesterhci.io/v1beta1``, as values.

The first fields of each status and spec are the Go ancestor's, with its meaning; the others are
optional additions. The custom resource definitions are made from these types (see `crd`).
"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct, field


GROUP = "devices.harvesterhci.io"
VERSION = "v1beta1"
API_VERSION = f"{GROUP}/{VERSION}"

NODE_LABEL = "nodename"
VENDOR_LABEL = f"{GROUP}/vendor"
DEVICE_LABEL = f"{GROUP}/device"
CLASS_LABEL = f"{GROUP}/class"
SIMULATED_LABEL = f"{GROUP}/simulated"

GIVE_BACK_FINALIZER = f"{GROUP}/give-back"
"""On a claim for as long as its device may have to be given back to its original driver."""
ANCESTOR_FINALIZER = "wrangler.cattle.io/PCIDeviceClaimOnRemove"
"""On claims that the Go ancestor took (its pkg/controller/pcideviceclaim). Nobody else would take it off."""
FINALIZERS = frozenset({GIVE_BACK_FINALIZER, ANCESTOR_FINALIZER})
"""What goes when a claim is let go."""
NODE_GONE = f"{GROUP}/node-gone"
"""Label of a claim that another node's agent ends, because its Node does not exist; admission policies look for it."""
ALLOW_PROTECTED = f"{GROUP}/allow-protected"
"""Annotation of a claim: its value, the device's address, lets through what the host uses. Bridges excepted."""
CLAIM_REASON = f"{GROUP}/reason"
"""Annotation of a claim: why somebody wants the device, for whoever looks at it; the agent does not read it."""

LOOK = f"{GROUP}/look"
"""Annotation of a PCIDevice that asks its agent for a fresh look; its value, a nonce, comes back in the answer."""

Address = Annotated[
    str,
    Meta(
        pattern=r"^([0-9a-fA-F]{4}|[1-9a-fA-F][0-9a-fA-F]{4,7}):[0-9a-fA-F]{2}:[01][0-9a-fA-F]\.[0-7]$"
        r"|^[0-9a-fA-F]{2}:[01][0-9a-fA-F]\.[0-7]$",
        description="PCI address, domain:bus:slot.function, such as 0000:04:00.0; without a domain, in domain 0000.",
    ),
]


class Condition(Struct, frozen=True, rename="camel", kw_only=True, omit_defaults=True):
    """One aspect of the object's state at this moment."""

    type: Annotated[str, Meta(description="What the condition is about, in CamelCase.")]
    status: Annotated[Literal["True", "False", "Unknown"], Meta(description="Whether it holds.")]
    reason: Annotated[str, Meta(description="One word, in CamelCase, that says why.")]
    message: Annotated[str, Meta(description="The same for a person, with what to look at next.")] = ""
    last_transition_time: Annotated[
        str,
        Meta(description="When the status last changed (RFC 3339).", extra_json_schema={"format": "date-time"}),
    ] = ""
    observed_generation: Annotated[int, Meta(description="The metadata.generation that was looked at.")] | None = None


class Sriov(Struct, frozen=True, rename="camel", kw_only=True, omit_defaults=True):
    """The function's part in SR-IOV."""

    role: Annotated[
        Literal["PhysicalFunction", "VirtualFunction"],
        Meta(description="A physical function can have virtual ones; a virtual one belongs to a physical one."),
    ]
    total_vfs: Annotated[int, Meta(description="How many virtual functions it can have.")] | None = None
    num_vfs: Annotated[int, Meta(description="How many virtual functions it has now.")] | None = None
    physical_function: Annotated[str, Meta(description="Address of the physical function.")] | None = None


class GroupMember(Struct, frozen=True, rename="camel", kw_only=True, omit_defaults=True):
    """Another function of the IOMMU group."""

    address: Annotated[str, Meta(description="Its PCI address.")]
    driver: Annotated[str, Meta(description="The driver that has it; nothing when none has.")] = ""


class PluginLook(Struct, frozen=True, rename="camel", kw_only=True, omit_defaults=True):
    """How the resource of the device stands with the kubelet."""

    resource_name: Annotated[str, Meta(description="The resource under which the device is offered.")]
    socket: Annotated[str, Meta(description="Where the plug-in listens on the node.")] = ""
    socket_found: Annotated[bool, Meta(description="There is such a file.")] = False
    registered: Annotated[bool, Meta(description="The kubelet asks the plug-in for devices.")] = False
    unhealthy: Annotated[str, Meta(description="Why the kubelet is told not to give the device away.")] = ""
    counted: Annotated[bool, Meta(description="The kubelet counts the device as one it can give away, or has.")] = False
    strangers: Annotated[
        tuple[str, ...],
        Meta(description="Devices that the kubelet counts under this resource, and that this agent does not offer."),
    ] = ()
    reason: Annotated[str, Meta(description="Why it is not registered, in one word.")] = ""
    message: Annotated[str, Meta(description="The same for a person.")] = ""


class Look(Struct, frozen=True, rename="camel", kw_only=True, omit_defaults=True):
    """A fresh look at the device, taken because somebody asked for it; it is as old as its time says."""

    request: Annotated[str, Meta(description="What the annotation look asked.")]
    time: Annotated[str, Meta(description="When it was taken (RFC 3339).", extra_json_schema={"format": "date-time"})]
    agent_version: Annotated[str, Meta(description="The agent that looked.")] = ""
    found: Annotated[bool, Meta(description="There is a device at the address.")] = False
    problem: Annotated[str, Meta(description="Why it could not be read.")] = ""
    silent: Annotated[bool, Meta(description="The kernel does not answer for the device.")] = False
    step_under_way: Annotated[str, Meta(description="A step of the agent that has not returned.")] = ""
    kernel_driver_in_use: Annotated[str, Meta(description="The driver that the device has.")] = ""
    driver_override: Annotated[str, Meta(description="The only driver that may take the device.")] = ""
    on_vfio: Annotated[bool, Meta(description="That driver hands devices to virtual machines.")] = False
    iommu_enabled: Annotated[bool, Meta(description="The kernel uses an IOMMU on this node.")] = False
    iommu_group: Annotated[str, Meta(description="Number of the IOMMU group.")] = ""
    group_members: Annotated[tuple[GroupMember, ...], Meta(description="The others of the group.")] = ()
    blockers: Annotated[
        tuple[str, ...], Meta(description="What of the group keeps the device from virtual machines.")
    ] = ()
    never: Annotated[str, Meta(description="Why the device can be claimed under no circumstances.")] = ""
    host_uses: Annotated[tuple[str, ...], Meta(description="How the host depends on the device.")] = ()
    holders: Annotated[tuple[str, ...], Meta(description="Who has a device of the group open.")] = ()
    vfio_module: Annotated[str, Meta(description="The module of the driver that would have the device.")] = ""
    vfio_module_state: (
        Annotated[
            Literal["Loaded", "Loadable", "Missing"],
            Meta(description="Whether the kernel has it; nothing when that cannot be told without loading it."),
        ]
        | None
    ) = None
    machine: Annotated[str, Meta(description="System UUID of the machine.")] = ""
    outdated: Annotated[
        tuple[str, ...],
        Meta(description="What the agent had not noticed until this look; the status follows within a moment."),
    ] = ()
    plugin: PluginLook | None = None
    kubelet_problem: Annotated[str, Meta(description="Why the kubelet did not answer.")] = ""


class PCIDeviceStatus(Struct, frozen=True, rename="camel", kw_only=True, omit_defaults=True):
    """What was last seen of the device; what the kernel does not tell is left out."""

    address: Annotated[str, Meta(description="PCI address, domain:bus:slot.function.")] = ""
    vendor_id: Annotated[str, Meta(description="PCI vendor id, four hex digits.")] = ""
    device_id: Annotated[str, Meta(description="PCI device id, four hex digits.")] = ""
    class_id: Annotated[str, Meta(description="PCI class and subclass, four hex digits.")] = ""
    iommu_group: (
        Annotated[
            str,
            Meta(description="Number of the IOMMU group, the unit of isolation. It changes with reboot and hot-plug."),
        ]
        | None
    ) = None
    node_name: Annotated[str, Meta(description="The node that has the device.")] = ""
    resource_name: Annotated[
        str,
        Meta(
            description="The extended resource that a virtual machine asks for. Chosen when the model is first seen on "
            "the node, and kept when the PCI ID database changes."
        ),
    ] = ""
    description: Annotated[str, Meta(description="Class, vendor and device by name.")] = ""
    kernel_driver_in_use: Annotated[str, Meta(description="The driver that has the device now.")] | None = None

    subsystem: Annotated[str, Meta(description="Subsystem ids, vendor:device.")] | None = None
    revision: Annotated[str, Meta(description="PCI revision, two hex digits.")] | None = None
    numa_node: Annotated[int, Meta(description="NUMA node that the device is attached to.")] | None = None
    iommu_group_members: Annotated[
        tuple[str, ...],
        Meta(description="Addresses of all functions in the IOMMU group, this one among them."),
    ] = ()
    sriov: Sriov | None = None
    bridge: Annotated[bool, Meta(description="The function is a bridge to another bus.")] = False
    boot_vga: Annotated[bool, Meta(description="The display device that the firmware chose for the console.")] = False
    serial_number: Annotated[str, Meta(description="Serial number, where the kernel tells one.")] | None = None
    network_interfaces: Annotated[
        tuple[str, ...],
        Meta(description="Network interfaces on the device, in the host's network namespace."),
    ] = ()
    block_devices: Annotated[tuple[str, ...], Meta(description="Whole disks on the device.")] = ()
    in_use_by: Annotated[tuple[str, ...], Meta(description="Pods that have the device, as namespace/name.")] = ()
    look: Look | None = None
    conditions: Annotated[
        tuple[Condition, ...],
        Meta(
            description="Present: the device was there at the last look. Advertised: only while it is claimed "
            "and cannot be offered under its resource name.",
            extra_json_schema={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"]},
        ),
    ] = ()


class PCIDeviceClaimSpec(Struct, frozen=True, rename="camel", kw_only=True, omit_defaults=True):
    """Which device is claimed, and by whom. It cannot be changed: delete the claim and make another."""

    address: Address
    node_name: Annotated[str, Meta(min_length=1, max_length=253, description="The node that has the device.")]
    user_name: Annotated[str, Meta(max_length=512, description="Who claims it.")] = ""
    disable_resource_pooling: Annotated[
        bool, Meta(description="Offer this device under a resource name of its own, not with its equals.")
    ] = False
    node_system_uuid: Annotated[
        str,
        Meta(
            max_length=64,
            description="The machine that the claim is meant for, as the Node's status.nodeInfo.systemUUID has it; "
            "another machine of that name refuses the claim.",
        ),
    ] = field(default="", name="nodeSystemUUID")


class ClaimedDevice(Struct, frozen=True, rename="camel", kw_only=True, omit_defaults=True):
    """Who the device was when it was first seen for this claim; another one at its address is refused."""

    vendor_id: Annotated[str, Meta(description="PCI vendor id, four hex digits.")]
    device_id: Annotated[str, Meta(description="PCI device id, four hex digits.")]
    subsystem: Annotated[str, Meta(description="Subsystem ids, vendor:device.")] | None = None
    serial_number: Annotated[str, Meta(description="Serial number, where the kernel tells one.")] | None = None
    physical_function: (
        Annotated[str, Meta(description="Of a virtual function: address of its physical function.")] | None
    ) = None


class PCIDeviceClaimStatus(Struct, frozen=True, rename="camel", kw_only=True, omit_defaults=True):
    """How far the claim has come."""

    kernel_driver_to_unbind: Annotated[
        str, Meta(description="The original driver, which gets the device back when the claim is deleted.")
    ] = ""
    passthrough_enabled: Annotated[
        bool, Meta(description="The device is on its vfio driver, and virtual machines can have it.")
    ] = False
    claimed: ClaimedDevice | None = None
    was_on_vfio: Annotated[
        bool,
        Meta(description="Somebody else had bound the device to a vfio driver before; it is left there at the end."),
    ] = False
    conditions: Annotated[
        tuple[Condition, ...],
        Meta(
            description="Ready: virtual machines can have the device. Why not: Allowed, Bound, GroupViable. "
            "Permitted: KubeVirt lets them have it.",
            extra_json_schema={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"]},
        ),
    ] = ()
