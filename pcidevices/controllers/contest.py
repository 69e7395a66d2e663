"""Notice that somebody else keeps undoing what we write, and give way."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import structlog

from anyio import current_time

from pcidevices.runtime.backoff import Backoff


log = structlog.get_logger()

_FORGIVEN_AFTER = 600.0
_FREE_TRIES = 2


class _Round(NamedTuple):
    asked: object
    times: int
    at: float


class Contest:
    """
    Two writers with different views of one object would write it for ever, as fast as they can.

    To write a second time what has not changed on our side means that somebody undid it. That is
    done at once a few times (people edit things), then with a growing delay.
    """

    def __init__(self, backoff: Callable[[int], float] = Backoff(1.0, 300.0)) -> None:  # noqa: B008  a value
        self._backoff = backoff
        self._rounds: dict[str, _Round] = {}

    def wait_before(self, name: str, asked: object) -> float:
        """Seconds to wait before *name* is written for the sake of *asked*; zero when it may be now."""
        last = self._rounds.get(name)
        if last is None or last.asked != asked or last.times < _FREE_TRIES:
            return 0.0
        quiet = current_time() - last.at
        wait = self._backoff(last.times - _FREE_TRIES) - quiet
        if wait > 0:
            log.warning(
                "device.contested",
                name=name,
                times=last.times,
                hint="is another agent running for this node name?",
            )
        return max(wait, 0.0)

    def wrote(self, name: str, asked: object) -> None:
        """*name* has been written for the sake of *asked*."""
        last, now = self._rounds.get(name), current_time()
        again = last is not None and last.asked == asked and now - last.at < _FORGIVEN_AFTER
        self._rounds[name] = _Round(asked, last.times + 1 if again and last else 1, now)
