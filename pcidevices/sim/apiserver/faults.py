"""Ways to misbehave, for tests of clients. Nothing here happens by itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Literal, Protocol

from anyio import Event

from .errors import ApiError
from .store import Store
from .urls import Asked


Cut = Literal["end", "drop", "mid-line"]
"""How a watch ends: properly, as after its timeout; with its connection; with its connection and half a line."""

_REASONS = {
    HTTPStatus.UNAUTHORIZED: "Unauthorized",
    HTTPStatus.FORBIDDEN: "Forbidden",
    HTTPStatus.TOO_MANY_REQUESTS: "TooManyRequests",
    HTTPStatus.INTERNAL_SERVER_ERROR: "InternalError",
    HTTPStatus.SERVICE_UNAVAILABLE: "ServiceUnavailable",
}


class Cuttable(Protocol):
    """An open watch."""

    def cut(self, how: Cut) -> None: ...


@dataclass(slots=True)
class _Refusals:
    """A status for some of the next requests."""

    left: int
    status: HTTPStatus
    retry_after: int | None
    concerns: Callable[[Asked], bool]


@dataclass(slots=True)
class Faults:
    """The faults of one server."""

    _store: Store
    _refusals: list[_Refusals] = field(default_factory=list)
    _open: set[Cuttable] = field(default_factory=set)
    _speaking: Event | None = None

    def cut_watches(self, how: Cut = "drop") -> int:
        """End all open watches now; returns how many there were."""
        watches = list(self._open)
        for watch in watches:
            watch.cut(how)
        return len(watches)

    def refuse(
        self,
        count: int,
        status: int,
        *,
        retry_after: int | None = None,
        verb: str = "",
        resource: str = "",
    ) -> None:
        """Answer the next *count* requests (of this verb, for this plural) with *status*, and do nothing."""

        def concerns(asked: Asked) -> bool:
            return verb in ("", asked.verb) and resource in ("", asked.plural)

        self._refusals.append(_Refusals(count, HTTPStatus(status), retry_after, concerns))

    def expire_history(self) -> None:
        """Who resumes a watch or a list from a version known so far is told that it is too old."""
        self._store.expire()

    def silence_watches(self) -> None:
        """Open and new watches send nothing, until `let_watches_speak`."""
        self._speaking = self._speaking or Event()

    def let_watches_speak(self) -> None:
        """Watches send what they have held back."""
        if self._speaking:
            self._speaking.set()
            self._speaking = None

    @property
    def open_watches(self) -> int:
        return len(self._open)

    async def wait_to_speak(self) -> None:
        """Waits while watches are silenced. For the server."""
        while self._speaking:
            await self._speaking.wait()

    def opened(self, watch: Cuttable) -> None:
        """Make a watch known. For the server."""
        self._open.add(watch)

    def closed(self, watch: Cuttable) -> None:
        """Forget a watch. For the server."""
        self._open.discard(watch)

    def refusal(self, asked: Asked) -> tuple[ApiError, int | None] | None:
        """How this request is to be refused, if it is, and when to come again. For the server."""
        for refusals in self._refusals:
            if refusals.left and refusals.concerns(asked):
                refusals.left -= 1
                break
        else:
            return None
        self._refusals = [r for r in self._refusals if r.left]
        status = refusals.status
        error = ApiError(
            status, _REASONS.get(status, status.phrase.replace(" ", "")), "refused on purpose by the simulator"
        )
        return error, refusals.retry_after
