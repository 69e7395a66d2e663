"""`managedFields`: who said what. The bookkeeping of ordinary writes; `applying` builds server-side apply on it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from .fields import Fields, Path, as_tree, from_tree, values_by_field
from .kinds import Kind
from .values import Json, Object, dig, now


_SYSTEM = frozenset(
    {("f:apiVersion",), ("f:kind",), ("f:metadata",)}
    | {
        ("f:metadata", f"f:{name}")
        for name in (
            "name",
            "namespace",
            "uid",
            "resourceVersion",
            "generation",
            "creationTimestamp",
            "deletionTimestamp",
            "deletionGracePeriodSeconds",
            "selfLink",
            "managedFields",
        )
    }
)


@dataclass(frozen=True, slots=True)
class Manager:
    """One entry of `managedFields`, apart from its fields."""

    name: str
    operation: str
    api_version: str
    subresource: str = ""
    time: str = ""

    def is_same(self, other: Manager) -> bool:
        return replace(self, time="") == replace(other, time="")


@dataclass(frozen=True, slots=True)
class Managed:
    """All entries of one object."""

    entries: tuple[tuple[Manager, Fields], ...] = ()

    def fields_of(self, manager: Manager) -> Fields:
        return next((fields for found, fields in self.entries if found.is_same(manager)), frozenset())

    def others(self, manager: Manager) -> list[tuple[Manager, Fields]]:
        return [(found, fields) for found, fields in self.entries if not found.is_same(manager)]

    def with_fields(self, manager: Manager, fields: Fields, *, taken: Fields, changed: bool) -> Managed:
        """*manager* has just these fields, and nobody else has any of *taken*."""
        old = next((found for found, _ in self.entries if found.is_same(manager)), None)
        same = old is not None and not changed and self.fields_of(manager) == fields
        mine = replace(manager, time=old.time if old and same else now())
        entries = [(found, theirs - taken) for found, theirs in self.others(manager)] + [(mine, fields)]
        kept = [entry for entry in entries if entry[1]]
        return Managed(tuple(sorted(kept, key=lambda e: (e[0].operation, e[0].time, e[0].name, e[0].subresource))))

    def as_list(self) -> list[Object]:
        return [
            {
                "manager": manager.name,
                "operation": manager.operation,
                "apiVersion": manager.api_version,
                "time": manager.time,
                "fieldsType": "FieldsV1",
                "fieldsV1": as_tree(fields),
            }
            | ({"subresource": manager.subresource} if manager.subresource else {})
            for manager, fields in self.entries
        ]


def managed_of(obj: Object) -> Managed:
    """What an object says about who manages its fields."""
    return Managed(
        tuple(
            (
                Manager(
                    name=entry.get("manager", ""),
                    operation=entry.get("operation", "Update"),
                    api_version=entry.get("apiVersion", ""),
                    subresource=entry.get("subresource", ""),
                    time=entry.get("time", ""),
                ),
                frozenset(from_tree(entry.get("fieldsV1") or {})),
            )
            for entry in dig(obj, "metadata", "managedFields") or ()
            if entry
        )
    )


def own_fields(obj: Object, kind: Kind, subresource: str) -> dict[Path, Json]:
    """The fields of an object that writers through this (sub)resource may own, with their values."""
    return {path: value for path, value in values_by_field(obj, kind.schema) if is_ownable(path, kind, subresource)}


def is_ownable(path: Path, kind: Kind, subresource: str) -> bool:
    """Whether a writer through this (sub)resource may own the field."""
    if path[:2] in _SYSTEM or path in _SYSTEM:
        return False
    if kind.has_status and path[0] == "f:status":
        return subresource == "status"
    return not (subresource == "status" and kind.custom)


def after_update(old: Object | None, new: Object, kind: Kind, manager: Manager) -> list[Object]:
    """`managedFields` after an ordinary write: what changed is the writer's now."""
    managed = managed_of(new if "managedFields" in new["metadata"] else old or new)
    before = own_fields(old, kind, manager.subresource) if old else {}
    after = own_fields(new, kind, manager.subresource)
    changed = frozenset(path for path, value in after.items() if path not in before or before[path] != value)
    gone = frozenset(before.keys() - after.keys())
    if not changed and not gone:
        return managed.as_list()
    mine = (managed.fields_of(manager) | changed) - gone
    return managed.with_fields(manager, mine, taken=_modified(changed, before) | gone, changed=True).as_list()


def _modified(changed: Iterable[Path], before: dict[Path, Json]) -> Fields:
    return frozenset(path for path in changed if path in before)
