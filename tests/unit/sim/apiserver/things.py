"""Objects of the server's own kind, and what a watch says of them."""

from __future__ import annotations

import json

from typing import TYPE_CHECKING, Any

import anyio


if TYPE_CHECKING:
    from aiohttp import ClientResponse


THINGS = "/apis/example.com/v1/things"


def thing(name: str, **more: Any) -> dict[str, Any]:
    return {"apiVersion": "example.com/v1", "kind": "Thing", "metadata": {"name": name}, **more}


async def event(watch: ClientResponse) -> dict[str, Any]:
    """The next line of a watch."""
    with anyio.fail_after(5):
        found: dict[str, Any] = json.loads(await watch.content.readline())
        return found
