"""A list on the API server, one page after another."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Annotated

import msgspec

from .client import KubeClient
from .translate import understood


PAGE = 500


class _Metadata(msgspec.Struct, rename="camel"):
    resource_version: Annotated[str, msgspec.Meta(min_length=1)]
    continue_: str = msgspec.field(default="", name="continue")


class Page(msgspec.Struct):
    """
    Some of the objects, and where the next ones are.

    Every list has a version and items, null where there are none (a nil slice in Go). What has not is no list, and
    least of all an empty one: something between us and the server may have spoken.
    """

    metadata: _Metadata
    items: list[msgspec.Raw] | None


async def pages(
    client: KubeClient, path: str, *, selection: Sequence[tuple[str, str]] = (), size: int = PAGE
) -> AsyncIterator[Page]:
    """
    All pages, each of at most *size* objects; all are of the same moment.

    Raises:
        ClusterError: which one says why there is no next page; `Expired` when it took too long to ask for it.
    """
    token = ""
    while True:
        query = [*selection, ("limit", str(size)), *([("continue", token)] if token else [])]
        body = await client.request("GET", path, query=query)
        with understood(f"LIST {path}"):
            page = msgspec.json.decode(body, type=Page)
        yield page
        token = page.metadata.continue_
        if not token:
            return
