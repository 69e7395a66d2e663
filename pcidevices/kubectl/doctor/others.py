"""What is not ours: the Node, KubeVirt, and those who wait for devices."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from pcidevices.domain.diagnosis import NodeSeen, Wish
from pcidevices.domain.kubevirtobject import KubeVirtObject
from pcidevices.domain.permitted import KubeVirt
from pcidevices.errors import KubectlFailed
from pcidevices.kubectl.objects import NODES, NODES_AT_ONCE, Metadata
from pcidevices.kubectl.quantity import count
from pcidevices.kubectl.transport import Kubectl

from .target import get


_KUBEVIRTS = "/apis/kubevirt.io/v1/kubevirts"
_MACHINES = "/apis/kubevirt.io/v1/virtualmachines"
_PODS = "/api/v1/pods"
_UNPLACED = "status.phase=Pending,spec.nodeName="
_ALWAYS = "Always"
_OS, _LINUX = "kubernetes.io/os", "linux"


class _Condition(msgspec.Struct):
    type: str = ""
    status: str = ""
    message: str = ""


class _NodeStatus(msgspec.Struct):
    capacity: dict[str, Any] | None = None
    allocatable: dict[str, Any] | None = None
    conditions: list[_Condition] | None = None


class _Node(msgspec.Struct):
    metadata: Metadata
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
    return None if found is None else _seen(found)


def nodes(kubectl: Kubectl) -> dict[str, NodeSeen]:
    """All that can have an agent, by name; none where a person may not list them."""
    try:
        pages = [items for items, _ in kubectl.pages(NODES, limit=NODES_AT_ONCE)]
    except KubectlFailed as error:
        if error.word != "Forbidden":
            raise
        return {}
    found = [msgspec.json.decode(raw, type=_Node) for items in pages for raw in items]
    return {
        each.metadata.name: _seen(each) for each in found if (each.metadata.labels or {}).get(_OS, _LINUX) == _LINUX
    }


def _seen(found: _Node) -> NodeSeen:
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
    """
    Pods that no node has been found for, and virtual machines that wait for their instance, with what they ask for.

    A machine's instance has a pod, which waits in its place.
    """
    pods = (msgspec.json.decode(raw, type=_Wanting) for raw in _all(kubectl, _PODS, _UNPLACED))
    machines = (msgspec.json.decode(raw, type=_Wanting) for raw in _all(kubectl, _MACHINES))
    found = [*(_wish("pod", each, _of_pod(each)) for each in pods if not (each.spec or {}).get("nodeName"))]
    found += [_wish("virtual machine", each, _of_machine(each)) for each in machines if _waits(each)]
    return tuple(wish for each in found for wish in each)


def _waits(machine: _Wanting) -> bool:
    """Whether it shall run, and has no instance."""
    spec, status = machine.spec or {}, machine.status or {}
    if status.get("created") or status.get("ready"):
        return False
    strategy = spec.get("runStrategy") or ("Halted" if spec.get("running") is False else _ALWAYS)
    return strategy != "Halted" and (strategy == _ALWAYS or status.get("printableStatus") != "Stopped")


def _all(kubectl: Kubectl, path: str, selector: str = "") -> Iterator[msgspec.Raw]:
    try:
        for items, _ in kubectl.pages(path, {"fieldSelector": selector} if selector else None):
            yield from items
    except KubectlFailed as error:
        if error.word != "NotFound":
            raise


def _counts(quantities: dict[str, Any] | None) -> dict[str, int]:
    found = {name: count(text) for name, text in (quantities or {}).items() if "/" in name}
    return {name: number for name, number in found.items() if number is not None}


def _wish(kind: str, found: _Wanting, names: Iterable[str]) -> list[Wish]:
    command = f"kubectl get {kind.replace(' ', '')} -n {found.metadata.namespace} {found.metadata.name} -o yaml"
    who = f"{kind} {found.metadata.namespace}/{found.metadata.name}"
    return [Wish(who=who, resource_name=name, command=command) for name in dict.fromkeys(names)]


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
