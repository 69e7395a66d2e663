"""
A port where Kubernetes asks how the agent is, and Prometheus what it does.

Whoever can connect is answered, and nobody can do more than ask. A connection is good for one request and a few
seconds, and there are only so many: a newcomer takes the place of the oldest, so that no client can keep a probe out.
"""

from __future__ import annotations

import asyncio
import logging
import socket

from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import structlog

from aiohttp import hdrs, web
from aiohttp.web_protocol import RequestHandler
from anyio import CancelScope, CapacityLimiter, sleep_forever, to_thread

from pcidevices.domain.health import report
from pcidevices.errors import ConfigError
from pcidevices.metrics import exposition
from pcidevices.ports import Checks


log = structlog.get_logger()

MOST_CONNECTIONS = 32
LONGEST_CONNECTION = 10.0
"""Seconds; a kubelet waits for one, Prometheus for ten at the most."""
_BACKLOG = 64
_SHORT = 4096

# Who sends nonsense is told so; it is not worth a line of ours.
_SILENT = logging.getLogger("pcidevices.http")
_SILENT.disabled = True


class HttpServer:
    """Implements the port `Http` on a socket that listens already, but has nobody who answers before it runs."""

    def __init__(self, listening: socket.socket, *, longest: float = LONGEST_CONNECTION) -> None:
        self._listening = listening
        self._longest = longest
        self._newest: deque[RequestHandler] = deque()

    @property
    def address(self) -> str:
        """Where it listens, as HOST:PORT."""
        host, port, *_ = self._listening.getsockname()
        return _shown(host, port)

    async def run(self, *, alive: Checks, ready: Checks) -> None:
        try:
            await self._serve(_Answers(alive, ready))
        except Exception:  # the agent does its work all the same, and Kubernetes will notice
            log.exception("http.crashed")

    async def _serve(self, answers: _Answers) -> None:
        server = web.Server(
            answers.answer,
            access_log=None,
            logger=_SILENT,
            lingering_time=0,
            max_line_size=_SHORT,
            max_field_size=_SHORT,
        )
        loop = asyncio.get_running_loop()
        accepting = await loop.create_server(lambda: self._accepted(server(), loop), sock=self._listening)
        log.info("http.opened", address=self.address)
        try:
            await sleep_forever()
        finally:
            accepting.close()
            with CancelScope(shield=True):
                await server.shutdown(timeout=0)

    def _accepted(self, newcomer: RequestHandler, loop: asyncio.AbstractEventLoop) -> RequestHandler:
        self._newest.append(newcomer)
        if len(self._newest) > MOST_CONNECTIONS:
            _cut(self._newest.popleft())
        loop.call_later(self._longest, _cut, newcomer)
        return newcomer


class _Answers:
    def __init__(self, alive: Checks, ready: Checks) -> None:
        self._checks = {"/healthz": alive, "/readyz": ready}
        self._scrapes = CapacityLimiter(1)

    async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
        try:
            response = await self._answer(request)
        except Exception:
            log.exception("request.crashed", path=request.path)
            response = web.Response(status=500, text="a defect of pcidevices; its log says more\n")
        response.force_close()
        response.headers.update({hdrs.X_CONTENT_TYPE_OPTIONS: "nosniff", hdrs.SERVER: "pcidevices"})
        return response

    async def _answer(self, request: web.BaseRequest) -> web.Response:
        if request.method not in {hdrs.METH_GET, hdrs.METH_HEAD}:
            return web.Response(status=405, text="only GET and HEAD\n", headers={hdrs.ALLOW: "GET, HEAD"})
        if request.path == "/metrics":
            accept = request.headers.get(hdrs.ACCEPT, "")
            body, content_type = await to_thread.run_sync(exposition, accept, limiter=self._scrapes)
            return web.Response(body=body, headers={hdrs.CONTENT_TYPE: content_type})
        checks = self._checks.get(request.path)
        if checks is None:
            return web.Response(status=404, text="there are /healthz, /readyz and /metrics\n")
        passed, text = report(request.path.removeprefix("/"), checks())
        return web.Response(status=200 if passed else 503, text=text, headers={hdrs.CACHE_CONTROL: "no-store"})


@asynccontextmanager
async def bound(host: str, port: int, *, longest: float = LONGEST_CONNECTION) -> AsyncIterator[HttpServer]:
    """
    A server for the length of the block; on all addresses where *host* is empty. *longest* is in seconds.

    Raises:
        ConfigError: the address cannot be had.
    """
    try:
        listening = await to_thread.run_sync(_listening, host, port)
    except OSError as error:
        raise ConfigError(f"--http: cannot listen on {_shown(host, port)}: {error.strerror or error}") from error
    with listening:
        yield HttpServer(listening, longest=longest)


def _listening(host: str, port: int) -> socket.socket:
    if not host and socket.has_dualstack_ipv6():
        return socket.create_server((host, port), family=socket.AF_INET6, backlog=_BACKLOG, dualstack_ipv6=True)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family, backlog=_BACKLOG)


def _shown(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _cut(connection: RequestHandler) -> None:
    """End it now, also where the other side does not read."""
    if connection.transport is not None:
        connection.transport.abort()
