"""
The objects and their history: what etcd and the watch cache are to a cluster.

Stored objects are never changed, only replaced: whoever gets one may keep it. A watch does not have a queue of its own;
it remembers the version it has seen, waits for `changed`, and reads the history from there.
"""

from __future__ import annotations

import time

from collections import defaultdict, deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, NamedTuple

from anyio import Event

from .errors import expired
from .kinds import Resource
from .values import Object, dig


HISTORY = 4096


class Key(NamedTuple):
    """The name of an object among those of its kind; sorts as lists do."""

    namespace: str
    name: str


@dataclass(frozen=True, slots=True)
class Change:
    """One write: the object before and after it; after a removal, as it was last seen."""

    version: int
    type: Literal["ADDED", "MODIFIED", "DELETED"]
    key: Key
    after: Object
    before: Object | None


class Store:
    """Objects by kind, one version counter for all, and the last few thousand changes of each kind."""

    def __init__(self, history: int = HISTORY) -> None:
        # From the clock, so that a version from before a restart is older than all history.
        self.version = time.time_ns() // 1_000_000
        self.changed = Event()
        self._objects: dict[Resource, dict[Key, Object]] = defaultdict(dict)
        self._history: dict[Resource, deque[Change]] = defaultdict(lambda: deque(maxlen=history))
        self._begun = self._horizon = self.version
        self._forgotten: dict[Resource, int] = {}
        self._owned: dict[str, set[tuple[Resource, Key]]] = defaultdict(set)

    def get(self, resource: Resource, key: Key) -> Object | None:
        return self._objects[resource].get(key)

    def objects(self, resource: Resource, namespace: str = "") -> list[tuple[Key, Object]]:
        """All objects of a kind, in the order of their names."""
        items = sorted(self._objects[resource].items())
        return [item for item in items if not namespace or item[0].namespace == namespace]

    def owned_by(self, uid: str) -> list[tuple[Resource, Key, Object]]:
        """The objects that name this one as an owner."""
        return [(resource, key, self._objects[resource][key]) for resource, key in sorted(self._owned[uid])]

    def everything(self) -> Iterator[tuple[Resource, Key, Object]]:
        for resource, objects in list(self._objects.items()):
            for key, obj in list(objects.items()):
                yield resource, key, obj

    def put(self, resource: Resource, key: Key, obj: Object) -> Object:
        """Store *obj* under the next version, and return it with that version."""
        before = self._objects[resource].get(key)
        after = self._stamped(obj)
        self._objects[resource][key] = after
        self._note_owners(resource, key, before, after)
        self._record(resource, Change(self.version, "MODIFIED" if before else "ADDED", key, after, before))
        return after

    def remove(self, resource: Resource, key: Key, last: Object | None = None) -> Object:
        """Forget an object; *last* is what watches shall see of it."""
        before = self._objects[resource].pop(key)
        after = self._stamped(last or before)
        self._note_owners(resource, key, before, None)
        self._record(resource, Change(self.version, "DELETED", key, after, before))
        return after

    def changes(self, resource: Resource, since: int) -> list[Change]:
        """What happened to a kind after version *since*; raises `ApiError` (410) where that is no longer known."""
        if since < self._forgotten.get(resource, self._begun):
            raise expired(f"too old resource version: {since} ({self._forgotten.get(resource, self._begun)})")
        newer: list[Change] = []
        for change in reversed(self._history[resource]):
            if change.version <= since:
                break
            newer.append(change)
        return newer[::-1]

    def objects_at(self, resource: Resource, version: int, namespace: str = "") -> list[tuple[Key, Object]]:
        """All objects as they were at an earlier version."""
        self.check_known(version)
        objects = dict(self._objects[resource])
        for change in reversed(self.changes(resource, version)):
            if change.before is None:
                del objects[change.key]
            else:
                objects[change.key] = change.before
        return [item for item in sorted(objects.items()) if not namespace or item[0].namespace == namespace]

    def check_known(self, since: int) -> None:
        """Raise `ApiError` (410) for a version that nobody may start from any more."""
        if since < self._horizon:
            raise expired(f"too old resource version: {since} ({self._horizon})")

    def expire(self) -> None:
        """From now on nobody can start from any version known so far; who watches already is not disturbed."""
        self.version += 1
        self._horizon = self.version

    def _note_owners(self, resource: Resource, key: Key, before: Object | None, after: Object | None) -> None:
        for uid in owners_of(before):
            self._owned[uid].discard((resource, key))
        for uid in owners_of(after):
            self._owned[uid].add((resource, key))

    def _stamped(self, obj: Object) -> Object:
        self.version += 1
        return {**obj, "metadata": {**obj["metadata"], "resourceVersion": str(self.version)}}

    def _record(self, resource: Resource, change: Change) -> None:
        history = self._history[resource]
        if len(history) == history.maxlen:
            self._forgotten[resource] = history[0].version
        history.append(change)
        self.changed.set()
        self.changed = Event()


def owners_of(obj: Object | None) -> list[str]:
    """The uids of an object's owners."""
    return [owner["uid"] for owner in dig(obj, "metadata", "ownerReferences") or ()]
