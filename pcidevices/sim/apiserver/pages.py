"""The paths that lead to no object: version, health, discovery, OpenAPI, reviews of who asks."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from aiohttp import web

from . import discovery, openapi
from .answers import answer, no_such_page


if TYPE_CHECKING:
    from .catalog import Catalog
    from .values import Object


VERSION: Object = {
    "major": "1",
    "minor": "36",
    "gitVersion": "v1.36.0+embedded",
    "gitCommit": "",
    "gitTreeState": "clean",
    "buildDate": "1970-01-01T00:00:00Z",
    "goVersion": "none",
    "compiler": "none",
    "platform": "linux/amd64",
}
_HEALTH = ("healthz", "readyz", "livez")
_ALLOWED: Object = {
    "kind": "SelfSubjectAccessReview",
    "apiVersion": "authorization.k8s.io/v1",
    "metadata": {},
    "spec": {},
    "status": {"allowed": True, "reason": "everything is allowed here"},
}
_REVIEWS = (["apis", "authentication.k8s.io", "v1", "selfsubjectreviews"], ["apis", *discovery.ACCESS_REVIEWS])
_ADMINISTRATOR = "admin"


def page(catalog: Catalog, request: web.BaseRequest) -> web.Response | None:
    """The answer where the path is one of these, else None."""
    parts = request.path.strip("/").split("/")
    if request.method == "POST" and parts in _REVIEWS:  # the body may be protobuf; nobody reads it
        review = _who(request) if parts == _REVIEWS[0] else _ALLOWED
        return answer(review, status=HTTPStatus.CREATED)
    match parts if request.method == "GET" else []:
        case ["version"]:
            return answer(VERSION)
        case [name, *_] if name in _HEALTH:
            return web.Response(text="ok")
        case ["openapi", version, *path]:
            return _openapi(catalog, version, "/".join(path))
        case ["api" | "apis" as root] if "as=APIGroupDiscoveryList" in request.headers.get("Accept", ""):
            body = discovery.aggregated(catalog, core=root == "api")
            return answer(body, content_type=discovery.AGGREGATED)
    return _discovery(catalog, parts, request.host)


def _who(request: web.BaseRequest) -> Object:
    """Nobody authenticates here: who asks is who they say that they act for, else the administrator."""
    name = request.headers.get("Impersonate-User", _ADMINISTRATOR)
    return {
        "kind": "SelfSubjectReview",
        "apiVersion": "authentication.k8s.io/v1",
        "metadata": {},
        "status": {"userInfo": {"username": name, "groups": ["system:authenticated"]}},
    }


def _openapi(catalog: Catalog, version: str, path: str) -> web.Response:
    if version == "v2":
        return web.Response(body=openapi.EMPTY_V2, headers={"Content-Type": openapi.V2_TYPE})
    return _found(openapi.document(catalog, path) if path else openapi.index(catalog))


def _discovery(catalog: Catalog, parts: list[str], address: str) -> web.Response | None:
    match parts:
        case ["api"]:
            return answer(discovery.core_versions(address))
        case ["apis"]:
            return answer(discovery.group_list(catalog))
        case ["apis", group]:
            return _found(discovery.group(catalog, group))
        case ["api", version]:
            return _found(discovery.resource_list(catalog, "", version))
        case ["apis", group, version]:
            return _found(discovery.resource_list(catalog, group, version))
    return None


def _found(body: Object | None) -> web.Response:
    return no_such_page() if body is None else answer(body)
