"""Notice that somebody keeps taking out of KubeVirt's list what we add, and give way."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

from anyio import current_time

from pcidevices.domain.permitted import KubeVirt, Permission, is_listed


_FORGIVEN_AFTER = 600.0


class _Round(NamedTuple):
    """Somebody took out what we had added, and we added it again."""

    times: int
    until: float
    """Before this moment it is not added once more."""


class Disputed(NamedTuple):
    """Where somebody else has another opinion."""

    contested: frozenset[Permission]
    """What was taken out twice."""
    withheld: frozenset[Permission]
    """What of that is not added again yet."""


class Dispute:
    """
    What was taken out once is added again at once (people edit things); after that with a growing delay.

    We write list and annotation together: what is in the annotation alone was taken out by somebody else.
    """

    def __init__(self, backoff: Callable[[int], float]) -> None:
        self._backoff = backoff
        self._rounds: dict[Permission, _Round] = {}

    def over(self, kubevirt: KubeVirt, needed: frozenset[Permission]) -> Disputed:
        """What of *needed* is in dispute, now that the list is as *kubevirt* has it."""
        now = current_time()
        undone = {p for p in needed & kubevirt.ours.permissions if not is_listed(kubevirt.listed, p)}
        self._rounds = {
            p: last
            for p, last in self._rounds.items()
            if p in undone or (p in needed and now < last.until + _FORGIVEN_AFTER)
        }
        contested = frozenset(undone & self._rounds.keys())
        return Disputed(contested, frozenset(p for p in contested if now < self._rounds[p].until))

    def added_again(self, permissions: Iterable[Permission]) -> None:
        """These have been put back, after somebody had taken them out."""
        for one in permissions:
            times = self._rounds[one].times + 1 if one in self._rounds else 1
            self._rounds[one] = _Round(times, current_time() + self._backoff(times - 1))
