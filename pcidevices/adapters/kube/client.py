"""Requests to the API server: bounded in time and rate, with errors of our own."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import msgspec
import structlog

from anyio import Lock, current_time, move_on_after

from pcidevices import metrics
from pcidevices.errors import ConfigError, Throttled, Unauthorized, Unavailable
from pcidevices.runtime.tokenbucket import TokenBucket

from .connection import Connection
from .credentials import Credentials
from .narrow import ConfigException, Configuration
from .translate import error_of, translated


log = structlog.get_logger()

MERGE_PATCH = "application/merge-patch+json"
JSON = "application/json"

Query = Sequence[tuple[str, str]]

_CONNECT = 10.0
_LONGEST_LINE = 32 << 20
_RELOAD_AT_MOST_EVERY = 5.0


class KubeClient:
    """
    One connection pool to one API server.

    Every request but a watch takes a token from the bucket, and none lasts longer than *longest*
    seconds. When the server no longer knows us, the credentials are read again and the request is
    sent once more: projected tokens, exec plug-ins and client certificates rotate.
    """

    def __init__(
        self,
        configuration: Configuration,
        credentials: Credentials,
        *,
        bucket: TokenBucket,
        user_agent: str,
        longest: float,
    ) -> None:
        self._configuration = configuration
        self._credentials = credentials
        self._bucket = bucket
        self._user_agent = user_agent
        self._timeout = aiohttp.ClientTimeout(total=longest, sock_connect=_CONNECT)
        self._connection = Connection(configuration)
        # The one before stays open for what is under way on it.
        self._retired: Connection | None = None
        self._reloading = Lock()
        self._reloaded_at = float("-inf")

    @classmethod
    @asynccontextmanager
    async def connected(
        cls, credentials: Credentials, *, bucket: TokenBucket, user_agent: str, longest: float = 30.0
    ) -> AsyncIterator[KubeClient]:
        """
        A client for the length of the ``async with`` block. Connects with the first request.

        Raises:
            ConfigError: the credentials cannot be used.
        """
        client = cls(await credentials.load(), credentials, bucket=bucket, user_agent=user_agent, longest=longest)
        try:
            yield client
        finally:
            with move_on_after(1, shield=True):
                await client._close()

    @property
    def server(self) -> str:
        """The address of the API server, for a person."""
        return str(self._configuration.host)

    async def request(
        self,
        method: str,
        path: str,
        *,
        query: Query = (),
        body: Mapping[str, Any] | None = None,
        content_type: str = JSON,
    ) -> bytes:
        """
        Send one request; return the body of its answer.

        Raises:
            ClusterError: which one says why there is no such answer.
        """
        await self._bucket.take()
        try:
            try:
                return await self._once(method, path, query=query, body=body, content_type=content_type)
            except Unauthorized:
                await self._reload()
                return await self._once(method, path, query=query, body=body, content_type=content_type)
        except Throttled as error:
            self._bucket.pause(error.retry_after)
            raise
        except Unavailable as error:
            await self._reload_if_untrusted(error)
            raise

    async def lines(self, path: str, *, query: Query, silence: float) -> AsyncIterator[bytes]:
        """
        Yield the whole lines of an answer that goes on until the server ends it.

        The first line is empty, and comes as soon as the server has agreed to send any. A line that is
        cut off is dropped: it never was sent. A stream that stays silent for *silence* seconds is taken
        for dead.

        Raises:
            ClusterError: there is no such stream, or it broke.
        """
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=_CONNECT, sock_read=silence)
        what = f"WATCH {path}"
        try:
            with translated(what):
                response = await self._send("GET", path, query=query, timeout=timeout)
        except Unavailable as error:
            await self._reload_if_untrusted(error)
            raise
        try:
            if response.status != 200:  # noqa: PLR2004  HTTP
                with translated(what):
                    body = await response.read()
                if response.status == 401:  # noqa: PLR2004  HTTP
                    await self._reload()
                raise error_of(response.status, body, what=what, retry_after=response.headers.get("Retry-After"))
            yield b""  # the server has answered
            part = b""
            chunks = response.content.iter_any()
            while True:
                with translated(what):
                    chunk = await anext(chunks, None)
                if chunk is None:
                    return
                *whole, part = (part + chunk).split(b"\n")
                for line in whole:
                    yield line
                if len(part) > _LONGEST_LINE:
                    raise Unavailable(f"{what}: a line of more than {_LONGEST_LINE >> 20} MiB")
        finally:
            response.close()

    async def _once(
        self, method: str, path: str, *, query: Query, body: Mapping[str, Any] | None, content_type: str
    ) -> bytes:
        what = f"{method} {path}"
        with translated(what):
            response = await self._send(
                method, path, query=query, timeout=self._timeout, body=body, content_type=content_type
            )
            async with response:
                answer: bytes = await response.read()
        if not 200 <= response.status < 300:  # noqa: PLR2004  HTTP
            raise error_of(response.status, answer, what=what, retry_after=response.headers.get("Retry-After"))
        return answer

    async def _send(
        self,
        method: str,
        path: str,
        *,
        query: Query,
        timeout: aiohttp.ClientTimeout,  # noqa: ASYNC109  aiohttp's
        body: Mapping[str, Any] | None = None,
        content_type: str = JSON,
    ) -> aiohttp.ClientResponse:
        headers = {"Accept": JSON, "Content-Type": content_type, "User-Agent": self._user_agent}
        try:
            token = await self._configuration.get_api_key_with_prefix("BearerToken")
        except ConfigException as error:  # the file of a projected token, just now being replaced
            raise Unauthorized(f"{self.server}: {error}") from error
        if token:
            headers["Authorization"] = token
        verb, code, begun = "WATCH" if ("watch", "true") in query else method, "none", current_time()
        try:
            response = await self._connection.request(
                method,
                path,
                params=list(query),
                headers=headers,
                data=None if body is None else msgspec.json.encode(body),
                timeout=timeout,
            )
            code = str(response.status)
        finally:
            metrics.API_REQUESTS.labels(verb, code).inc()
            metrics.API_SECONDS.labels(verb).observe(current_time() - begun)
        return response

    async def _close(self) -> None:
        for connection in (self._retired, self._connection):
            if connection is not None:
                await connection.close()

    async def _reload_if_untrusted(self, error: Unavailable) -> None:
        if isinstance(error.__cause__, aiohttp.ClientSSLError):
            await self._reload()  # perhaps the cluster's authority was replaced

    async def _reload(self) -> None:
        """Read the credentials again, once for all who were turned away at the same time."""
        async with self._reloading:
            if current_time() - self._reloaded_at < _RELOAD_AT_MOST_EVERY:
                return
            self._reloaded_at = current_time()
            try:
                fresh = await self._credentials.load()
                replacement = Connection(fresh)
            except ConfigError as error:  # being replaced just now; they were good once
                raise Unauthorized(f"{self.server} does not know us, and the credentials are unreadable") from error
            log.info("credentials.reloaded", server=self.server)
            # Files are replaced under the same path, so what they say is not compared.
            retired, self._retired, self._connection = self._retired, self._connection, replacement
            self._configuration = fresh
            if retired is not None:
                await retired.close()
