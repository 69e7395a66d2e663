"""Be the only one in the cluster who does something, for as long as there is something to do."""

from __future__ import annotations

import secrets

from collections.abc import Callable
from datetime import UTC, datetime
from math import inf

import structlog

from anyio import current_time, sleep

from pcidevices.domain.lease import Lease
from pcidevices.errors import Conflict
from pcidevices.ports import Leases


log = structlog.get_logger()

_SECONDS = 15
_LONGEST_WAIT = 60.0
_TICK = 0.001


class Election:
    """
    Takes, keeps and gives up a Lease, as client-go's leaderelection does.

    A Lease that somebody holds is taken over only when it has lasted without a change for as long as it says,
    by our clock, since *we* saw it first: the clocks of nodes differ. Whoever writes, writes with the version
    that was read, so that of two who try at the same time one is told of a conflict.
    """

    def __init__(
        self,
        leases: Leases,
        node_name: str,
        *,
        seconds: int = _SECONDS,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._leases = leases
        self._seconds = seconds
        self._now = now
        # Of this process alone: the one before, on the same node, may have left work half done.
        self._me = f"{node_name}_{secrets.token_hex(8)}"
        self._seen: Lease | None = None
        self._seen_at = -inf
        self._mine: Lease | None = None
        self._renewed_at = -inf

    @property
    def left(self) -> float:
        """Seconds for which we surely hold it, with a third of its length to spare."""
        return self._renewed_at + self._seconds * 2 / 3 - current_time() if self._mine else 0.0

    async def acquire(self) -> bool:
        """
        Take the Lease; False when somebody else is at work.

        Waits until a holder that has fallen silent has had its time, a minute at the most. Raises any ClusterError
        but Conflict.
        """
        silent = False
        while True:
            lease = await self._leases.read()
            if not self._observe(lease) and silent:
                return False
            if lease is None or not lease.holder or (left := self._left_to(lease)) <= 0:
                return await self._take(lease)
            if left > _LONGEST_WAIT:
                return False
            silent = True
            await sleep(left + _TICK)

    async def renew(self) -> bool:
        """Keep the Lease if it is time to; False when it is lost. Raises any ClusterError but Conflict."""
        if self._mine is None:
            return False
        if self.left >= self._seconds / 3:
            return True
        at = current_time()
        try:
            self._mine = await self._leases.write(self._mine.kept(self._time()))
        except Conflict:
            self._mine = None
            log.info("lease.lost", holder=self._me)
            return False
        self._renewed_at = at
        return True

    async def release(self) -> None:
        """Let the next one have it at once. Raises any ClusterError but Conflict."""
        mine, self._mine = self._mine, None
        if mine is None:
            return
        try:
            await self._leases.write(mine.given_up(self._time()))
        except Conflict:
            log.info("lease.lost", holder=self._me)

    async def _take(self, lease: Lease | None) -> bool:
        at, now = current_time(), self._time()
        try:
            if lease is None:
                fresh = Lease(holder=self._me, seconds=self._seconds, acquired=now, renewed=now)
                self._mine = await self._leases.create(fresh)
            else:
                self._mine = await self._leases.write(lease.taken(self._me, seconds=self._seconds, now=now))
        except Conflict:
            return False
        self._renewed_at = at
        log.info("lease.acquired", holder=self._me, before=lease.holder if lease else "")
        return True

    def _observe(self, lease: Lease | None) -> bool:
        """Note what is there; whether it is what was there the last time."""
        if lease is None:
            self._seen = None
            return False
        if lease.is_same_moment(self._seen):
            return True
        self._seen, self._seen_at = lease, current_time()
        return False

    def _left_to(self, lease: Lease) -> float:
        return self._seen_at + (lease.seconds or self._seconds) - current_time()

    def _time(self) -> str:
        return self._now().astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
