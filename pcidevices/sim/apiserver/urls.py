"""From method, path and query to what is asked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple


_VERBS = {"POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}
_OF_NAMESPACES = ("status", "finalize")


class Answered(NamedTuple):
    """A request that was answered, in the words of an audit log."""

    verb: str
    resource: str
    subresource: str
    code: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A request for objects."""

    group: str
    version: str
    plural: str
    namespace: str
    name: str
    subresource: str
    verb: str


def asked(method: str, path: str, query: Mapping[str, str]) -> Asked | None:
    """What a request wants of which objects; None where the path is not one of objects."""
    match path.strip("/").split("/"):
        case ["api", version, *rest] if rest:
            group = ""
        case ["apis", group, version, *rest] if rest:
            pass
        case _:
            return None
    namespace = ""
    if rest[0] == "namespaces" and len(rest) > 2 and rest[2] not in _OF_NAMESPACES:  # noqa: PLR2004 - a third part
        namespace, rest = rest[1], rest[2:]
    plural, name, subresource, *more = (*rest, "", "", "")
    if any(more):
        return None
    return Asked(
        group=group,
        version=version,
        plural=plural,
        namespace=namespace,
        name=name,
        subresource=subresource,
        verb=_verb(method, name, query),
    )


def _verb(method: str, name: str, query: Mapping[str, str]) -> str:
    if method == "GET":
        if name:
            return "get"
        return "watch" if is_true(query, "watch") else "list"
    if method == "DELETE" and not name:
        return "deletecollection"
    return _VERBS.get(method, method.lower())


def is_true(query: Mapping[str, str], name: str) -> bool:
    """Booleans of the API: everything but ``false`` and ``0``."""
    return name in query and query[name].lower() not in ("false", "0")
