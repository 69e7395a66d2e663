"""What to do about each reason, in a sentence; `docs/reference/reasons.md` has more."""

from __future__ import annotations

from collections.abc import Mapping

from pcidevices import errors
from pcidevices.api.reasons import Reason


_REMEDIES: Mapping[str, str] = {
    # who asks, and whom
    errors.Forbidden.reason: "ask whoever administers the cluster for the role",
    errors.Unauthorized.reason: "renew your credentials; kubectl auth whoami tells who you are",
    errors.Unavailable.reason: "see that the API server can be reached: kubectl version",
    errors.NotFound.reason: "install the definitions: pcidevices crds | kubectl apply -f -",
    Reason.AGENT_SILENT: "see that its pod runs, and read its log",
    Reason.NOT_PUBLISHED: "compare the name with kubectl get pcidevices; see that the node's agent runs",
    Reason.OUTDATED: "nothing: the agent looks again now; see why the kernel's announcements did not arrive",
    # the claim
    Reason.NOT_CLAIMED: "claim it",
    Reason.CLAIMED_BY_ANOTHER: "delete one of the two claims",
    Reason.WRONG_MACHINE: "delete the claim, and claim the device of this machine if it is the one you want",
    Reason.DEVICE_CHANGED: "put the claimed card back, or delete the claim and claim this one",
    Reason.DEVICE_PROTECTED: "end that use, or allow it by name: docs/how-to/protected-devices.md",
    Reason.NOT_CLAIMABLE: "claim what is behind the bridge",
    Reason.BINDING: "wait a moment, and ask again",
    Reason.WITHDRAWING: "wait a moment, and ask again",
    # the kernel
    errors.DeviceNotFound.reason: "put the device back, or delete the claim",
    errors.DeviceUnreadable.reason: "look into the device's folder in sysfs, and into the kernel's log",
    errors.DriverMissing.reason: "install the module for the running kernel, or load it yourself",
    errors.HostExhausted.reason: "see what uses up the host's processes, descriptors or memory; the agent tries again",
    errors.SysfsWriteFailed.reason: "look into the kernel's log; the agent tries again",
    errors.DeviceNotTaken.reason: "look into the kernel's log, where the driver says why; the agent tries again",
    errors.WriteTimedOut.reason: "end what uses the device; the agent goes on by itself",
    Reason.NO_IOMMU_GROUP: "turn the IOMMU on in the firmware and on the kernel's command line (intel_iommu=on)",
    Reason.DEVICE_SILENT: "look for hanging writes to sysfs (ps shows state D) and into the kernel's log",
    Reason.DEVICE_IN_USE: "stop what has it; the agent goes on by itself",
    Reason.GROUP_NOT_VIABLE: "claim the whole group",
    Reason.LEFT_WITHOUT_DRIVER: "clear the override, and let the kernel probe the device",
    Reason.RESOURCE_NAME_INVALID: "claim it with disableResourcePooling, which gives it a name of its own",
    Reason.RESOURCE_NAME_TAKEN: "claim it with disableResourcePooling, which gives it a name of its own",
    # the kubelet
    errors.KubeletAway.reason: "see that the kubelet runs, and that its folder is the one that the agent's pod mounts",
    errors.RegistrationRefused.reason: "mostly the name breaks the kubelet's rules; its words say which one",
    errors.SocketUnusable.reason: "end the other device plug-in, if one listens there; else see that the kubelet's "
    "folder can be written to, and who removes files there",
    Reason.NOT_REGISTERED: "wait a few seconds; then read the agent's log: plugin.unregistered says why",
    Reason.SOCKET_GONE: "wait a few seconds: the agent makes it anew; see who removes files there",
    Reason.SECOND_PROVIDER: "end the other device plug-in: two cannot share a resource",
    Reason.NOT_COUNTED: "wait ten seconds, and ask again; then restart the kubelet",
    # KubeVirt, and who wants the device
    Reason.NOT_PERMITTED: "wait a few seconds: the agent adds it; if it does not stay, put it where the list is kept",
    Reason.CONFLICTING_PERMISSION: "set externalResourceProvider to true in that entry, or take it out",
    Reason.KUBEVIRT_NOT_FOUND: "nothing, where plain pods shall have the device",
    Reason.FEATURE_GATE_OFF: "add HostDevices to spec.configuration.developerConfiguration.featureGates",
    Reason.UNKNOWN_RESOURCE: "correct the name in the virtual machine, or in the pod",
}


def what_to_do(reason: str) -> str:
    """The next step; a reason of a newer agent is looked up by the person."""
    return _REMEDIES.get(reason, "see docs/reference/reasons.md")
