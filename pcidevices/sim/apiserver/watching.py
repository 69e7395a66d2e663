"""Watches: the history of a kind, read as it is written, seen through a selector."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Iterator
from dataclasses import dataclass
from math import inf

from anyio import current_time, move_on_after

from .errors import ApiError
from .faults import Faults
from .kinds import Kind
from .selectors import Selector
from .store import Change, Store
from .values import Object


INITIAL_END = {"k8s.io/initial-events-end": "true"}
Shape = Callable[[Object], Object]


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchOptions:
    """What a client may say about a watch."""

    selector: Selector
    namespace: str = ""
    since: int = 0
    """0: the objects there are come first, as ADDED."""
    initial_end: bool = False
    """Whether a bookmark marks the end of the objects there were."""
    bookmark_every: float = inf
    timeout: float = inf


class Watch:
    """The events of one watch, many at a time."""

    def __init__(self, store: Store, faults: Faults, kind: Kind, options: WatchOptions, *, shape: Shape) -> None:
        self._store = store
        self._faults = faults
        self._kind = kind
        self._options = options
        self._shape = shape
        self._seen = options.since

    async def batches(self) -> AsyncGenerator[list[Object], None]:
        """Events as soon as they are known, until the time is up; an ERROR event is the last."""
        deadline = current_time() + self._options.timeout
        await self._faults.wait_to_speak()
        try:
            yield self._begin()
        except ApiError as error:
            yield [error_event(error)]
            return
        due = current_time() + self._options.bookmark_every
        while current_time() < deadline:
            changed = self._store.changed
            events = self._news()
            if not events and current_time() < due:
                with move_on_after(min(due, deadline) - current_time()):
                    await changed.wait()
                continue
            if current_time() >= due:
                due = current_time() + self._options.bookmark_every
                events.append(self._bookmark())
            await self._faults.wait_to_speak()
            yield events
            if events[0]["type"] == "ERROR":
                return

    def _begin(self) -> list[Object]:
        if self._seen:
            self._store.check_known(self._seen)
            return []
        self._seen = self._store.version
        objects = self._store.objects(self._kind.place, self._options.namespace)
        events = [self._event("ADDED", obj) for _, obj in objects if self._options.selector(obj)]
        return [*events, self._bookmark(INITIAL_END)] if self._options.initial_end else events

    def _news(self) -> list[Object]:
        if self._seen == self._store.version:
            return []
        since, self._seen = self._seen, self._store.version
        try:
            changes = self._store.changes(self._kind.place, since)
        except ApiError as error:
            return [error_event(error)]
        return [event for change in changes for event in self._events(change)]

    def _events(self, change: Change) -> Iterator[Object]:
        """What a change is to someone who sees only what is selected."""
        if self._options.namespace not in ("", change.key.namespace):
            return
        selector = self._options.selector
        was = change.before is not None and selector(change.before)
        is_ = change.type != "DELETED" and selector(change.after)
        if is_:
            yield self._event("MODIFIED" if was else "ADDED", change.after)
        elif was:
            last = change.after if change.type == "DELETED" else change.before or {}
            meta = {**last["metadata"], "resourceVersion": str(change.version)}
            yield self._event("DELETED", {**last, "metadata": meta})

    def _event(self, type_: str, obj: Object) -> Object:
        return {"type": type_, "object": self._shape(obj)}

    def _bookmark(self, annotations: Object | None = None) -> Object:
        meta: Object = {"creationTimestamp": None, "resourceVersion": str(self._seen)}
        if annotations:
            meta["annotations"] = annotations
        obj = {"kind": self._kind.kind, "apiVersion": self._kind.api_version, "metadata": meta}
        return self._event("BOOKMARK", obj)


def error_event(error: ApiError) -> Object:
    """An error in a watch that has begun."""
    return {"type": "ERROR", "object": error.as_status()}
