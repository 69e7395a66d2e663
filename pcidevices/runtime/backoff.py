"""How long to wait before the next try."""

from __future__ import annotations

import random

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Backoff:
    """Doubles from *first* to *limit* seconds, each time anywhere between half of it and all of it."""

    first: float
    limit: float

    def __call__(self, failures: int) -> float:
        """Seconds to wait after the *failures*-th failure in a row, counted from zero."""
        doubled = self.first * 2.0 ** min(failures, 60)
        # Jitter keeps a thousand nodes from coming back at the same moment; no secret depends on it.
        return min(doubled, self.limit) * random.uniform(0.5, 1.0)  # noqa: S311
