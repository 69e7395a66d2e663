"""
Why something is so, in one word: for conditions, Events, metrics and logs alike.

`docs/reference/reasons.md` says of each what it means and what to do. What is raised as an error has its
reason in `pcidevices.errors`.
"""

from __future__ import annotations

from enum import StrEnum


class Reason(StrEnum):
    """The reasons of a claim's conditions and Events, besides those of errors."""

    # what is well
    ALLOWED = "Allowed"
    PROTECTION_OVERRIDDEN = "ProtectionOverridden"
    BOUND = "Bound"
    VIABLE = "Viable"
    READY = "Ready"
    GIVEN_BACK = "GivenBack"
    LEFT_ON_VFIO = "LeftOnVfio"

    # what is under way
    BINDING = "Binding"
    WITHDRAWING = "Withdrawing"
    DEVICE_IN_USE = "DeviceInUse"
    DEVICE_SILENT = "DeviceSilent"

    # what a person must change
    CLAIMED_BY_ANOTHER = "ClaimedByAnother"
    WRONG_MACHINE = "WrongMachine"
    DEVICE_CHANGED = "DeviceChanged"
    DEVICE_PROTECTED = "DeviceProtected"
    NOT_CLAIMABLE = "NotClaimable"
    NO_IOMMU_GROUP = "NoIommuGroup"
    GROUP_NOT_VIABLE = "GroupNotViable"
    RESOURCE_NAME_INVALID = "ResourceNameInvalid"
    RESOURCE_NAME_TAKEN = "ResourceNameTaken"

    # how a give-back can end otherwise
    GIVEN_TO_ANOTHER_DRIVER = "GivenToAnotherDriver"
    LEFT_WITHOUT_DRIVER = "LeftWithoutDriver"
    DEVICE_GONE = "DeviceGone"

    # whether KubeVirt lets a resource through
    PERMITTED = "Permitted"
    NOT_PERMITTED = "NotPermitted"
    CONFLICTING_PERMISSION = "ConflictingPermission"
    KUBEVIRT_NOT_FOUND = "KubeVirtNotFound"
    FEATURE_GATE_OFF = "FeatureGateOff"

    # what only a diagnosis finds
    AGENT_SILENT = "AgentSilent"
    NOT_PUBLISHED = "NotPublished"
    OUTDATED = "Outdated"
    NOT_CLAIMED = "NotClaimed"
    NOT_REGISTERED = "NotRegistered"
    SOCKET_GONE = "SocketGone"
    SECOND_PROVIDER = "SecondProvider"
    NOT_COUNTED = "NotCounted"
    UNKNOWN_RESOURCE = "UnknownResource"
