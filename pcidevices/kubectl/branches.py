"""Lines that hang from lines. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Branch:
    """A line of text and what hangs from it."""

    text: str
    below: tuple[Branch, ...] = ()


def drawn(root: Branch, *, unicode: bool) -> Iterator[str]:
    """The lines of a tree, as `tree` draws them."""
    yield root.text
    yield from _drawn(root.below, "", ("├─ ", "└─ ", "│  ") if unicode else ("|- ", "`- ", "|  "))


def _drawn(branches: Sequence[Branch], indent: str, signs: tuple[str, str, str]) -> Iterator[str]:
    fork, end, bar = signs
    for index, branch in enumerate(branches):
        is_last = index == len(branches) - 1
        yield f"{indent}{end if is_last else fork}{branch.text}"
        yield from _drawn(branch.below, indent + ("   " if is_last else bar), signs)
