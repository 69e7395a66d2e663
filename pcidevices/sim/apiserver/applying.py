"""
Server-side apply: the configuration is merged in, and fields its manager no longer names go.

Good enough for kubectl: lists with ``x-kubernetes-list-type: map`` or ``set`` merge, other lists are one value, a field
that somebody else set otherwise is a conflict unless forced.
"""

from __future__ import annotations

from .errors import Cause, field_conflict
from .fields import ANYTHING, CONTAINER, Fields, Path, applied_fields, item_step
from .kinds import Kind
from .managed import Managed, Manager, is_ownable, managed_of, own_fields
from .schemas import defaulted, member
from .values import Json, Object, clone


def applied(live: Object | None, config: Object, kind: Kind, manager: Manager, *, force: bool) -> Object:
    """The object after *config* was applied to it, with its `managedFields`."""
    mine = frozenset(p for p in applied_fields(config, kind.schema) if is_ownable(p, kind, manager.subresource))
    managed = managed_of(live or {})
    before = own_fields(live, kind, manager.subresource) if live else {}
    result = _merged(live or {}, config, kind.schema)
    after = own_fields(result, kind, manager.subresource)
    changed = frozenset(path for path, value in after.items() if path not in before or before[path] != value)
    if live and not force:
        _check_conflicts(managed, manager, changed)
    abandoned = _abandoned(managed, manager, mine)
    result = _without(result, kind.schema, abandoned)
    result = defaulted(result, kind.schema)
    entries = managed.with_fields(manager, mine, taken=changed | abandoned, changed=bool(changed | abandoned)).as_list()
    return {**result, "metadata": {**result["metadata"], "managedFields": entries}}


def _check_conflicts(managed: Managed, manager: Manager, changed: Fields) -> None:
    causes = []
    for other, fields in managed.others(manager):
        says = f"conflict with {_described(other)}"
        causes += [Cause("FieldManagerConflict", _dotted(path), says) for path in sorted(fields & changed)]
    if len(causes) == 1:
        raise field_conflict(f"Apply failed with 1 conflict: {causes[0].message}: {causes[0].field}", causes)
    if causes:
        listed = "\n".join(f"- {cause.message}: {cause.field}" for cause in causes)
        raise field_conflict(f"Apply failed with {len(causes)} conflicts:\n{listed}", causes)


def _described(manager: Manager) -> str:
    said = f'"{manager.name}"'
    if manager.subresource:
        said += f' with subresource "{manager.subresource}"'
    return said if manager.operation == "Apply" else f"{said} using {manager.api_version} at {manager.time}"


def _dotted(path: Path) -> str:
    text = ""
    for step in path:
        sort, rest = step[:2], step[2:]
        if sort == "f:":
            text += f".{rest}"
        elif sort == "v:":
            text += f"[={rest}]"
        else:
            text += "[" + rest.strip("{}").replace('":', "=").replace('"', "", 1).replace(',"', ",") + "]"
    return text


def _abandoned(managed: Managed, manager: Manager, mine: Fields) -> Fields:
    """What this manager applied before, does not any more, and nobody else wants."""
    others = frozenset[Path]().union(*(fields for _, fields in managed.others(manager)))
    dropped = managed.fields_of(manager) - mine - others
    return frozenset(p for p in dropped if not any(o[: len(p)] == p for o in others | mine))


def _merged(live: Json, config: Json, schema: Object) -> Json:
    if isinstance(config, dict) and isinstance(live, dict) and schema.get("x-kubernetes-map-type") != "atomic":
        changed = {
            key: _merged(live[key], value, member(schema, key) or ANYTHING) if key in live else clone(value)
            for key, value in config.items()
        }
        return {**live, **changed}
    if isinstance(config, list) and isinstance(live, list) and schema.get("x-kubernetes-list-type") in ("map", "set"):
        return _merged_list(live, config, schema)
    return clone(config)


def _merged_list(live: list[Json], config: list[Json], schema: Object) -> list[Json]:
    items = {item_step(item, schema): item for item in live}
    for item in config:
        step = item_step(item, schema)
        known = step in items
        items[step] = _merged(items[step], item, schema.get("items", ANYTHING)) if known else clone(item)
    return list(items.values())


def _without(value: Json, schema: Object, gone: Fields, path: Path = ()) -> Json:
    """*value* without these fields, and without the objects and lists that this leaves empty."""
    if not any(field[: len(path)] == path for field in gone):
        return value
    if isinstance(value, dict):
        kept: Json = {}
        for key, item in value.items():
            where = (*path, f"f:{key}")
            left = CONTAINER if where in gone else _without(item, member(schema, key) or ANYTHING, gone, where)
            if left is not CONTAINER:
                kept[key] = left
    elif isinstance(value, list):
        steps = [((*path, item_step(item, schema) or ""), item) for item in value]
        inner = schema.get("items", ANYTHING)
        left_items = [_without(item, inner, gone, where) for where, item in steps if where not in gone]
        kept = [item for item in left_items if item is not CONTAINER]
    else:
        return value
    return kept if kept or not path else CONTAINER
