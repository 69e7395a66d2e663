"""A kind of object that the server knows, whether built in or posted as a CRD."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from .values import Json, Object


if TYPE_CHECKING:
    from .errors import Cause


VERBS = ("create", "delete", "deletecollection", "get", "list", "patch", "update", "watch")
PRESERVE = "x-kubernetes-preserve-unknown-fields"


class Resource(NamedTuple):
    """Where objects are kept. The versions of a kind share one place."""

    group: str
    plural: str


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a Table, and how its cell is made of an object."""

    name: str
    cell: Callable[[Object], Json]
    type: str = "string"
    priority: int = 0
    format: str = ""
    description: str = ""

    def definition(self) -> Object:
        return {
            "name": self.name,
            "type": self.type,
            "format": self.format,
            "description": self.description,
            "priority": self.priority,
        }


def unchanged(obj: Object) -> Object:
    """What a kind does to its objects unless it says otherwise: nothing."""
    return obj


def same_path(path: str) -> str:
    """Where a selectable field is kept unless a kind says otherwise: where it is shown."""
    return path


def nothing_wrong(new: Object, old: Object | None) -> Iterator[Cause]:  # noqa: ARG001 - one of many
    """What a kind finds wrong with its objects, beyond its schema, unless it says otherwise."""
    yield from ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One served version of one kind."""

    group: str
    version: str
    plural: str
    singular: str
    kind: str
    namespaced: bool
    schema: Object = field(repr=False)
    short_names: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    columns: tuple[Column, ...] = field(default=(), repr=False)
    selectable: tuple[str, ...] = ()
    """Paths, without the leading dot, that field selectors may name besides name and namespace."""
    has_status: bool = True
    """Whether ``/status`` is served, and the main path keeps its hands off the status."""
    custom: bool = False
    verbs: tuple[str, ...] = VERBS
    counts_generations: bool = True
    begin: Callable[[Object], Object] = unchanged
    """What a new object gets of the server, whoever posts it."""
    kept_as: Resource | None = None
    """Where the objects are kept, if they are another kind's too."""
    to_kept: Callable[[Object], Object] = unchanged
    from_kept: Callable[[Object], Object] = unchanged
    kept_path: Callable[[str], str] = same_path
    """Where a selectable field is in an object as it is kept."""
    check: Callable[[Object, Object | None], Iterator[Cause]] = nothing_wrong
    """What is wrong with an object, as it would be kept, and as it was before; beyond what the schema says."""

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def resource(self) -> str:
        return f"{self.plural}.{self.group}" if self.group else self.plural

    @property
    def place(self) -> Resource:
        return self.kept_as or Resource(self.group, self.plural)

    @property
    def list_kind(self) -> str:
        return f"{self.kind}List"

    def shown(self, obj: Object) -> Object:
        """A kept object as this version of its kind shows it."""
        if obj.get("apiVersion") == self.api_version:
            return obj
        return {**self.from_kept(obj), "apiVersion": self.api_version, "kind": self.kind}
