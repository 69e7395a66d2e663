"""Discovery: which kinds there are, in the plain and in the aggregated form."""

from __future__ import annotations

from .catalog import Catalog
from .kinds import Kind
from .values import Object


AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
ACCESS_REVIEWS = ("authorization.k8s.io", "v1", "selfsubjectaccessreviews")
_REVIEW: Object = {
    "name": ACCESS_REVIEWS[2],
    "singularName": "selfsubjectaccessreview",
    "namespaced": False,
    "kind": "SelfSubjectAccessReview",
    "verbs": ["create"],
}


def core_versions(address: str) -> Object:
    """``/api``"""
    addresses = [{"clientCIDR": "0.0.0.0/0", "serverAddress": address}]
    return {"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": addresses}


def group_list(catalog: Catalog) -> Object:
    """``/apis``"""
    groups = [_group(name, versions) for name, versions in _named_groups(catalog).items()]
    return {"kind": "APIGroupList", "apiVersion": "v1", "groups": groups}


def group(catalog: Catalog, name: str) -> Object | None:
    """``/apis/GROUP``"""
    versions = _named_groups(catalog).get(name)
    return {"kind": "APIGroup", "apiVersion": "v1", **_group(name, versions)} if versions else None


def resource_list(catalog: Catalog, group: str, version: str) -> Object | None:
    """``/api/v1`` and ``/apis/GROUP/VERSION``"""
    if (group, version) == ACCESS_REVIEWS[:2]:
        resources = [_REVIEW]
    else:
        kinds = catalog.groups().get(group, {}).get(version, [])
        resources = [resource for kind in kinds for resource in _resources(kind)]
    if not resources:
        return None
    group_version = f"{group}/{version}" if group else version
    return {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": group_version, "resources": resources}


def aggregated(catalog: Catalog, *, core: bool) -> Object:
    """``/api`` or ``/apis`` for who accepts the aggregated form."""
    groups = {"": catalog.groups()[""]} if core else {n: v for n, v in catalog.groups().items() if n}
    items = [
        {
            "metadata": {"name": name, "creationTimestamp": None},
            "versions": [_version(v, k) for v, k in versions.items()],
        }
        for name, versions in groups.items()
    ]
    return {"kind": "APIGroupDiscoveryList", "apiVersion": "apidiscovery.k8s.io/v2", "metadata": {}, "items": items}


def _named_groups(catalog: Catalog) -> dict[str, list[str]]:
    groups = {name: list(versions) for name, versions in catalog.groups().items() if name}
    return groups | {ACCESS_REVIEWS[0]: [ACCESS_REVIEWS[1]]}


def _group(name: str, versions: list[str]) -> Object:
    listed = [{"groupVersion": f"{name}/{version}", "version": version} for version in versions]
    return {"name": name, "versions": listed, "preferredVersion": listed[0]}


def _resources(kind: Kind) -> list[Object]:
    whole: Object = {
        "name": kind.plural,
        "singularName": kind.singular,
        "namespaced": kind.namespaced,
        "kind": kind.kind,
        "verbs": list(kind.verbs),
    }
    if kind.short_names:
        whole["shortNames"] = list(kind.short_names)
    if kind.categories:
        whole["categories"] = list(kind.categories)
    if not kind.has_status:
        return [whole]
    status = {
        "name": f"{kind.plural}/status",
        "singularName": "",
        "namespaced": kind.namespaced,
        "kind": kind.kind,
        "verbs": ["get", "patch", "update"],
    }
    return [whole, status]


def _version(version: str, kinds: list[Kind]) -> Object:
    return {"version": version, "freshness": "Current", "resources": [_aggregated_resource(kind) for kind in kinds]}


def _aggregated_resource(kind: Kind) -> Object:
    response = {"group": kind.group, "version": kind.version, "kind": kind.kind}
    resource: Object = {
        "resource": kind.plural,
        "responseKind": response,
        "scope": "Namespaced" if kind.namespaced else "Cluster",
        "singularResource": kind.singular,
        "verbs": list(kind.verbs),
        "shortNames": list(kind.short_names),
        "categories": list(kind.categories),
    }
    if kind.has_status:
        resource["subresources"] = [
            {"subresource": "status", "responseKind": response, "verbs": ["get", "patch", "update"]}
        ]
    return resource
