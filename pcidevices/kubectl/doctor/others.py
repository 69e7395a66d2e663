"""What is not ours: the Node, KubeVirt, and those who wait for devices."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from pcidevices.domain.diagnosis import NodeSeen, Wish
from pcidevices.domain.kubevirtobject import KubeVirtObject
from pcidevices.domain.permitted import KubeVirt
from pcidevices.errors import KubectlFailed
from pcidevices.kubectl.objects import NODES, Metadata
from pcidevices.kubectl.transport import Kubectl

from .target import get


_KUBEVIRTS = "/apis/kubevirt.io/v1/kubevirts"
_MACHINES = "/apis/kubevirt.io/v1/virtualmachines"
_PODS = "/api/v1/pods"


class _Condition(msgspec.Struct):
    type: str = ""
    status: str = ""
    message: str = ""


class _NodeStatus(msgspec.Struct):
    capacity: dict[str, Any] | None = None
    allocatable: dict[str, Any] | None = None
    conditions: list[_Condition] | None = None


class _Node(msgspec.Struct):
    status: _NodeStatus | None = None


class _Placed(Metadata, frozen=True, rename="camel"):
    namespace: str = ""


class _Wanting(msgspec.Struct):
    metadata: _Placed
    spec: dict[str, Any] | None = None
    status: dict[str, Any] | None = None


def node_of(name: str, kubectl: Kubectl) -> NodeSeen | None:
    """The Node, if there is one."""
    found = get(kubectl, f"{NODES}/{name}", _Node)
    if found is None:
        return None
    status = found.status or _NodeStatus()
    ready = next((each for each in status.conditions or () if each.type == "Ready"), None)
    return NodeSeen(
        is_ready=ready is None or ready.status == "True",
        message=ready.message if ready is not None else "",
        capacity=_counts(status.capacity),
        allocatable=_counts(status.allocatable),
    )


def kubevirts(kubectl: Kubectl) -> tuple[KubeVirt, ...]:
    """All there are; none where KubeVirt is not installed."""
    found = (msgspec.json.decode(raw, type=KubeVirtObject).value for raw in _all(kubectl, _KUBEVIRTS))
    return tuple(kubevirt for kubevirt in found if kubevirt is not None)


def wishes(kubectl: Kubectl) -> tuple[Wish, ...]:
    """Pods that are not placed, and virtual machines that do not run, with the devices that they ask for."""
    pods = (msgspec.json.decode(raw, type=_Wanting) for raw in _all(kubectl, _PODS, "status.phase=Pending"))
    machines = (msgspec.json.decode(raw, type=_Wanting) for raw in _all(kubectl, _MACHINES))
    waiting = (each for each in machines if not (each.status or {}).get("ready"))
    found = [*(_wish("pod", each, _of_pod(each)) for each in pods)]
    found += [_wish("virtual machine", each, _of_machine(each)) for each in waiting]
    return tuple(wish for each in found for wish in each)


def _all(kubectl: Kubectl, path: str, selector: str = "") -> Iterator[msgspec.Raw]:
    try:
        for items, _ in kubectl.pages(path, {"fieldSelector": selector} if selector else None):
            yield from items
    except KubectlFailed as error:
        if error.word != "NotFound":
            raise


def _counts(quantities: dict[str, Any] | None) -> dict[str, int]:
    return {name: int(text) for name, text in (quantities or {}).items() if "/" in name and str(text).isdecimal()}


def _wish(kind: str, found: _Wanting, names: Iterable[str]) -> list[Wish]:
    who = f"{kind} {found.metadata.namespace}/{found.metadata.name}"
    return [Wish(who=who, resource_name=name) for name in dict.fromkeys(names)]


def _of_pod(pod: _Wanting) -> Iterator[str]:
    for container in (pod.spec or {}).get("containers", ()):
        resources = container.get("resources") or {}
        for name in {**(resources.get("requests") or {}), **(resources.get("limits") or {})}:
            if "/" in name and ".kubernetes.io/" not in name:
                yield name


def _of_machine(machine: _Wanting) -> Iterator[str]:
    domain: Any = machine.spec or {}
    for key in ("template", "spec", "domain", "devices"):
        domain = domain.get(key) or {}
    for device in (*(domain.get("hostDevices") or ()), *(domain.get("gpus") or ())):
        if name := device.get("deviceName"):
            yield str(name)
