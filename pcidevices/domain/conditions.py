"""Conditions: what is found, and since when."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, NamedTuple

import msgspec

from pcidevices.api.v1beta1 import Condition


class Finding(NamedTuple):
    """One aspect of what was decided: whether it holds, why in one word, and the same for a person."""

    status: Literal["True", "False", "Unknown"]
    reason: str
    message: str

    @property
    def holds(self) -> bool:
        return self.status == "True"


def with_findings(
    before: tuple[Condition, ...], found: Iterable[tuple[str, Finding]], *, now: str, generation: int | None = None
) -> tuple[Condition, ...]:
    """
    *before* with what was *found* of each type in it, in place; conditions of other types stay as they are.

    The time of a condition (RFC 3339) moves to *now* only when its status does.
    """
    conditions = {condition.type: condition for condition in before}
    for kind, finding in found:
        old = conditions.get(kind)
        is_as_before = old is not None and old.status == finding.status
        conditions[kind] = Condition(
            type=kind,
            status=finding.status,
            reason=finding.reason,
            message=finding.message,
            last_transition_time=old.last_transition_time if old is not None and is_as_before else now,
            observed_generation=generation,
        )
    return tuple(conditions.values())


def condition(conditions: Iterable[Condition], kind: str) -> Condition:
    """The condition of a type; one that says nothing when there is none."""
    found = next((c for c in conditions if c.type == kind), None)
    return found or msgspec.convert(_NOTHING | {"type": kind}, Condition)


_NOTHING = {"status": "Unknown", "reason": ""}
