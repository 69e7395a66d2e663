"""
Strategic merge patch, for built-in kinds: a merge patch that knows which lists are maps by a key.

Simple on purpose: the merge keys stand in our own small schemas (``x-kubernetes-patch-merge-key``). A list without one
is replaced, as the real API server does for a list without a patch strategy.
"""

from __future__ import annotations

from .errors import bad_request
from .schemas import member
from .values import Json, Object, clone


_DELETE_FROM = "$deleteFromPrimitiveList/"
_ORDER = "$setElementOrder/"


def strategically_merged(target: Json, patch: Json, schema: Object) -> Json:
    """*target* after a strategic merge patch."""
    if not isinstance(patch, dict):
        return clone(patch)
    if patch.get("$patch") == "replace":
        return {key: clone(value) for key, value in patch.items() if key != "$patch"}
    if patch.get("$patch") == "delete":
        return {}
    result = dict(target) if isinstance(target, dict) else {}
    kept = patch.get("$retainKeys")
    if kept is not None:
        result = {key: value for key, value in result.items() if key in kept}
    for key, value in patch.items():
        if key.startswith(_DELETE_FROM):
            name = key.removeprefix(_DELETE_FROM)
            result[name] = [item for item in result.get(name) or [] if item not in value]
        elif value is None:
            result.pop(key, None)
        elif not key.startswith("$"):
            result[key] = _field(result.get(key), value, member(schema, key) or {})
    return _ordered(result, patch, schema)


def _field(target: Json, patch: Json, schema: Object) -> Json:
    if not isinstance(patch, list) or schema.get("x-kubernetes-patch-strategy") != "merge":
        return strategically_merged(target, patch, schema)
    key = schema.get("x-kubernetes-patch-merge-key")
    found = list(target or [])
    if key is None:
        return found + [item for item in patch if item not in found]
    if not all(isinstance(item, dict) for item in (*found, *patch)):
        raise bad_request("a list that is merged by a key is of objects")
    if any(item.get("$patch") == "replace" for item in patch):
        return [clone(item) for item in patch if "$patch" not in item]
    for item in patch:
        _merge_item(found, item, key, schema.get("items", {}))
    return found


def _merge_item(found: list[Json], item: Object, key: str, schema: Object) -> None:
    at = next((i for i, old in enumerate(found) if old.get(key) == item.get(key)), None)
    if item.get("$patch") == "delete":
        if at is not None:
            del found[at]
    elif at is None:
        found.append(strategically_merged({}, item, schema))
    else:
        found[at] = strategically_merged(found[at], item, schema)


def _ordered(result: Object, patch: Object, schema: Object) -> Object:
    """Items that the patch puts in an order stand in it; the others keep their places behind them."""
    for directive, order in patch.items():
        name = directive.removeprefix(_ORDER)
        if name != directive and name in result:
            result[name] = _in_order(result[name], order, member(schema, name) or {})
    return result


def _in_order(items: list[Json], order: list[Json], schema: Object) -> list[Json]:
    key = schema.get("x-kubernetes-patch-merge-key")
    marks = [item.get(key) if key and isinstance(item, dict) else item for item in order]

    def rank(item: Json) -> int:
        mark = item.get(key) if key and isinstance(item, dict) else item
        return marks.index(mark) if mark in marks else len(marks)

    return sorted(items, key=rank)
