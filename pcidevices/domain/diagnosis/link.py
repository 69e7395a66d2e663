"""What is told of each link of the chain."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from .remedies import what_to_do


_NO_WORDS = "the agent says no more than that"
"""Of a condition without a message."""


class Mark(StrEnum):
    """How it stands with one link."""

    HOLDS = "holds"
    DOUBT = "doubt"
    """It could not be seen, or it may matter to some."""
    CAUSE = "cause"
    """Nothing behind it can work."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """One link: what was found, how to see that for oneself, and what to do about it."""

    what: str
    mark: Mark
    fact: str
    command: str = ""
    next: str = ""
    reason: str = ""

    @property
    def reference(self) -> str:
        """Where its reason is explained."""
        return f"docs/reference/reasons.md#{self.reason.lower()}" if self.reason else ""


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """The links that were looked at, in order; nothing is told of what comes after the cause."""

    links: tuple[Link, ...]

    @property
    def cause(self) -> Link | None:
        """The first that does not hold."""
        return next((link for link in self.links if link.mark is Mark.CAUSE), None)

    @property
    def worst(self) -> Link | None:
        """The cause, or what is doubtful where there is none."""
        doubts = (link for link in self.links if link.mark is Mark.DOUBT)
        return self.cause or next(doubts, None)


def holds(what: str, fact: str, command: str = "") -> Link:
    """It is as it should be."""
    return Link(what=what, mark=Mark.HOLDS, fact=fact or _NO_WORDS, command=command)


def doubtful(what: str, reason: str, fact: str, *, command: str = "", then: str = "") -> Link:
    """It may be, or concerns only some."""
    return _wanting(Mark.DOUBT, what, reason, fact, command=command, then=then)


def broken(what: str, reason: str, fact: str, *, command: str = "", then: str = "") -> Link:
    """It is not; *then* says what to do, where that is more than what is always done about *reason*."""
    return _wanting(Mark.CAUSE, what, reason, fact, command=command, then=then)


def _wanting(mark: Mark, what: str, reason: str, fact: str, *, command: str, then: str) -> Link:
    return Link(
        what=what,
        mark=mark,
        fact=fact or _NO_WORDS,
        command=command,
        next=then or what_to_do(reason),
        reason=str(reason),
    )
