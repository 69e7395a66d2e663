"""How the agent is, as Kubernetes asks for it: whether to start it anew, and whether it is ready."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at, and what is wrong with it, for a person."""

    name: str
    problem: str | None = None


def alive(late: Mapping[str, str | None]) -> tuple[Check, ...]:
    """
    Whether the agent should be left to itself: each feed, and what of it is *late*.

    The loop is well when it can say so. An API server that is away is no reason to start anew: a feed that asks again
    and again is not late.
    """
    return Check("loop"), *(Check(name, problem) for name, problem in late.items())


def ready(synced: Mapping[str, bool]) -> tuple[Check, ...]:
    """Whether the agent acts: each feed has delivered its first whole list."""
    return tuple(Check(name, None if is_synced else "not listed yet") for name, is_synced in synced.items())


def report(kind: str, checks: Iterable[Check]) -> tuple[bool, str]:
    """Whether all is well, and the same as lines, in the manner of kube-apiserver's ``/readyz?verbose``."""
    checks = tuple(checks)
    passed = all(check.problem is None for check in checks)
    lines = [f"[-]{it.name} failed: {it.problem}" if it.problem else f"[+]{it.name} ok" for it in checks]
    return passed, "\n".join([*lines, f"{kind} check {'passed' if passed else 'failed'}", ""])
