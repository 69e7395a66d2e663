"""A watch over HTTP: one JSON line per event, until its time is up, its client goes, or a fault cuts it."""

from __future__ import annotations

from contextlib import aclosing

import msgspec

from aiohttp import web
from anyio import CancelScope

from .faults import Cut, Faults
from .kinds import Kind
from .tables import table
from .values import Object
from .watching import Watch


_HALF_A_LINE = b'{"type":"MODIFIED","object":{"metadata":{"na'


class Stream:
    """An open watch."""

    def __init__(self, request: web.BaseRequest, watch: Watch, faults: Faults) -> None:
        self._request = request
        self._watch = watch
        self._faults = faults
        self._scope = CancelScope()
        self._cut: Cut | None = None

    def cut(self, how: Cut) -> None:
        self._cut = how
        self._scope.cancel()

    async def answer(self) -> web.StreamResponse:
        """Send events until the end."""
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        response.enable_chunked_encoding()
        await response.prepare(self._request)
        self._faults.opened(self)
        try:
            with self._scope:
                await self._send(response)
        finally:
            self._faults.closed(self)
        transport = self._request.transport
        if transport and self._cut == "drop":
            transport.abort()
        elif transport and self._cut == "mid-line":
            await response.write(_HALF_A_LINE)
            transport.close()
        return response

    async def _send(self, response: web.StreamResponse) -> None:
        async with aclosing(self._watch.batches()) as batches:
            async for events in batches:
                if events:
                    await response.write(b"".join(msgspec.json.encode(event) + b"\n" for event in events))


class TableRows:
    """Shows each object of a watch as a Table of one row; only the first one names the columns."""

    def __init__(self, kind: Kind, include: str) -> None:
        self._kind = kind
        self._include = include
        self._headed = True

    def __call__(self, obj: Object) -> Object:
        shown = table(self._kind, [obj], include=self._include, headed=self._headed)
        self._headed = False
        return shown | {"metadata": {"resourceVersion": obj["metadata"]["resourceVersion"]}}
