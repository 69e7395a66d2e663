"""An HTTP server that answers as a test tells it: for what an API server in good order never does."""

from __future__ import annotations

import contextlib
import json
import ssl

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web


Answer = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


@dataclass
class ScriptedApi:
    """Gives one answer after the other; the last one again and again."""

    answers: list[Answer]
    asked: list[web.BaseRequest] = field(default_factory=list)
    bodies: list[Any] = field(default_factory=list)
    """What was sent, as JSON; None where nothing was."""

    @contextlib.asynccontextmanager
    async def serving(self, tls: ssl.SSLContext | None = None) -> AsyncIterator[str]:
        """Listen on any port; yield the URL."""
        runner = web.ServerRunner(
            web.Server(self._answer, handler_cancellation=True, access_log=None), shutdown_timeout=0.2
        )
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls).start()
        try:
            yield f"{'https' if tls else 'http'}://127.0.0.1:{runner.addresses[0][1]}"
        finally:
            await runner.cleanup()

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        text = await request.text()
        self.asked.append(request)
        self.bodies.append(json.loads(text) if text else None)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return await answer(request)

    def queries(self) -> list[dict[str, str]]:
        """The queries of all requests so far."""
        return [dict(request.query) for request in self.asked]


def says(body: Any, *, status: int = 200, **headers: str) -> Answer:
    """An answer with this body: text or bytes as they are, anything else as JSON."""
    raw = body.encode() if isinstance(body, str) else body if isinstance(body, bytes) else json.dumps(body).encode()

    async def answer(_: web.BaseRequest) -> web.StreamResponse:
        return web.Response(
            body=raw,
            status=status,
            headers={"Content-Type": "application/json", **{k.replace("_", "-"): v for k, v in headers.items()}},
        )

    return answer


def streams(*chunks: bytes, then: Callable[[], Awaitable[None]] | None = None, drop: bool = False) -> Answer:
    """An answer in chunks; then waits, and ends in good order or with its connection."""

    async def answer(request: web.BaseRequest) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        response.enable_chunked_encoding()
        await response.prepare(request)
        for chunk in chunks:
            await response.write(chunk)
        if then:
            await then()
        if drop and request.transport:
            request.transport.abort()
        return response

    return answer


def a_status(code: int, message: str = "", reason: str = "") -> dict[str, Any]:
    """A Status, as API servers answer where there is nothing else to say."""
    return {
        "kind": "Status",
        "apiVersion": "v1",
        "status": "Failure",
        "code": code,
        "message": message,
        "reason": reason,
    }


def an_object(name: str, version: int, **more: Any) -> dict[str, Any]:
    return {"metadata": {"name": name, "resourceVersion": str(version)}, **more}


def a_list(*items: dict[str, Any], version: int, token: str = "") -> dict[str, Any]:
    return {"metadata": {"resourceVersion": str(version), "continue": token}, "items": list(items)}


def an_event(kind: str, obj: Any) -> bytes:
    """A line of a watch."""
    return json.dumps({"type": kind, "object": obj}).encode() + b"\n"
