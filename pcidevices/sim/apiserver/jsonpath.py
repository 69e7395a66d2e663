"""The JSONPath of printer columns: ``.a.b``, ``['a']``, ``[0]``, ``[*]``, ``[?(@.type=="Ready")]``."""

from __future__ import annotations

import json
import re

from collections.abc import Callable, Iterable
from functools import lru_cache

from .values import Json, dig


Step = Callable[[Json], Iterable[Json]]

_STEP = re.compile(
    r"""\.?(?:
        (?P<name>[A-Za-z_$][\w$-]*(?:\\\.[\w$-]+)*)
      | \[\s*(?P<index>-?\d+)\s*\]
      | (?P<all>\[\s*\*\s*\]|\*)
      | \[\s*(?P<quoted>'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")\s*\]
      | \[\?\(\s*@\.(?P<path>[\w.-]+)\s*(?:(?P<operator>==|!=|<=|>=|<|>)\s*(?P<literal>[^)]+?)\s*)?\)\]
    )""",
    re.VERBOSE,
)


def first(path: str, obj: Json) -> Json:
    """What the path finds first in *obj*, or None."""
    found = found_by(path, obj)
    return found[0] if found else None


def found_by(path: str, obj: Json) -> list[Json]:
    """Everything that the path finds in *obj*."""
    values = [obj]
    for step in compiled(path):
        values = [found for value in values for found in step(value)]
    return values


@lru_cache(maxsize=256)
def compiled(path: str) -> tuple[Step, ...]:
    """The steps of a path; raises ValueError where it is not one."""
    text = path.strip().removeprefix("{").removesuffix("}").removeprefix("$")
    steps, position = [], 0
    while position < len(text) and text != ".":
        match = _STEP.match(text, position)
        if match is None:
            raise ValueError(f"not a JSONPath: {path!r}")
        steps.append(_step(match))
        position = match.end()
    return tuple(steps)


def _step(match: re.Match[str]) -> Step:
    if match["name"]:
        return _member(match["name"].replace("\\.", "."))
    if match["quoted"]:
        return _member(re.sub(r"\\(.)", r"\1", match["quoted"][1:-1]))
    if match["index"]:
        return _item(int(match["index"]))
    if match["all"]:
        return _items
    return _filter(match["path"].split("."), match["operator"], match["literal"])


def _member(name: str) -> Step:
    return lambda value: [value[name]] if isinstance(value, dict) and name in value else []


def _item(index: int) -> Step:
    def step(value: Json) -> list[Json]:
        if not isinstance(value, list) or not -len(value) <= index < len(value):
            return []
        return [value[index]]

    return step


def _items(value: Json) -> list[Json]:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else []


def _filter(path: list[str], operator: str | None, literal: str | None) -> Step:
    wanted = _literal(literal) if literal else None

    def chosen(item: Json) -> bool:
        found = dig(item, *path)
        match operator:
            case None:
                return found is not None
            case "==":
                return bool(found == wanted)
            case "!=":
                return bool(found != wanted)
        if type(found) is not type(wanted) or found is None:
            return False
        return bool({"<": found < wanted, "<=": found <= wanted, ">": found > wanted, ">=": found >= wanted}[operator])

    return lambda value: [item for item in _items(value) if chosen(item)]


def _literal(text: str) -> Json:
    if text[0] == "'":
        return text[1:-1]
    try:
        return json.loads(text)
    except ValueError:
        return text
