"""
The built-in kinds that the demo, the tests and a person with kubectl meet.

Their schemas say what their fields are called and which lists are maps, and leave open what nothing here asks about.
"""

from __future__ import annotations

from . import columns
from .events import (
    EVENT_SCHEMA,
    EVENT_SELECTABLE,
    NEW_EVENT_SCHEMA,
    NEW_EVENT_SELECTABLE,
    core_causes,
    core_path,
    from_core,
    new_causes,
    to_core,
)
from .kinds import PRESERVE, VERBS, Kind, Resource
from .microtime import microtime_causes
from .schemas import whole
from .values import Json, Object


STRING: Object = {"type": "string"}
STRINGS: Object = {"type": "object", "additionalProperties": STRING}
INTEGER: Object = {"type": "integer"}
BOOLEAN: Object = {"type": "boolean"}
TIME: Object = {"type": "string", "format": "date-time"}


def record(**properties: Object) -> Object:
    """An object with just these fields."""
    return {"type": "object", "properties": properties}


def open_record(**properties: Object) -> Object:
    """An object with these fields and any other."""
    return {"type": "object", PRESERVE: True, "properties": properties}


def keyed(*keys: str, patch_key: str = "", **properties: Object) -> Object:
    """A list that is a map by these keys, which are texts unless said otherwise."""
    return {
        "type": "array",
        "items": {"required": [patch_key or keys[0]], **open_record(**dict.fromkeys(keys, STRING) | properties)},
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": list(keys),
        "x-kubernetes-patch-strategy": "merge",
        "x-kubernetes-patch-merge-key": patch_key or keys[0],
    }


def listed(items: Object) -> Object:
    """A list that is one value."""
    return {"type": "array", "items": items}


CONDITIONS = keyed("type", status=STRING, reason=STRING, message=STRING)
PORTS = keyed("port", "protocol", port=INTEGER)
CONTAINER_STATUSES = listed(open_record(name=STRING, ready=BOOLEAN, restartCount=INTEGER))
NODE = record(
    spec=open_record(unschedulable=BOOLEAN, providerID=STRING, podCIDR=STRING, taints=listed(open_record())),
    status=open_record(
        capacity=open_record(),
        allocatable=open_record(),
        nodeInfo=STRINGS,
        conditions=CONDITIONS,
        addresses=keyed("type", address=STRING),
    ),
)
POD = record(
    spec=open_record(
        nodeName=STRING,
        containers=keyed("name"),
        initContainers=keyed("name"),
        volumes=keyed("name"),
        imagePullSecrets=keyed("name"),
    ),
    status=open_record(
        phase=STRING,
        reason=STRING,
        podIP=STRING,
        nominatedNodeName=STRING,
        conditions=CONDITIONS,
        podIPs=keyed("ip"),
        containerStatuses=CONTAINER_STATUSES,
    ),
)
NAMESPACE = record(spec=record(finalizers=listed(STRING)), status=record(phase=STRING, conditions=CONDITIONS))
CONFIGMAP = record(data=STRINGS, binaryData=STRINGS, immutable=BOOLEAN)
LEASE = record(
    spec=record(
        holderIdentity=STRING,
        leaseDurationSeconds={**INTEGER, "minimum": 1},
        acquireTime=TIME,
        renewTime=TIME,
        leaseTransitions={**INTEGER, "minimum": 0},
        strategy=STRING,
        preferredHolder=STRING,
    )
)
SERVICE = record(
    spec=open_record(type={**STRING, "default": "ClusterIP"}, ports=PORTS, clusterIP=STRING, selector=STRINGS),
    status=open_record(),
)
CRD_VERSION: Object = {
    "required": ["name", "served", "storage"],
    **open_record(
        name=STRING,
        served=BOOLEAN,
        storage=BOOLEAN,
        schema=open_record(openAPIV3Schema=open_record()),
        subresources=open_record(),
        selectableFields=listed({"required": ["jsonPath"], **record(jsonPath=STRING)}),
        additionalPrinterColumns=listed(
            {
                "required": ["name", "type", "jsonPath"],
                **record(
                    name=STRING, type=STRING, jsonPath=STRING, description=STRING, format=STRING, priority=INTEGER
                ),
            }
        ),
    ),
}
CRD: Object = {
    "required": ["spec"],
    **record(
        spec={
            "required": ["group", "names", "scope", "versions"],
            **record(
                group=STRING,
                names={
                    "required": ["kind", "plural"],
                    **record(
                        plural=STRING,
                        singular=STRING,
                        kind=STRING,
                        listKind=STRING,
                        shortNames=listed(STRING),
                        categories=listed(STRING),
                    ),
                },
                scope={**STRING, "enum": ["Cluster", "Namespaced"]},
                versions=listed(CRD_VERSION),
                conversion=open_record(),
                preserveUnknownFields=BOOLEAN,
            ),
        },
        status=open_record(conditions=CONDITIONS),
    ),
}


def _begun_namespace(obj: Object) -> Object:
    meta = obj["metadata"]
    labels = {**(meta.get("labels") or {}), "kubernetes.io/metadata.name": meta["name"]}
    return {
        **obj,
        "metadata": {**meta, "labels": labels},
        "spec": {"finalizers": ["kubernetes"]},
        "status": {"phase": "Active"},
    }


def _begun_pod(obj: Object) -> Object:
    return {**obj, "status": {"phase": "Pending"}}


def _core(plural: str, kind: str, schema: Object, **more: Json) -> Kind:
    options: Json = {"group": "", "version": "v1", "namespaced": True, "counts_generations": False, **more}
    return Kind(plural=plural, singular=kind.lower(), kind=kind, schema=whole(schema), **options)


CRD_KIND = _core(
    "customresourcedefinitions",
    "CustomResourceDefinition",
    CRD,
    group="apiextensions.k8s.io",
    namespaced=False,
    short_names=("crd", "crds"),
    categories=("api-extensions",),
    columns=columns.CRDS,
    counts_generations=True,
)
NAMESPACE_KIND = _core(
    "namespaces",
    "Namespace",
    NAMESPACE,
    namespaced=False,
    short_names=("ns",),
    columns=columns.NAMESPACES,
    selectable=("status.phase",),
    verbs=tuple(verb for verb in VERBS if verb != "deletecollection"),
    begin=_begun_namespace,
)
EVENT_KIND = _core(
    "events",
    "Event",
    EVENT_SCHEMA,
    short_names=("ev",),
    columns=columns.EVENTS,
    selectable=EVENT_SELECTABLE,
    has_status=False,
    check=core_causes,
)
BUILT_IN = (
    NAMESPACE_KIND,
    CRD_KIND,
    EVENT_KIND,
    _core(
        "events",
        "Event",
        NEW_EVENT_SCHEMA,
        group="events.k8s.io",
        short_names=("ev",),
        columns=columns.EVENTS,
        selectable=NEW_EVENT_SELECTABLE,
        has_status=False,
        kept_as=Resource("", "events"),
        to_kept=to_core,
        from_kept=from_core,
        kept_path=core_path,
        check=new_causes,
    ),
    _core(
        "nodes",
        "Node",
        NODE,
        namespaced=False,
        short_names=("no",),
        columns=columns.NODES,
        selectable=("spec.unschedulable",),
    ),
    _core(
        "pods",
        "Pod",
        POD,
        short_names=("po",),
        categories=("all",),
        columns=columns.PODS,
        selectable=(
            "spec.nodeName",
            "spec.restartPolicy",
            "spec.schedulerName",
            "spec.serviceAccountName",
            "spec.hostNetwork",
            "status.phase",
            "status.podIP",
            "status.nominatedNodeName",
        ),
        begin=_begun_pod,
        counts_generations=True,
    ),
    _core(
        "services",
        "Service",
        SERVICE,
        short_names=("svc",),
        categories=("all",),
        columns=columns.SERVICES,
        selectable=("spec.clusterIP", "spec.type"),
    ),
    _core("configmaps", "ConfigMap", CONFIGMAP, short_names=("cm",), columns=columns.CONFIGMAPS, has_status=False),
    _core(
        "leases",
        "Lease",
        LEASE,
        group="coordination.k8s.io",
        columns=columns.LEASES,
        has_status=False,
        check=lambda lease, _: microtime_causes(lease, ("spec", "acquireTime"), ("spec", "renewTime")),
    ),
)
