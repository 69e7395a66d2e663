"""A client that knows nothing: raw HTTP to whichever API server is tried."""

from __future__ import annotations

import base64
import json
import ssl

from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import anyio

from aiohttp import ClientSession, TCPConnector


if TYPE_CHECKING:
    from collections.abc import AsyncIterator


Object = dict[str, Any]

MERGE = "application/merge-patch+json"
JSON_PATCH = "application/json-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"
APPLY = "application/apply-patch+yaml"
TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"
PATIENCE = 20.0

GROUP = "contract.example.com"
WIDGETS = f"/apis/{GROUP}/v1/widgets"


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    body: Any
    content_type: str = ""
    warnings: tuple[str, ...] = ()

    def __getitem__(self, key: str) -> Any:
        return self.body[key]

    @property
    def version(self) -> str:
        return str(self.body["metadata"]["resourceVersion"])

    @property
    def causes(self) -> set[tuple[str, str]]:
        """Field and reason of everything that is said to be wrong."""
        return {(cause["field"], cause["reason"]) for cause in self.body["details"]["causes"]}


class Watched:
    """The events of one watch."""

    def __init__(self, lines: AsyncIterator[bytes]) -> None:
        self._lines = lines

    async def next(self) -> Object:
        with anyio.fail_after(PATIENCE):
            event: Object = json.loads(await anext(self._lines))
            return event

    async def rest(self) -> list[Object]:
        """All events until the server ends the watch."""
        with anyio.fail_after(PATIENCE):
            return [json.loads(line) async for line in self._lines]


class Api:
    """One API server, and a namespace of this test's own."""

    def __init__(self, session: ClientSession, url: str, kubeconfig: str, namespace: str) -> None:
        self._session = session
        self.url = url
        self.kubeconfig = kubeconfig
        self.namespace = namespace
        self.configmaps = f"/api/v1/namespaces/{namespace}/configmaps"

    async def get(self, path: str, accept: str = "application/json", **query: str) -> Answer:
        return await self._ask("GET", path, query, headers={"Accept": accept})

    async def post(self, path: str, body: Any, content_type: str = "application/json", **query: str) -> Answer:
        return await self._ask("POST", path, query, _bytes(body), {"Content-Type": content_type})

    async def put(self, path: str, body: Any, **query: str) -> Answer:
        return await self._ask("PUT", path, query, _bytes(body), {"Content-Type": "application/json"})

    async def patch(self, path: str, body: Any, content_type: str = MERGE, **query: str) -> Answer:
        return await self._ask("PATCH", path, query, _bytes(body), {"Content-Type": content_type})

    async def apply(self, path: str, body: Any, manager: str, **query: str) -> Answer:
        return await self.patch(path, body, APPLY, fieldManager=manager, **query)

    async def delete(self, path: str, body: Any = None, **query: str) -> Answer:
        raw = b"" if body is None else _bytes(body)
        return await self._ask("DELETE", path, query, raw, {"Content-Type": "application/json"})

    @asynccontextmanager
    async def watch(self, path: str, accept: str = "application/json", **query: str) -> AsyncIterator[Watched]:
        """Watch; `timeoutSeconds` is short unless given, so that `rest` ends."""
        params = {"watch": "true", "timeoutSeconds": "20"} | query
        async with self._session.get(self.url + path, params=params, headers={"Accept": accept}) as response:
            assert response.status == 200, await response.text()
            yield Watched(aiter(response.content))

    async def create_widget(self, name: str, spec: Object | None = None, **metadata: Any) -> Answer:
        """A widget that is right in every way."""
        answer = await self.post(WIDGETS, widget(name, spec, **metadata))
        assert answer.status == 201, answer.body
        return answer

    async def _ask(
        self, method: str, path: str, query: dict[str, str], body: bytes = b"", headers: dict[str, str] | None = None
    ) -> Answer:
        asked = self._session.request(method, self.url + path, params=query, data=body or None, headers=headers)
        with anyio.fail_after(PATIENCE):
            async with asked as response:
                raw = await response.read()
                json_like = raw.startswith(b"{")
                return Answer(
                    response.status,
                    json.loads(raw) if json_like else raw,
                    response.headers.get("Content-Type", ""),
                    tuple(response.headers.getall("Warning", ())),
                )


def _bytes(body: Any) -> bytes:
    return body if isinstance(body, bytes) else json.dumps(body).encode()


def widget(name: str, spec: Object | None = None, **metadata: Any) -> Object:
    """A widget as a client would send it."""
    return {
        "apiVersion": f"{GROUP}/v1",
        "kind": "Widget",
        "metadata": {"name": name, **metadata},
        "spec": {"node": "n1", **(spec or {})},
    }


def configmap(name: str, **values: str) -> Object:
    """A config map as a client would send it."""
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": values}


@asynccontextmanager
async def connected(kubeconfig: Object) -> AsyncIterator[tuple[ClientSession, str]]:
    """A session for the cluster and the user of a kubeconfig, and the server's address."""
    cluster = kubeconfig["clusters"][0]["cluster"]
    user = kubeconfig["users"][0]["user"]
    headers = {"Authorization": f"Bearer {user['token']}"} if "token" in user else {}
    trusting = TCPConnector(ssl=_trusting(cluster)) if cluster["server"].startswith("https") else None
    async with ClientSession(headers=headers | {"User-Agent": "contract/1"}, connector=trusting) as session:
        yield session, cluster["server"]


def _trusting(cluster: Object) -> ssl.SSLContext:
    if "certificate-authority-data" in cluster:
        return ssl.create_default_context(cadata=base64.b64decode(cluster["certificate-authority-data"]).decode())
    return ssl.create_default_context(cafile=cluster["certificate-authority"])
