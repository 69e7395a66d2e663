"""A Lease, and what becomes of it: the right to be the only one who does something, for a while."""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """A Lease of coordination.k8s.io as the API server has it, or as it shall be."""

    holder: str = ""
    """Empty: nobody."""
    seconds: int
    """How long it lasts after it was last renewed."""
    acquired: str = ""
    renewed: str = ""
    transitions: int = 0
    version: str = ""

    def is_same_moment(self, other: Lease | None) -> bool:
        """Whether nobody has taken or renewed it between the two."""
        return other is not None and replace(self, version="") == replace(other, version="")

    def taken(self, holder: str, *, seconds: int, now: str) -> Lease:
        """The same with another holder."""
        return replace(
            self, holder=holder, seconds=seconds, acquired=now, renewed=now, transitions=self.transitions + 1
        )

    def kept(self, now: str) -> Lease:
        """The same, for longer."""
        return replace(self, renewed=now)

    def given_up(self, now: str) -> Lease:
        """The same, for whoever comes first."""
        return replace(self, holder="", seconds=1, acquired=now, renewed=now)
