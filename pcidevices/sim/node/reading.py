"""The entries of a specification: text by name, read as what they mean or refused with their place."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeVar


T = TypeVar("T")

_BOOLEANS = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}


class SpecError(ValueError):
    """A specification that cannot be a node; the message names the entry."""


class Entry:
    """One mapping of the YAML. What was not asked for by the time of `end` is a mistake of the writer."""

    def __init__(self, where: str, content: object) -> None:
        if not isinstance(content, Mapping):
            raise SpecError(f"{where}: expected names and values, found {content!r}")
        self.where = where
        self._content = dict(content)

    def take(self, key: str, read: Callable[[str], T], default: T) -> T:
        """The value of *key* as *read* understands it, or *default* where it is not given."""
        return self.need(key, read) if key in self._content else default

    def need(self, key: str, read: Callable[[str], T]) -> T:
        if key not in self._content:
            raise SpecError(f"{self.where}: {key} is missing")
        value = self._content.pop(key)
        if not isinstance(value, str):
            raise SpecError(f"{self.where}: {key}: expected one value, found {value!r}")
        try:
            return read(value)
        except ValueError as error:
            raise SpecError(f"{self.where}: {key}: {error}") from error

    def entry(self, key: str) -> Entry | None:
        """The mapping that stands at *key*, if any."""
        return Entry(f"{self.where}: {key}", self._content.pop(key)) if key in self._content else None

    def entries(self, key: str) -> list[Entry]:
        """The mappings that stand at *key*: a list of them, one alone, or none."""
        content = self._content.pop(key, [])
        many = content if isinstance(content, list) else [content]
        return [Entry(f"{self.where}: {key}", one) for one in many]

    def rest(self) -> dict[str, object]:
        """All that is left, whatever its names are."""
        left, self._content = self._content, {}
        return left

    def end(self) -> None:
        if self._content:
            raise SpecError(f"{self.where}: unknown: {', '.join(map(str, self._content))}")


def boolean(text: str) -> bool:
    """Yes or no, in YAML's words."""
    if text.lower() not in _BOOLEANS:
        raise ValueError(f"{text!r} is neither yes nor no")
    return _BOOLEANS[text.lower()]


def hexadecimal(text: str) -> int:
    """A number as PCI writes them."""
    try:
        return int(text, 16)
    except ValueError as error:
        raise ValueError(f"{text!r} is no hexadecimal number") from error


def number(text: str) -> int:
    """A decimal number."""
    try:
        return int(text)
    except ValueError as error:
        raise ValueError(f"{text!r} is no number") from error
