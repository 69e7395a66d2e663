"""Many requests of one kind: one that is refused keeps none of the others from being made."""

from __future__ import annotations

import sys

from collections.abc import Callable, Sequence
from typing import TypeVar

from pcidevices.errors import KubectlFailed

from .commandline import missing_role


T = TypeVar("T")
R = TypeVar("R")

_CONCERNS_ONE = frozenset({"AlreadyExists", "Conflict", "Forbidden", "Invalid", "NotFound"})
"""The server's words for what it would not say of all: rights are given device by device."""


def one_by_one(wishes: Sequence[T], request: Callable[[T], R]) -> tuple[list[R], bool]:
    """
    The answers, and whether anything failed; why is said on stderr.

    After a failure that concerns not this one alone nothing more is asked for.
    """
    answers: list[R] = []
    hints: dict[str, None] = {}
    failed = False
    for number, wish in enumerate(wishes, 1):
        try:
            answers.append(request(wish))
        except KubectlFailed as error:
            failed = True
            print(*error.lines, sep="\n", file=sys.stderr)
            if hint := missing_role(error):
                hints[hint] = None
            if error.word not in _CONCERNS_ONE:
                if left := len(wishes) - number:
                    print(f"error: {left} more were not asked for", file=sys.stderr)
                break
    for hint in hints:
        print(hint, file=sys.stderr)
    return answers, failed
