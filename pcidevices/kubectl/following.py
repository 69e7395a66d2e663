"""See claims change, until a moment that was set."""

from __future__ import annotations

import time

from collections.abc import Collection, Iterator
from typing import NamedTuple

import msgspec

from pcidevices.errors import KubectlFailed

from .objects import CLAIMS, Claim, Metadata, whatever
from .transport import Event, Kubectl


_EXPIRED, _PAUSE = 410, 0.5


class Turn(NamedTuple):
    """A claim as it is now; None when it is gone."""

    name: str
    claim: Claim | None


class _Named(msgspec.Struct):
    metadata: Metadata | None = None
    code: int = 0


def turns(kubectl: Kubectl, names: Collection[str], *, timeout: float) -> Iterator[Turn]:
    """
    Each of these claims as it is, and then each of its changes, until *timeout* seconds have passed.

    A watch that the server ends is taken up with a new list: what is told may be told twice, and nothing is missed.
    """
    deadline = time.monotonic() + timeout
    query = {"fieldSelector": f"metadata.name={next(iter(names))}"} if len(names) == 1 else {}
    while True:
        there: dict[str, Claim] = {}
        version = ""
        for items, version in kubectl.pages(CLAIMS, query):  # noqa: B007  the last one's
            there |= {claim.name: claim for raw in items if (claim := whatever(raw)).name in names}
        yield from (Turn(name, there.get(name)) for name in names)
        left = deadline - time.monotonic()
        if left <= 0:
            return
        since = {**query, "resourceVersion": version, "allowWatchBookmarks": "true"}
        with kubectl.watch(CLAIMS, since, timeout=left) as events:
            yield from _turns(events, names)
        time.sleep(max(0.0, min(_PAUSE, deadline - time.monotonic())))


def _turns(events: Iterator[Event], names: Collection[str]) -> Iterator[Turn]:
    for event in events:
        told = msgspec.json.decode(event.object, type=_Named)
        if event.type == "ERROR":
            if told.code == _EXPIRED:
                return
            raise KubectlFailed((bytes(event.object).decode(errors="replace"),), status=1)
        if event.type == "BOOKMARK" or told.metadata is None or told.metadata.name not in names:
            continue
        yield Turn(told.metadata.name, None if event.type == "DELETED" else whatever(event.object))
