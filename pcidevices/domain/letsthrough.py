"""What is said of a KubeVirt that does not let a resource through, besides what its list says. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from pcidevices.api.reasons import Reason

from .conditions import Finding
from .permitted import KubeVirt


GATE_IS_OFF = Finding(
    "True",
    Reason.FEATURE_GATE_OFF,
    "it is listed, but KubeVirt's feature gate HostDevices is off: virtual machines can have it under gpus, and not "
    "under hostDevices; add HostDevices to spec.configuration.developerConfiguration.featureGates",
)


def none_or_many(found: Sequence[KubeVirt]) -> Finding:
    """Nobody can tell whose list counts."""
    if not found:
        return Finding(
            "Unknown", Reason.KUBEVIRT_NOT_FOUND, "there is no KubeVirt in the cluster, or not the one named"
        )
    names = ", ".join(sorted(map(str, found)))
    return Finding("Unknown", Reason.KUBEVIRT_NOT_FOUND, f"there are several, and none was named: {names}")


def taken_out(kubevirt: KubeVirt) -> Finding:
    """Somebody else keeps the list, and does not know of ours."""
    what = f"somebody takes the entry out of KubeVirt {kubevirt} again and again"
    if kubevirt.is_managed:
        hint = "its operator writes the list: put the entry into spec.permittedHostDevices of the HyperConverged object"
    else:
        hint = "add it where that list is kept; kubectl get kubevirt -o yaml --show-managed-fields names the writers"
    return Finding("False", Reason.NOT_PERMITTED, f"{what}; {hint}")
