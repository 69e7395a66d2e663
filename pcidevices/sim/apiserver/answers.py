"""Answers over HTTP."""

from __future__ import annotations

from collections.abc import Iterable
from http import HTTPStatus

import msgspec

from aiohttp import web

from .errors import ApiError
from .kinds import Kind
from .reading import Page
from .tables import table
from .values import Json, Object


JSON = "application/json"


def answer(
    body: Json, *, status: int = HTTPStatus.OK, content_type: str = JSON, warnings: Iterable[str] = ()
) -> web.Response:
    """A JSON body."""
    response = web.Response(body=msgspec.json.encode(body), status=status, headers={"Content-Type": content_type})
    for warning in warnings:
        escaped = warning.replace("\\", "\\\\").replace('"', '\\"')
        response.headers.add("Warning", f'299 - "{escaped}"')
    return response


def refused(error: ApiError, *, retry_after: int | None = None) -> web.Response:
    """A refusal, as a Status object."""
    response = answer(error.as_status(), status=error.code)
    if retry_after is not None:
        response.headers["Retry-After"] = str(retry_after)
    return response


def no_such_page() -> web.Response:
    """The answer to paths that lead nowhere."""
    return web.Response(text="404 page not found\n", status=HTTPStatus.NOT_FOUND)


def wants_table(accept: str) -> bool:
    """Whether a client asks for a Table before anything else."""
    first = accept.partition(",")[0].replace(" ", "")
    return "as=Table" in first and "g=meta.k8s.io" in first


def listed(kind: Kind, page: Page) -> Object:
    """A list, or a part of one."""
    return {
        "kind": kind.list_kind,
        "apiVersion": kind.api_version,
        "metadata": _list_metadata(page),
        "items": [kind.shown(obj) for obj in page.items],
    }


def listed_as_table(kind: Kind, page: Page, include: str) -> Object:
    """A list as a Table."""
    return table(kind, page.items, include=include) | {"metadata": _list_metadata(page)}


def _list_metadata(page: Page) -> Object:
    meta: Object = {"resourceVersion": str(page.version)}
    if page.token:
        meta["continue"] = page.token
    if page.remaining is not None:
        meta["remainingItemCount"] = page.remaining
    return meta


def gone(kind: Kind, obj: Object) -> Object:
    """What is said of an object that was deleted."""
    details = {"name": obj["metadata"]["name"], "group": kind.group, "kind": kind.plural, "uid": obj["metadata"]["uid"]}
    return {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Success",
        "details": {key: value for key, value in details.items() if value},
    }
