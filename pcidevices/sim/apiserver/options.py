"""From queries, headers and bodies to options."""

from __future__ import annotations

import json

from collections.abc import Mapping, Sequence
from math import inf

from . import validation
from .decoding import parameter
from .deletion import DeleteOptions
from .errors import Cause, bad_request, invalid_options
from .kinds import Kind
from .reading import ListOptions, version_of
from .selectors import Selector, field_selector, label_selector
from .urls import Asked, is_true
from .values import Json, Object, dig
from .watching import WatchOptions
from .writing import WriteOptions


Query = Mapping[str, str]


_STRING: Object = {"type": "string", "nullable": True}
_DELETE_OPTIONS: Object = {
    "type": "object",
    "properties": {
        "dryRun": {"type": "array", "nullable": True, "items": {"type": "string"}},
        "preconditions": {
            "type": "object",
            "nullable": True,
            "properties": {"uid": _STRING, "resourceVersion": _STRING},
        },
        "propagationPolicy": _STRING,
    },
}


def selector(kind: Kind, query: Query) -> Selector:
    """Everything that restricts a list or a watch, but its namespace."""
    labels = label_selector(query.get("labelSelector", ""))
    return labels & field_selector(query.get("fieldSelector", ""), kind)


def list_options(kind: Kind, query: Query) -> ListOptions:
    """The options of a list."""
    _check_initial_events(query, watch=False)
    return ListOptions(
        selector=selector(kind, query),
        limit=_number(query, "limit"),
        token=query.get("continue", ""),
        version=query.get("resourceVersion", ""),
        exact=query.get("resourceVersionMatch") == "Exact",
    )


def watch_options(kind: Kind, asked: Asked, query: Query, *, bookmark_every: float) -> WatchOptions:
    """The options of a watch."""
    _check_initial_events(query, watch=True)
    initial = is_true(query, "sendInitialEvents")
    bookmarks = is_true(query, "allowWatchBookmarks")
    return WatchOptions(
        selector=selector(kind, query),
        namespace=asked.namespace,
        since=0 if initial else version_of(query.get("resourceVersion", "")),
        initial_end=initial and bookmarks,
        bookmark_every=bookmark_every if bookmarks else inf,
        timeout=_number(query, "timeoutSeconds") or inf,
    )


def _check_initial_events(query: Query, *, watch: bool) -> None:
    said, match = "sendInitialEvents" in query, query.get("resourceVersionMatch", "")
    if said and not watch:
        cause = Cause("FieldValueForbidden", "sendInitialEvents", "Forbidden: sendInitialEvents is forbidden for list")
    elif said and match != "NotOlderThan":
        rule = "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan"
        cause = Cause("FieldValueForbidden", "resourceVersionMatch", f"Forbidden: {rule}")
    elif watch and match and not said:
        rule = "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided"
        cause = Cause("FieldValueForbidden", "resourceVersionMatch", f"Forbidden: {rule}")
    else:
        return
    raise invalid_options("ListOptions", cause)


def write_options(asked: Asked, query: Query, user_agent: str) -> WriteOptions:
    """The options of a create, an update or a patch."""
    _check_dry_run("CreateOptions", [query.get("dryRun", "All")])
    return WriteOptions(
        manager=query.get("fieldManager") or user_agent.partition("/")[0] or "unknown",
        subresource=asked.subresource,
        field_validation=parameter(
            "fieldValidation", query.get("fieldValidation") or "Warn", ("Ignore", "Warn", "Strict")
        ),
        dry_run="dryRun" in query,
        force=is_true(query, "force"),
    )


def delete_options(body: Json, query: Query) -> DeleteOptions:
    """The options of a deletion, which come in its body or its query."""
    wrong = next(validation.causes(body, _DELETE_OPTIONS), None)
    if wrong:
        raise bad_request(f"json: cannot unmarshal {wrong}")
    dry_run = [query["dryRun"]] if "dryRun" in query else dig(body, "dryRun") or []
    _check_dry_run("DeleteOptions", dry_run)
    policy = query.get("propagationPolicy") or dig(body, "propagationPolicy")
    return DeleteOptions(
        uid=dig(body, "preconditions", "uid") or "",
        version=dig(body, "preconditions", "resourceVersion") or "",
        orphan=policy == "Orphan" or dig(body, "orphanDependents") is True,
        dry_run=bool(dry_run),
    )


def check_manager(query: Query) -> None:
    """Server-side apply wants to know whose configuration it is."""
    if not query.get("fieldManager"):
        cause = Cause("FieldValueRequired", "fieldManager", "Required value: is required for apply patch")
        raise invalid_options("PatchOptions", cause)


def _check_dry_run(where: str, said: Sequence[str]) -> None:
    if any(value != "All" for value in said):
        rule = f'Unsupported value: {json.dumps(list(said))}: supported values: "All"'
        raise invalid_options(where, Cause("FieldValueNotSupported", "dryRun", rule))


def _number(query: Query, name: str) -> int:
    text = query.get(name) or "0"
    if not text.isascii() or not text.isdigit():
        raise bad_request(f"{name}: Invalid value: {text!r}: must be a number that is not negative")
    return int(text)
