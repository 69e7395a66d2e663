"""
How objects go: finalizers, what namespaces and definitions hold, and what an owner leaves behind.

A real cluster does the last two in controllers, a moment later; here they are done when the answer is given.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from . import metadata
from .builtin import CRD_KIND, NAMESPACE_KIND
from .catalog import Catalog
from .errors import not_found, precondition_failed
from .kinds import Kind, Resource
from .store import Key, Store, owners_of
from .values import Object, dig


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteOptions:
    """What a client may say about a deletion."""

    uid: str = ""
    version: str = ""
    orphan: bool = False
    dry_run: bool = False


class Deletion:
    """Removes objects, and what goes with them."""

    def __init__(self, store: Store, catalog: Catalog) -> None:
        self._store = store
        self._catalog = catalog

    def delete(self, kind: Kind, key: Key, options: DeleteOptions) -> tuple[Object, bool]:
        """Returns the object as it was left, and whether it is gone."""
        obj = self._store.get(kind.place, key)
        if obj is None:
            raise not_found(kind, key.name)
        _check_preconditions(kind, obj, options)
        if options.dry_run:
            held = obj["metadata"].get("finalizers")
            return (metadata.deleting(obj) if held else obj), not held
        if options.orphan:
            self._orphan(obj)
        return self._start(kind.place, key, obj)

    def let_go(self, place: Resource, key: Key, last: Object) -> bool:
        """Remove an object that is about to be *last*, if it is being deleted and nothing holds it any more."""
        if not last["metadata"].get("deletionTimestamp") or last["metadata"].get("finalizers"):
            return False
        if next(self._contents(place, key, last), None):
            return False
        self._removed(place, key, self._store.remove(place, key, last))
        return True

    def _settle(self, place: Resource, key: Key) -> bool:
        obj = self._store.get(place, key)
        return obj is None or self.let_go(place, key, obj)

    def _start(self, place: Resource, key: Key, obj: Object) -> tuple[Object, bool]:
        """Mark an object as going, ask what it holds to go, and let it go if nothing keeps it."""
        contents = list(self._contents(place, key, obj))
        if obj["metadata"].get("finalizers") or contents:
            obj = self._marked(place, key, obj)
        else:
            self._removed(place, key, self._store.remove(place, key))
            return obj, True
        for inner_place, inner_key in contents:
            inner = self._store.get(inner_place, inner_key)
            if inner:
                self._start(inner_place, inner_key, inner)
        return self._store.get(place, key) or obj, self._settle(place, key)

    def _marked(self, place: Resource, key: Key, obj: Object) -> Object:
        if obj["metadata"].get("deletionTimestamp"):
            return obj
        marked = metadata.deleting(obj)
        if place == NAMESPACE_KIND.place:
            marked["status"] = {**(marked.get("status") or {}), "phase": "Terminating"}
        return self._store.put(place, key, marked)

    def _contents(self, place: Resource, key: Key, obj: Object) -> Iterator[tuple[Resource, Key]]:
        """What must be gone before this object can go."""
        if place == NAMESPACE_KIND.place:
            for inner_place, inner_key, _ in self._store.everything():
                if inner_key.namespace == key.name:
                    yield inner_place, inner_key
        elif place == CRD_KIND.place:
            defined = _defined_by(obj)
            for inner_key, _ in self._store.objects(defined):
                yield defined, inner_key

    def _removed(self, place: Resource, key: Key, obj: Object) -> None:
        """What follows from an object having gone."""
        if place == CRD_KIND.place:
            self._catalog.replace(_defined_by(obj), ())
        for place_, key_, dependent in self._store.owned_by(obj["metadata"]["uid"]):
            if not self._other_owners(dependent, obj):
                self._start(place_, key_, dependent)
        if key.namespace:
            self._settle(NAMESPACE_KIND.place, Key("", key.namespace))
        self._settle(CRD_KIND.place, Key("", f"{place.plural}.{place.group}"))

    def _other_owners(self, dependent: Object, gone: Object) -> bool:
        others = set(owners_of(dependent)) - {gone["metadata"]["uid"]}
        return any(obj["metadata"]["uid"] in others for _, _, obj in self._store.everything()) if others else False

    def _orphan(self, owner: Object) -> None:
        uid = owner["metadata"]["uid"]
        for place, key, obj in self._store.owned_by(uid):
            references = [r for r in obj["metadata"]["ownerReferences"] if r["uid"] != uid]
            meta = {k: v for k, v in obj["metadata"].items() if k != "ownerReferences"}
            if references:
                meta["ownerReferences"] = references
            self._store.put(place, key, {**obj, "metadata": meta})


def _defined_by(crd: Object) -> Resource:
    return Resource(crd["spec"]["group"], crd["spec"]["names"]["plural"])


def _check_preconditions(kind: Kind, obj: Object, options: DeleteOptions) -> None:
    for what, wanted, field in (("UID", options.uid, "uid"), ("ResourceVersion", options.version, "resourceVersion")):
        found = dig(obj, "metadata", field)
        if wanted and wanted != found:
            raise precondition_failed(kind, obj["metadata"]["name"], what, wanted, found)
