"""Lists: at which version, which part, and how the next part is asked for."""

from __future__ import annotations

import base64
import json

from dataclasses import dataclass, field
from typing import NamedTuple

from .errors import ApiError, bad_request, expired, not_found, too_new
from .kinds import Kind
from .selectors import Selector
from .store import Key, Store
from .values import Object


@dataclass(frozen=True, slots=True, kw_only=True)
class ListOptions:
    """What a client may say about a list."""

    selector: Selector = field(default_factory=Selector)
    limit: int = 0
    token: str = ""
    version: str = ""
    exact: bool = False


@dataclass(frozen=True, slots=True)
class Page:
    """A list or a part of one: objects as they are kept."""

    items: list[Object]
    version: int
    token: str = ""
    remaining: int | None = None


class _Place(NamedTuple):
    """Where the next page begins."""

    version: int
    after: Key


class Reading:
    """Finds objects."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def get(self, kind: Kind, key: Key) -> Object:
        """The object as it is kept."""
        obj = self._store.get(kind.place, key)
        if obj is None:
            raise not_found(kind, key.name)
        return obj

    def page(self, kind: Kind, namespace: str, options: ListOptions) -> Page:
        place = _place(options.token) if options.token else None
        version = place.version if place else self._version(options)
        try:
            listed = (
                self._store.objects(kind.place, namespace)
                if version == self._store.version
                else self._store.objects_at(kind.place, version, namespace)
            )
        except ApiError as error:
            raise self._expired(place) or error from None
        rest = [(k, obj) for k, obj in listed if (not place or k > place.after) and options.selector(obj)]
        items = [obj for _, obj in rest[: options.limit or None]]
        left = len(rest) - len(items)
        if not left:
            return Page(items, version)
        token = _token(_Place(version, rest[len(items) - 1][0]))
        return Page(items, version, token, None if options.selector else left)

    def _version(self, options: ListOptions) -> int:
        wanted = version_of(options.version)
        if wanted > self._store.version:
            raise too_new(wanted, self._store.version)
        return wanted if options.exact and wanted else self._store.version

    def _expired(self, place: _Place | None) -> ApiError | None:
        """The answer to a page that comes too late offers the rest of the list as it is now."""
        if place is None:
            return None
        message = (
            "The provided continue parameter is too old to display a consistent list result. You can start a new list "
            "without the continue parameter, or use the continue token in this response to retrieve the remainder of "
            "the results."
        )
        return expired(message, token=_token(_Place(self._store.version, place.after)))


def version_of(text: str) -> int:
    """A resource version as a number; 0 for none."""
    if not text:
        return 0
    if not text.isascii() or not text.isdigit():
        raise bad_request(f"invalid resource version {text!r}")
    return int(text)


def _token(place: _Place) -> str:
    return base64.urlsafe_b64encode(json.dumps([place.version, *place.after]).encode()).decode().rstrip("=")


def _place(token: str) -> _Place:
    try:
        version, namespace, name = json.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
        return _Place(int(version), Key(str(namespace), str(name)))
    except (ValueError, TypeError) as error:
        raise bad_request(f"continue key is not valid: {error}") from error
