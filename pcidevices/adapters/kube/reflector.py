"""
List and watch one kind, as a stream of whole lists.

A state machine, as in kube-rs: `_Empty` → list → `_Watching` → watch → `_Watching`, one turn at a time.
What a cut stream had not told yet is told by the next, which goes on from the version last seen;
only when the server no longer has that version (410) is everything listed anew.
"""

from __future__ import annotations

import random

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Generic, TypeVar

import msgspec
import structlog

from anyio import current_time, sleep

from pcidevices import metrics
from pcidevices.errors import ClusterError, Expired, NotFound, Refused, Throttled
from pcidevices.ports import Listing
from pcidevices.runtime.backoff import Backoff
from pcidevices.runtime.pulse import Pulse

from .client import KubeClient, Query
from .pages import pages
from .translate import Status, error_of, understood


log = structlog.get_logger()

T = TypeVar("T")

_WATCH_SECONDS = (240, 480)
# Bookmarks come about once a minute (cacher.go, bookmarkFrequency); two missing ones are a dead stream.
_SILENCE = 130.0
_STUCK = 900.0
"""Seconds for one turn. A server may ask for five minutes of rest, and a request lasts half a minute at most."""
_SHORT_LIVED = 1.0
_BARREN = 2
_NO_KIND = "install the definitions: pcidevices crds | kubectl apply -f -"


@dataclass(frozen=True, slots=True)
class _Empty:
    """Nothing is known; list."""


@dataclass(frozen=True, slots=True)
class _Watching(Generic[T]):
    """Everything up to *version* is known; watch from there."""

    objects: Mapping[str, T]
    version: str

    @property
    def listing(self) -> Listing[T]:
        return Listing(tuple(self.objects.values()), version_number(self.version))


class _Meta(msgspec.Struct, rename="camel", frozen=True):
    name: str = ""
    resource_version: str = ""


class _Any(msgspec.Struct):
    metadata: _Meta = _Meta()


class _Event(msgspec.Struct):
    type: str
    object: msgspec.Raw


def version_number(version: str) -> int:
    """A resource version as a number: those of one kind can be compared (KEP-5504)."""
    return int(version) if version.isdecimal() else 0


@dataclass(kw_only=True)
class Reflector(Generic[T]):
    """
    Follows the objects below *path* that *selector* selects.

    *decode* makes a value of an object's JSON, or None of one that does not concern us. Where the API
    server is too old for *selector* (400), everything is listed and *decode* is left to choose.
    """

    client: KubeClient
    path: str
    selector: tuple[str, str]
    decode: Callable[[msgspec.Raw], T | None]
    backoff: Callable[[int], float] = field(default_factory=lambda: Backoff(0.5, 15.0))
    silence: float = _SILENCE
    pulse: Pulse = field(default_factory=Pulse)
    """Tells when there is neither an answer nor another try."""
    _failures: int = field(default=0, init=False)
    """Tries in a row of which nothing came."""
    _barren: int = field(default=0, init=False)
    """Streams in a row that were opened and broke without telling anything."""

    async def lists(self) -> AsyncIterator[Listing[T]]:
        """Yield the whole list, now and after every change; never ends, whatever the server does."""
        state: _Empty | _Watching[T] = _Empty()
        while True:
            self.pulse.expect("the next answer of the API server, or the next try", within=_STUCK)
            opened = False
            try:
                if isinstance(state, _Empty):
                    state = await self._list()
                    yield state.listing
                begun = current_time()
                async for told in self._watch(state):
                    opened = True
                    if told is state:
                        continue
                    if told.objects is not state.objects:
                        yield told.listing
                    state = told
                    self._failures = self._barren = 0
                self._count("Ended")
                if current_time() - begun < _SHORT_LIVED:
                    await self._pause()
            except ClusterError as error:
                self._barren += opened
                self._count(error.reason)
                state = await self._recover(error, state)

    async def _recover(self, error: ClusterError, state: _Empty | _Watching[T]) -> _Empty | _Watching[T]:
        """Wait as long as it takes; return from where to go on."""
        if isinstance(error, Expired):
            log.info("watch.expired", path=self.path, error=str(error))
            await self._pause()
            return _Empty()
        if isinstance(error, Refused) and self._drop_selector():
            log.info("selector.refused", path=self.path, error=str(error), consequence="listing everything")
            return state
        delay = max(self.backoff(self._failures), error.retry_after if isinstance(error, Throttled) else 0.0)
        self._failures += 1
        log.warning(
            "list.failed" if isinstance(state, _Empty) else "watch.failed",
            path=self.path,
            reason=error.reason,
            error=str(error),
            retry_in=round(delay, 1),
            **({"hint": _NO_KIND} if isinstance(error, NotFound) else {}),
        )
        await sleep(delay)
        if self._barren < _BARREN:
            return state
        # Nothing comes of this version any more: a restored server may have another history.
        self._barren = 0
        return _Empty()

    def _count(self, reason: str) -> None:
        metrics.WATCH_RESTARTS.labels(self.path.rpartition("/")[2], reason).inc()

    async def _pause(self) -> None:
        delay = self.backoff(self._failures)
        self._failures += 1
        await sleep(delay)

    async def _list(self) -> _Watching[T]:
        objects: dict[str, T] = {}
        version = ""
        async for page in pages(self.client, self.path, selection=self._selection):
            with understood(f"LIST {self.path}"):
                for raw in page.items or ():
                    objects = self._with(objects, raw)
            version = page.metadata.resource_version
        return _Watching(objects, version)

    async def _watch(self, state: _Watching[T]) -> AsyncIterator[_Watching[T]]:
        # Spread, so that the watches of a thousand nodes do not end together.
        seconds = random.randint(*_WATCH_SECONDS)  # noqa: S311  no secret
        query: Query = [
            *self._selection,
            ("watch", "true"),
            ("resourceVersion", state.version),
            ("allowWatchBookmarks", "true"),
            ("timeoutSeconds", str(seconds)),
        ]
        async for line in self.client.lines(self.path, query=query, silence=self.silence):
            self.pulse.expect("the next line of the watch", within=_STUCK)
            if line.strip():
                with understood(f"WATCH {self.path}"):
                    state = self._turn(state, msgspec.json.decode(line, type=_Event))
            yield state

    def _turn(self, state: _Watching[T], event: _Event) -> _Watching[T]:
        """One event's step from what was known to what is."""
        if event.type == "ERROR":
            told = msgspec.json.decode(event.object, type=Status)
            raise error_of(told.code, bytes(event.object), what=f"WATCH {self.path}")
        meta = msgspec.json.decode(event.object, type=_Any).metadata
        match event.type:
            case "ADDED" | "MODIFIED":
                return replace(
                    state,
                    objects=self._with(dict(state.objects), event.object),
                    version=meta.resource_version,
                )
            case "DELETED":
                left = {name: value for name, value in state.objects.items() if name != meta.name}
                return _Watching(left, meta.resource_version)
            case _:  # BOOKMARK, or something that is not known yet: a version and nothing else
                return replace(state, version=meta.resource_version or state.version)

    def _with(self, objects: dict[str, T], raw: msgspec.Raw) -> dict[str, T]:
        name = msgspec.json.decode(raw, type=_Any).metadata.name
        value = self.decode(raw)
        if value is None:
            objects.pop(name, None)
        else:
            objects[name] = value
        return objects

    @property
    def _selection(self) -> Sequence[tuple[str, str]]:
        return [self.selector] if self.selector[1] else []

    def _drop_selector(self) -> bool:
        kind, value = self.selector
        if kind != "fieldSelector" or not value or value.startswith("metadata."):
            return False
        self.selector = (kind, "")
        return True
