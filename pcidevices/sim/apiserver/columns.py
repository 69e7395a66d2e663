"""The columns of the built-in kinds, as `kubectl get` shows them."""

from __future__ import annotations

from .crds import NAME
from .kinds import Column
from .values import Json, Object, age, dig


NONE = "<none>"

AGE = Column("Age", lambda obj: age(dig(obj, "metadata", "creationTimestamp")))


def _field(*path: str, absent: Json = NONE) -> Column:
    """A wide column that shows a field as it is."""
    return Column(path[-1][0].upper() + path[-1][1:], lambda obj: dig(obj, *path) or absent)


def named(name: str, column: Column, *, wide: bool = False, type_: str = "string") -> Column:
    """The same column under another name."""
    return Column(name, column.cell, type=type_, priority=1 if wide else 0)


def node_status(node: Object) -> str:
    """Ready, NotReady or Unknown, and whether pods are kept away."""
    conditions = dig(node, "status", "conditions") or ()
    ready = next((c.get("status") for c in conditions if c["type"] == "Ready"), None)
    said = {"True": "Ready", "False": "NotReady"}.get(ready or "", "Unknown")
    return said + (",SchedulingDisabled" if dig(node, "spec", "unschedulable") else "")


def node_roles(node: Object) -> str:
    """The roles that a node's labels name."""
    prefix = "node-role.kubernetes.io/"
    labels = dig(node, "metadata", "labels") or {}
    return ",".join(sorted(key.removeprefix(prefix) for key in labels if key.startswith(prefix))) or NONE


def node_address(type_: str) -> Column:
    """The first address of a type."""
    return Column(
        "IP",
        lambda node: next(
            (a.get("address") for a in dig(node, "status", "addresses") or () if a.get("type") == type_), NONE
        ),
    )


def pod_ready(pod: Object) -> str:
    """How many of a pod's containers are ready."""
    statuses = dig(pod, "status", "containerStatuses") or ()
    return f"{sum(bool(s.get('ready')) for s in statuses)}/{len(dig(pod, 'spec', 'containers') or ())}"


def pod_status(pod: Object) -> str:
    """A pod's phase, or what is more important about it."""
    if dig(pod, "metadata", "deletionTimestamp"):
        return "Terminating"
    return dig(pod, "status", "reason") or dig(pod, "status", "phase") or "Unknown"


def event_subject(event: Object) -> str:
    """The object that an event is about."""
    about = event.get("involvedObject") or {}
    return f"{about.get('kind', '').lower()}/{about.get('name', '')}"


def event_seen(event: Object) -> str:
    """When an event was seen last."""
    moment = dig(event, "series", "lastObservedTime") or event.get("lastTimestamp") or event.get("eventTime")
    return age(moment or dig(event, "metadata", "creationTimestamp"))


def service_ports(service: Object) -> str:
    """A service's ports in one cell."""
    ports = dig(service, "spec", "ports") or ()
    return ",".join(f"{port.get('port')}/{port.get('protocol', 'TCP')}" for port in ports) or NONE


INFO = ("status", "nodeInfo")
NODES = (
    NAME,
    Column("Status", node_status),
    Column("Roles", node_roles),
    AGE,
    named("Version", _field(*INFO, "kubeletVersion", absent="")),
    named("Internal-IP", node_address("InternalIP"), wide=True),
    named("External-IP", node_address("ExternalIP"), wide=True),
    named("OS-Image", _field(*INFO, "osImage", absent="<unknown>"), wide=True),
    named("Kernel-Version", _field(*INFO, "kernelVersion", absent="<unknown>"), wide=True),
    named("Container-Runtime", _field(*INFO, "containerRuntimeVersion", absent="<unknown>"), wide=True),
)
PODS = (
    NAME,
    Column("Ready", pod_ready),
    Column("Status", pod_status),
    Column(
        "Restarts",
        lambda pod: str(sum(s.get("restartCount", 0) for s in dig(pod, "status", "containerStatuses") or ())),
    ),
    AGE,
    named("IP", _field("status", "podIP"), wide=True),
    named("Node", _field("spec", "nodeName"), wide=True),
    named("Nominated Node", _field("status", "nominatedNodeName"), wide=True),
    Column("Readiness Gates", lambda _: NONE, priority=1),
)
NAMESPACES = (NAME, named("Status", _field("status", "phase", absent="")), AGE)
CONFIGMAPS = (
    NAME,
    Column("Data", lambda obj: str(len(obj.get("data") or {}) + len(obj.get("binaryData") or {}))),
    AGE,
)
LEASES = (NAME, named("Holder", _field("spec", "holderIdentity", absent="")), AGE)
SERVICES = (
    NAME,
    named("Type", _field("spec", "type", absent="ClusterIP")),
    named("Cluster-IP", _field("spec", "clusterIP")),
    Column("External-IP", lambda _: NONE),
    Column("Port(s)", service_ports),
    AGE,
    Column(
        "Selector",
        lambda obj: ",".join(f"{k}={v}" for k, v in (dig(obj, "spec", "selector") or {}).items()) or NONE,
        priority=1,
    ),
)
CRDS = (NAME, Column("Created At", lambda obj: dig(obj, "metadata", "creationTimestamp"), type="date"))
EVENTS = (
    Column("Last Seen", event_seen),
    named("Type", _field("type", absent="")),
    named("Reason", _field("reason", absent="")),
    Column("Object", event_subject),
    named("Subobject", _field("involvedObject", "fieldPath", absent=""), wide=True),
    Column(
        "Source",
        lambda event: dig(event, "source", "component") or event.get("reportingComponent") or "",
        priority=1,
    ),
    Column("Message", lambda event: (event.get("message") or "").strip()),
    Column("First Seen", lambda event: age(event.get("firstTimestamp") or event.get("eventTime")), priority=1),
    Column("Count", lambda event: str(dig(event, "series", "count") or event.get("count") or 1), priority=1),
    Column("Name", NAME.cell, format="name", priority=1),
)
