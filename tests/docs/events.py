"""The events that the code logs, found in its syntax trees."""

from __future__ import annotations

import ast
import re

from dataclasses import dataclass, field


LOGGER = "log"
LEVELS = {
    "debug": "debug",
    "info": "info",
    "warning": "warning",
    "error": "error",
    "exception": "error",
    "critical": "critical",
}
_EVENT = re.compile(r"[a-z]+\.[a-z_]+")


class NotLiteral(Exception):
    """An event that cannot be read off the code."""


@dataclass
class Event:
    """What is told of one event, over all the places that log it."""

    levels: set[str] = field(default_factory=set)
    keys: set[str] = field(default_factory=set)


def events_in(source: str, name: str) -> dict[str, Event]:
    """
    The events that a module logs.

    Two ways are known: ``log.info("subject.happened", …)``, whose event must be a literal (or a choice of
    literals); and ``log.info`` handed on as a value, to be called under another name, as in
    ``tell("subject.happened", …)``. Then each call of a plain name with such a literal counts.

    Raises:
        NotLiteral: a logger is called with anything else, or handed on and never called so.
    """
    tree = ast.parse(source)
    called = {id(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    handed_on = {level for node in ast.walk(tree) if (level := _level(node)) and id(node) not in called}
    found: dict[str, Event] = {}
    renamed = False
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        if level := _level(node.func):
            texts, levels = _literals(node.args[0] if node.args else None), {LEVELS[level]}
            if not texts:
                raise NotLiteral(f"{name}:{node.lineno}: the event must be a literal, subject.past_participle")
        elif handed_on and isinstance(node.func, ast.Name) and node.args:
            texts, levels = _literals(node.args[0]), {LEVELS[one] for one in handed_on}
            renamed = renamed or bool(texts)
        else:
            continue
        for text in texts:
            event = found.setdefault(text, Event())
            event.levels |= levels
            event.keys |= {keyword.arg for keyword in node.keywords if keyword.arg}
    if handed_on and not renamed:
        raise NotLiteral(f"{name}: log.{min(handed_on)} is handed on, but never called with a literal event")
    return found


def loggers_in(source: str) -> list[str]:
    """The names that structlog's loggers are given in a module."""
    return [
        ast.unparse(node.targets[0])
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Assign) and "get_logger(" in ast.unparse(node.value)
    ]


def _level(node: ast.AST) -> str | None:
    match node:
        case ast.Attribute(value=ast.Name(id=name), attr=level) if name == LOGGER and level in LEVELS:
            return level
        case _:
            return None


def _literals(node: ast.expr | None) -> list[str]:
    """The events that an expression can be; none when it can be anything else."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str) and _EVENT.fullmatch(node.value):
        return [node.value]
    if isinstance(node, ast.IfExp):
        sides = _literals(node.body), _literals(node.orelse)
        return [*sides[0], *sides[1]] if all(sides) else []
    return []
