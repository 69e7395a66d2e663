"""Label and field selectors, from the text of a query to a question about an object."""

from __future__ import annotations

import re

from collections.abc import Callable
from dataclasses import dataclass

from .errors import bad_request
from .kinds import Kind
from .values import Json, Object, dig


_TERM = re.compile(
    r"""\s*(?:
        (?P<not>!)\s*(?P<absent>[^\s=!,()]+)
      | (?P<key>[^\s=!,()]+)\s*(?:
            (?P<equals>==|=|!=)\s*(?P<value>[^\s=!,()]*)
          | (?P<within>in|notin)\s*\((?P<values>[^()]*)\)
        )?
    )\s*(?:,|$)""",
    re.VERBOSE,
)
_FIELD_TERM = re.compile(r"(?P<path>[^=!,]+)(?P<operator>==|=|!=)(?P<value>[^,]*)(?:,|$)")


@dataclass(frozen=True, slots=True)
class Selector:
    """Says yes or no to an object."""

    terms: tuple[Callable[[Object], bool], ...] = ()

    def __call__(self, obj: Object) -> bool:
        return all(term(obj) for term in self.terms)

    def __and__(self, other: Selector) -> Selector:
        return Selector(self.terms + other.terms)

    def __bool__(self) -> bool:
        return bool(self.terms)


def label_selector(text: str) -> Selector:
    """``a=b``, ``a==b``, ``a!=b``, ``a in (b,c)``, ``a notin (b,c)``, ``a``, ``!a``, joined by commas."""
    terms, position = [], 0
    while position < len(text):
        match = _TERM.match(text, position)
        if match is None or match.end() == position:
            raise bad_request(f"unable to parse requirement: found {text[position:]!r}")
        terms.append(_label_term(match))
        position = match.end()
    return Selector(tuple(terms))


def _label_term(match: re.Match[str]) -> Callable[[Object], bool]:
    key = match["key"] or match["absent"]
    if match["equals"] or match["within"]:
        listed = match["values"] if match["within"] else match["value"]
        values = {value.strip() for value in listed.split(",")}
        wanted = match["equals"] in ("=", "==") or match["within"] == "in"
        return lambda obj: (_labels(obj).get(key) in values) is wanted
    wanted = not match["not"]
    return lambda obj: (key in _labels(obj)) is wanted


def _labels(obj: Object) -> Object:
    return dig(obj, "metadata", "labels") or {}


def field_selector(text: str, kind: Kind) -> Selector:
    """``path=value``, ``path==value``, ``path!=value``, joined by commas, for the paths that *kind* offers."""
    known = ("metadata.name", *(["metadata.namespace"] if kind.namespaced else []), *kind.selectable)
    terms, position = [], 0
    while position < len(text):
        match = _FIELD_TERM.match(text, position)
        if match is None:
            raise bad_request(f"invalid selector: {text!r}; can't understand {text[position:]!r}")
        if match["path"] not in known:
            raise bad_request(f"field label not supported: {match['path']}")
        terms.append(_field_term(kind.kept_path(match["path"]).split("."), match["operator"], match["value"]))
        position = match.end()
    return Selector(tuple(terms))


def _field_term(path: list[str], operator: str, value: str) -> Callable[[Object], bool]:
    wanted = operator != "!="
    return lambda obj: (_as_text(dig(obj, *path)) == value) is wanted


def _as_text(value: Json) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case _:
            return str(value)
