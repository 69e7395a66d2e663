"""All kinds that are served at the moment."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from .kinds import Kind, Resource


class Catalog:
    """The built-in kinds, and those of the CRDs posted so far."""

    def __init__(self, built_in: Iterable[Kind]) -> None:
        self._kinds = {(kind.group, kind.version, kind.plural): kind for kind in built_in}
        self.edition = 0
        """Changes with every change of what is served."""

    def __iter__(self) -> Iterator[Kind]:
        return iter(list(self._kinds.values()))

    def find(self, group: str, version: str, plural: str) -> Kind | None:
        return self._kinds.get((group, version, plural))

    def named(self, name: str) -> Kind:
        """A kind by its plural, or its plural and group: ``nodes``, ``widgets.example.com``."""
        plural, _, group = name.partition(".")
        for kind in self:
            if kind.plural == plural and kind.group == group:
                return kind
        raise LookupError(f"no kind {name!r} is served")

    def of_object(self, api_version: str, kind_name: str) -> Kind:
        """The kind that an object says it is."""
        for kind in self:
            if kind.api_version == api_version and kind.kind == kind_name:
                return kind
        raise LookupError(f"no kind {kind_name!r} is served in {api_version!r}")

    def replace(self, place: Resource, kinds: Iterable[Kind]) -> None:
        """Serve just these versions of what is kept in *place*."""
        self._kinds = {key: kind for key, kind in self._kinds.items() if kind.place != place}
        self._kinds |= {(kind.group, kind.version, kind.plural): kind for kind in kinds}
        self.edition += 1

    def groups(self) -> dict[str, dict[str, list[Kind]]]:
        """Kinds by group and version."""
        found: dict[str, dict[str, list[Kind]]] = {}
        for kind in self:
            found.setdefault(kind.group, {}).setdefault(kind.version, []).append(kind)
        return found
