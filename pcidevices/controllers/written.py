"""What we wrote ourselves and the watch has yet to bring."""

from __future__ import annotations

from typing import NamedTuple

from anyio import current_time


WATCH_PATIENCE = 5.0
"""Seconds to hold off when the view is known to be old; whatever the watch brings ends that earlier."""
_LONGEST_LAG = 60.0


class _Written(NamedTuple):
    version: int
    at: float


class Written:
    """
    The versions of our own writes, by the names of the objects.

    Whoever acts on a view that lacks them would send the same once more, and be told of a conflict.
    """

    def __init__(self) -> None:
        self._written: dict[str, _Written] = {}

    def add(self, name: str, version: int) -> None:
        self._written[name] = _Written(version, current_time())

    def is_ahead_of(self, name: str, seen: int) -> bool:
        """Whether the view, which knows *name* as of version *seen*, has yet to bring what we wrote last."""
        written = self._written.get(name)
        if written is None:
            return False
        # A cluster restored from a backup counts from a lower version; that must not hold us up for ever.
        if seen < written.version and current_time() - written.at < _LONGEST_LAG:
            return True
        del self._written[name]
        return False
