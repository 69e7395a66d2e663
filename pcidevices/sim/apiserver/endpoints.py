"""The paths that lead to objects: each verb reads its options, asks the cluster, and shapes the answer."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from http import HTTPStatus

from aiohttp import web

from . import answers, bodies, options
from .cluster import Cluster
from .errors import Cause, bad_request, invalid, no_such_resource, not_allowed
from .kinds import Kind
from .store import Key
from .tables import table
from .urls import Asked
from .values import Json, dig
from .writing import Written


Verb = Callable[[web.BaseRequest, Kind, Asked], Awaitable[web.Response]]


class Endpoints:
    """Requests for objects, except watches."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._verbs: dict[str, Verb] = {
            "get": self._get,
            "list": self._list,
            "create": self._create,
            "update": self._update,
            "patch": self._patch,
            "delete": self._delete,
            "deletecollection": self._delete_collection,
        }

    def kind_of(self, asked: Asked) -> Kind:
        """The kind that is asked for; `ApiError` (404, 405) where there is none, or not in this way."""
        kind = self._cluster.catalog.find(asked.group, asked.version, asked.plural)
        known = ("", "status") if kind and kind.has_status else ("",)
        if kind is None or (asked.namespace and not kind.namespaced) or asked.subresource not in known:
            raise no_such_resource()
        needs_name = asked.verb in ("get", "update", "patch", "delete")
        if kind.namespaced and not asked.namespace and (needs_name or asked.verb == "create"):
            raise no_such_resource() if kind.custom else not_allowed()
        served = asked.verb in kind.verbs and not (asked.subresource and asked.verb == "delete")
        if not served or needs_name is not bool(asked.name):
            raise not_allowed()
        return kind

    async def answer(self, request: web.BaseRequest, kind: Kind, asked: Asked) -> web.Response:
        """Do what is asked."""
        return await self._verbs[asked.verb](request, kind, asked)

    async def _get(self, request: web.BaseRequest, kind: Kind, asked: Asked) -> web.Response:
        obj = self._cluster.reading.get(kind, _key(asked))
        if answers.wants_table(request.headers.get("Accept", "")):
            meta = {"resourceVersion": obj["metadata"]["resourceVersion"]}
            return answers.answer(table(kind, [obj], include=_include(request)) | {"metadata": meta})
        return answers.answer(kind.shown(obj))

    async def _list(self, request: web.BaseRequest, kind: Kind, asked: Asked) -> web.Response:
        wanted = options.list_options(kind, request.query)
        page = self._cluster.reading.page(kind, asked.namespace, wanted)
        if answers.wants_table(request.headers.get("Accept", "")):
            return answers.answer(answers.listed_as_table(kind, page, _include(request)))
        return answers.answer(answers.listed(kind, page))

    async def _create(self, request: web.BaseRequest, kind: Kind, asked: Asked) -> web.Response:
        wanted = options.write_options(asked, request.query, _user_agent(request))
        body = await _body(request, [bodies.JSON, "application/yaml"])
        return _written(self._cluster.writing.create(kind, asked.namespace, body, wanted))

    async def _update(self, request: web.BaseRequest, kind: Kind, asked: Asked) -> web.Response:
        wanted = options.write_options(asked, request.query, _user_agent(request))
        body = await _body(request, [bodies.JSON, "application/yaml"])
        if kind.custom and not dig(body, "metadata", "resourceVersion"):
            self._cluster.reading.get(kind, _key(asked))
            rule = "Invalid value: 0: must be specified for an update"
            raise invalid(kind, asked.name, [Cause("FieldValueInvalid", "metadata.resourceVersion", rule)])
        return _written(self._cluster.writing.update(kind, _key(asked), lambda _: body, wanted))

    async def _patch(self, request: web.BaseRequest, kind: Kind, asked: Asked) -> web.Response:
        wanted = options.write_options(asked, request.query, _user_agent(request))
        patch = await _body(request, bodies.patch_types(kind))
        if _content_type(request) == bodies.APPLY:
            options.check_manager(request.query)
            return _written(self._cluster.writing.apply(kind, _key(asked), patch, wanted))
        change = bodies.patching(patch, _content_type(request), kind)
        return _written(self._cluster.writing.update(kind, _key(asked), change, wanted))

    async def _delete(self, request: web.BaseRequest, kind: Kind, asked: Asked) -> web.Response:
        wanted = options.delete_options(await _optional_body(request), request.query)
        obj, gone = self._cluster.deletion.delete(kind, _key(asked), wanted)
        return answers.answer(answers.gone(kind, obj) if gone else kind.shown(obj))

    async def _delete_collection(self, request: web.BaseRequest, kind: Kind, asked: Asked) -> web.Response:
        which = options.list_options(kind, request.query)
        wanted = options.delete_options(await _optional_body(request), request.query)
        page = self._cluster.reading.page(kind, asked.namespace, which)
        for obj in page.items:
            key = Key(obj["metadata"].get("namespace", ""), obj["metadata"]["name"])
            self._cluster.deletion.delete(kind, key, wanted)
        return answers.answer(answers.listed(kind, page))


def _key(asked: Asked) -> Key:
    return Key(asked.namespace, asked.name)


def _include(request: web.BaseRequest) -> str:
    return request.query.get("includeObject", "Metadata")


def _user_agent(request: web.BaseRequest) -> str:
    return request.headers.get("User-Agent", "")


def _content_type(request: web.BaseRequest) -> str:
    return request.headers.get("Content-Type", "").partition(";")[0].strip()


async def _body(request: web.BaseRequest, accepted: list[str]) -> Json:
    return bodies.parsed(await request.content.read(), request.headers.get("Content-Type", ""), accepted)


async def _optional_body(request: web.BaseRequest) -> Json:
    raw = await request.content.read()
    if not raw:
        return {}
    body = bodies.parsed(raw, request.headers.get("Content-Type", ""), [bodies.JSON, "application/yaml"])
    if not isinstance(body, dict):
        raise bad_request("delete options are an object")
    return body


def _written(written: Written) -> web.Response:
    status = HTTPStatus.CREATED if written.created else HTTPStatus.OK
    return answers.answer(written.obj, status=status, warnings=written.warnings)
