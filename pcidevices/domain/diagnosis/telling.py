"""A diagnosis as lines for a person, and as plain values for a program."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from pcidevices.domain.printable import plain

from .link import Diagnosis, Link, Mark


UNICODE = {Mark.HOLDS: "✔", Mark.DOUBT: "…", Mark.CAUSE: "✘"}
ASCII = {Mark.HOLDS: "+", Mark.DOUBT: "~", Mark.CAUSE: "x"}
_SHORTLY = frozenset({"agent", "claims"})


def lines(
    diagnosis: Diagnosis, marks: Mapping[Mark, str], *, head: Callable[[str], str] = str, briefly: bool = False
) -> Iterator[str]:
    """
    One line a link; below one that does not hold, how to see it and what to do.

    *head* decorates what stands before those; *briefly*, most of what holds is left out.
    """
    width = max((len(link.what) for link in diagnosis.links), default=0)
    for link in diagnosis.links:
        if briefly and link.mark is Mark.HOLDS and link.what not in _SHORTLY:
            continue
        reason = f"{link.reason}: " if link.reason else ""
        yield f"{marks[link.mark]} {link.what:{width}}  {plain(f'{reason}{link.fact}')}"
        if link.mark is not Mark.HOLDS:
            for name, text in (("see", link.command), ("next", link.next), ("more", link.reference)):
                if text:
                    yield f"  {'':{width}}  {head(f'{name}:')} {plain(text)}"


def as_values(title: str, diagnosis: Diagnosis) -> dict[str, object]:
    """For JSON."""
    cause = diagnosis.cause
    return {
        "about": title,
        "links": [_values(link) for link in diagnosis.links],
        "cause": None if cause is None else _values(cause),
    }


def _values(link: Link) -> dict[str, str]:
    told = {"what": link.what, "mark": str(link.mark), "fact": link.fact, "command": link.command}
    if link.mark is Mark.HOLDS:
        return told
    return {**told, "reason": link.reason, "next": link.next, "reference": link.reference}
