"""Every write that keeps an object: create, update, patch and apply are one pipeline with different beginnings."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from . import crds, managed, metadata, validation
from .applying import applied
from .builtin import CRD_KIND, NAMESPACE_KIND
from .catalog import Catalog
from .decoding import decoded, namespace_for
from .deletion import Deletion
from .errors import (
    already_exists,
    bad_request,
    conflict,
    forbidden,
    invalid,
    not_found,
    precondition_failed,
    undeclared,
)
from .kinds import Kind
from .managed import Manager
from .schemas import defaulted, unknown_fields
from .store import Key, Store
from .values import Json, Object


WHOLE = "*"
"""In place of a subresource: write everything, status and all. Only from inside the process."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteOptions:
    """What a client may say about a write, apart from the object."""

    manager: str = "unknown"
    subresource: str = ""
    field_validation: str = "Warn"
    dry_run: bool = False
    force: bool = False


@dataclass(frozen=True, slots=True)
class Written:
    """What a write has to say."""

    obj: Object
    warnings: tuple[str, ...] = ()
    created: bool = False


class Writing:
    """Puts objects into the store by the rules of the API."""

    def __init__(self, store: Store, catalog: Catalog, deletion: Deletion) -> None:
        self._store = store
        self._catalog = catalog
        self._deletion = deletion

    def create(self, kind: Kind, namespace: str, body: Object, options: WriteOptions) -> Written:
        obj, warnings = decoded(body, kind, options.field_validation)
        return replace(self._create(kind, namespace, obj, options), warnings=warnings)

    def update(self, kind: Kind, key: Key, change: Callable[[Object], Object], options: WriteOptions) -> Written:
        """Replace an object by what *change* makes of it."""
        old = self._existing(kind, key)
        changed, warnings = decoded(change(old), kind, options.field_validation)
        _check_identity(kind, key, old, changed)
        new = defaulted(_restricted(old, changed, kind, options.subresource), kind.schema)
        new = metadata.continued(new, old, kind)
        manager = Manager(options.manager, "Update", kind.api_version, _told(options))
        new = _with_managed(new, managed.after_update(old, new, kind, manager))
        return Written(self._keep(kind, key, old, new, options), warnings)

    def apply(self, kind: Kind, key: Key, body: Json, options: WriteOptions) -> Written:
        """Server-side apply."""
        unknown = list(unknown_fields(body, kind.schema))
        if unknown:
            raise undeclared(kind, unknown)
        config, warnings = decoded(body, kind, options.field_validation)
        wrong = [c for c in validation.causes(config, kind.schema) if c.reason == "FieldValueTypeInvalid"]
        if wrong:
            raise bad_request(f"failed to create typed patch object: {wrong[0]}")
        if config["metadata"].get("managedFields"):
            raise bad_request("metadata.managedFields must be nil")
        manager = Manager(options.manager, "Apply", kind.api_version, _told(options))
        config["metadata"].setdefault("name", key.name)
        _check_place(kind, key, config)
        kept = self._store.get(kind.place, key)
        if kept is None and not options.subresource:
            if config["metadata"].get("resourceVersion"):
                raise conflict(kind, key.name)
            new = applied(None, config, kind, manager, force=True)
            return replace(self._create(kind, key.namespace, new, options), warnings=warnings)
        old = self._existing(kind, key)
        _check_identity(kind, key, old, config)
        merged = applied(old, config, kind, manager, force=options.force)
        new = metadata.continued(_restricted(old, merged, kind, options.subresource), old, kind)
        return Written(self._keep(kind, key, old, new, options), warnings)

    def _existing(self, kind: Kind, key: Key) -> Object:
        obj = self._store.get(kind.place, key)
        if obj is None:
            raise not_found(kind, key.name)
        return kind.shown(obj)

    def _create(self, kind: Kind, namespace: str, obj: Object, options: WriteOptions) -> Written:
        namespace = namespace_for(kind, obj, namespace)
        self._check_namespace(namespace)
        entries = obj["metadata"].get("managedFields")
        if kind.custom and kind.has_status and options.subresource != WHOLE:
            obj = {name: value for name, value in obj.items() if name != "status"}
        new = metadata.begun(obj, kind)
        if namespace:
            new["metadata"]["namespace"] = namespace
        new = defaulted(new, kind.schema)
        self._check(kind, new, None)
        new = kind.begin(new) if options.subresource != WHOLE else {**kind.begin(new), **new}
        if entries is None:
            manager = Manager(options.manager, "Update", kind.api_version)
            entries = managed.after_update(None, new, kind, manager)
        new = _with_managed(new, entries)
        key = Key(namespace, new["metadata"]["name"])
        if self._store.get(kind.place, key):
            raise already_exists(kind, key.name)
        return Written(self._keep(kind, key, None, new, options, checked=True), created=True)

    def _check_namespace(self, namespace: str) -> None:
        if not namespace:
            return
        found = self._store.get(NAMESPACE_KIND.place, Key("", namespace))
        if found is None:
            raise not_found(NAMESPACE_KIND, namespace)
        if found["metadata"].get("deletionTimestamp"):
            raise forbidden(f"unable to create new content in namespace {namespace} because it is being terminated")

    def _check(self, kind: Kind, new: Object, old: Object | None) -> None:
        causes = [*metadata.causes(new, old), *validation.causes(new, kind.schema)]
        if not causes:
            causes = list(kind.check(kind.to_kept(new), kind.to_kept(old) if old else None))
        if kind.place == CRD_KIND.place and not causes:
            causes = list(crds.causes(new))
        if causes:
            raise invalid(kind, new["metadata"].get("name", ""), causes)

    def _keep(
        self, kind: Kind, key: Key, old: Object | None, new: Object, options: WriteOptions, *, checked: bool = False
    ) -> Object:
        if not checked:
            self._check(kind, new, old)
        if kind.place == CRD_KIND.place:
            new = crds.established(new)
        if new == old or options.dry_run or self._deletion.let_go(kind.place, key, kind.to_kept(new)):
            return new
        kept = self._store.put(kind.place, key, kind.to_kept(new))
        if kind.place == CRD_KIND.place:
            kinds = crds.kinds_of(kept)
            self._catalog.replace(kinds[0].place, kinds)
        return kind.shown(kept)


def _told(options: WriteOptions) -> str:
    return "" if options.subresource == WHOLE else options.subresource


def _with_managed(obj: Object, entries: list[Object]) -> Object:
    meta = {key: value for key, value in obj["metadata"].items() if key != "managedFields"}
    return {**obj, "metadata": {**meta, "managedFields": entries} if entries else meta}


def _check_place(kind: Kind, key: Key, obj: Object) -> None:
    name = obj["metadata"].get("name", "")
    if name != key.name:
        raise bad_request(f"the name of the object ({name}) does not match the name on the URL ({key.name})")
    namespace_for(kind, obj, key.namespace)


def _check_identity(kind: Kind, key: Key, old: Object, new: Object) -> None:
    _check_place(kind, key, new)
    meta = new["metadata"]
    if meta.get("uid", old["metadata"]["uid"]) != old["metadata"]["uid"]:
        raise precondition_failed(kind, key.name, "UID", meta["uid"], old["metadata"]["uid"])
    if meta.get("resourceVersion") and meta["resourceVersion"] != old["metadata"]["resourceVersion"]:
        raise conflict(kind, key.name)


def _restricted(old: Object, new: Object, kind: Kind, subresource: str) -> Object:
    """*new*, with *old* in place of what a writer through this (sub)resource does not reach."""
    if subresource == WHOLE or not kind.has_status:
        return new
    if subresource == "status":
        if not kind.custom:
            return _taking("spec", old, new)
        entries = new["metadata"].get("managedFields")
        meta = old["metadata"] if entries is None else {**old["metadata"], "managedFields": entries}
        return {**_taking("status", new, old), "metadata": meta}
    return _taking("status", old, new)


def _taking(field: str, source: Object, obj: Object) -> Object:
    rest = {key: value for key, value in obj.items() if key != field}
    return {**rest, field: source[field]} if field in source else rest
