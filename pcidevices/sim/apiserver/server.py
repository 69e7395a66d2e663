"""The embedded API server."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from http import HTTPStatus

from aiohttp import web
from anyio import CancelScope

from . import options
from .answers import no_such_page, refused, wants_table
from .cluster import Cluster
from .endpoints import Endpoints
from .errors import ApiError
from .faults import Faults
from .guard import check_loopback, refusal
from .inside import Inside
from .kinds import Kind
from .pages import page
from .streaming import Stream, TableRows
from .urls import Answered, Asked, asked
from .values import Object
from .watching import Watch


_PATIENCE = 0.2
"""How long requests may take that are under way when the server stops."""


class ApiServer(Inside):
    """
    Enough of a Kubernetes API server for kubectl, for the demo and for tests.

    Its state is in memory and outlives `serving`; the same server can be served again.
    """

    def __init__(self, crds: Iterable[Object] = (), *, bookmark_every: float = 60.0) -> None:
        super().__init__(Cluster(crds))
        self.requests: Counter[Answered] = Counter()
        """What was asked and how it was answered; watches count when they begin."""
        self.faults = Faults(self.cluster.store)
        self.url = ""
        self._bookmark_every = bookmark_every
        self._endpoints = Endpoints(self.cluster)
        self._runner: web.ServerRunner | None = None
        self._address = ("", 0)

    @asynccontextmanager
    async def serving(self, host: str = "127.0.0.1", port: int = 0) -> AsyncIterator[str]:
        """Listen, and yield the URL; port 0 is any that is free."""
        check_loopback(host)
        self._address = (host, port)
        await self.resume()
        try:
            yield self.url
        finally:
            with CancelScope(shield=True):
                await self.pause()

    async def pause(self) -> None:
        """Stop listening and close all connections; what is kept stays."""
        self.faults.cut_watches("end")
        runner, self._runner = self._runner, None
        if runner:
            await runner.cleanup()

    async def resume(self) -> None:
        """Listen again, on the same port."""
        host, port = self._address
        server = web.Server(self._answer, handler_cancellation=True, access_log=None)
        self._runner = web.ServerRunner(server, shutdown_timeout=_PATIENCE)
        await self._runner.setup()
        await web.TCPSite(self._runner, host, port).start()
        port = self._runner.addresses[0][1]
        self._address = (host, port)
        self.url = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"

    def kubeconfig(self) -> Object:
        """A kubeconfig for the served URL. Nobody authenticates: over plain http kubectl sends no token."""
        name = "embedded"
        return {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": name, "cluster": {"server": self.url}}],
            "users": [{"name": name, "user": {}}],
            "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
            "current-context": name,
        }

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        wanted = asked(request.method, request.path, request.query)
        try:
            response = await self._answer_or_raise(request, wanted)
        except ApiError as error:
            response = refused(error)
        if isinstance(response, Stream):
            self._count(wanted, request, HTTPStatus.OK)
            return await response.answer()
        self._count(wanted, request, response.status)
        return response

    async def _answer_or_raise(self, request: web.BaseRequest, wanted: Asked | None) -> web.Response | Stream:
        error = refusal(request.headers)
        if error:
            raise error
        found = page(self.cluster.catalog, request)
        if found or wanted is None:
            return found or no_such_page()
        fault = self.faults.refusal(wanted)
        if fault:
            return refused(fault[0], retry_after=fault[1])
        kind = self._endpoints.kind_of(wanted)
        if wanted.verb == "watch":
            return self._stream(request, kind, wanted)
        return await self._endpoints.answer(request, kind, wanted)

    def _stream(self, request: web.BaseRequest, kind: Kind, wanted: Asked) -> Stream:
        how = options.watch_options(kind, wanted, request.query, bookmark_every=self._bookmark_every)
        as_table = wants_table(request.headers.get("Accept", ""))
        shape = TableRows(kind, request.query.get("includeObject", "Metadata")) if as_table else kind.shown
        watch = Watch(self.cluster.store, self.faults, kind, how, shape=shape)
        return Stream(request, watch, self.faults)

    def _count(self, wanted: Asked | None, request: web.BaseRequest, status: int) -> None:
        if wanted is None:
            self.requests[Answered(request.method.lower(), "", "", status)] += 1
        else:
            self.requests[Answered(wanted.verb, wanted.plural, wanted.subresource, status)] += 1
