"""
OpenAPI v3, as far as kubectl reads it: a PATCH operation with `fieldValidation` per kind, and the schemas.

Version 2 is read as protobuf only; five bytes make a valid empty document.
"""

from __future__ import annotations

import hashlib

import msgspec

from .catalog import Catalog
from .kinds import Kind
from .schemas import OBJECT_META
from .values import Object


EMPTY_V2 = b"\x0a\x03\x32\x2e\x30"  # swagger: "2.0"
V2_TYPE = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf"

_META = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"
_GVK = "x-kubernetes-group-version-kind"
_QUERIES = ("dryRun", "fieldManager", "fieldValidation", "force")


def index(catalog: Catalog) -> Object:
    """``/openapi/v3``: where the documents are. The addresses change with what they lead to."""
    found = {}
    for group, versions in catalog.groups().items():
        for version in versions:
            path = _path(group, version)
            content = hashlib.sha256(msgspec.json.encode(document(catalog, path))).hexdigest()
            found[path] = {"serverRelativeURL": f"/openapi/v3/{path}?hash={content[:32].upper()}"}
    return {"paths": found}


def document(catalog: Catalog, path: str) -> Object | None:
    """``/openapi/v3/api/v1``, ``/openapi/v3/apis/GROUP/VERSION``"""
    kinds = [kind for kind in catalog if _path(kind.group, kind.version) == path]
    if not kinds:
        return None
    return {
        "openapi": "3.0.0",
        "info": {"title": "Kubernetes", "version": "embedded"},
        "paths": {where: operations for kind in kinds for where, operations in _paths(kind).items()},
        "components": {"schemas": {_META: OBJECT_META} | {_name(kind): _schema(kind) for kind in kinds}},
    }


def _path(group: str, version: str) -> str:
    return f"apis/{group}/{version}" if group else f"api/{version}"


def _name(kind: Kind) -> str:
    return ".".join([*reversed((kind.group or "core.api.k8s.io").split(".")), kind.version, kind.kind])


def _gvk(kind: Kind) -> Object:
    return {"group": kind.group, "version": kind.version, "kind": kind.kind}


def _schema(kind: Kind) -> Object:
    properties = {**kind.schema["properties"], "metadata": {"allOf": [_reference(_META)], "default": {}}}
    return {**kind.schema, "properties": properties, _GVK: [_gvk(kind)]}


def _reference(name: str) -> Object:
    return {"$ref": f"#/components/schemas/{name}"}


def _paths(kind: Kind) -> dict[str, Object]:
    scope = "/namespaces/{namespace}" if kind.namespaced else ""
    collection = f"/{_path(kind.group, kind.version)}{scope}/{kind.plural}"
    found = {
        collection: _operations(kind, get="list", post="post"),
        f"{collection}/{{name}}": _operations(kind, get="get", put="put", patch="patch", delete="delete"),
    }
    if kind.has_status:
        found[f"{collection}/{{name}}/status"] = _operations(kind, get="get", put="put", patch="patch")
    return found


def _operations(kind: Kind, **actions: str) -> Object:
    answer = {"description": "OK", "content": {"application/json": {"schema": _reference(_name(kind))}}}
    parameters = [{"name": name, "in": "query", "schema": {"type": "string"}} for name in _QUERIES]
    return {
        method: {
            "operationId": f"{action}{kind.kind}",
            "parameters": [] if method == "get" else parameters,
            "responses": {"200": answer},
            "x-kubernetes-action": action,
            _GVK: _gvk(kind),
        }
        for method, action in actions.items()
    }
