"""End the claims of nodes that are gone: their agents cannot give anything back, and would hold them for ever."""

from __future__ import annotations

import random

from collections.abc import Collection, Iterable, Sequence
from itertools import groupby
from typing import NamedTuple

import structlog

from anyio import current_time, fail_after, move_on_after, sleep

from pcidevices.domain.foreign import ForeignClaim
from pcidevices.errors import ClusterError, Conflict, NotFound
from pcidevices.ports import ClusterClaims

from .election import Election


log = structlog.get_logger()

_EVERY = 300.0
_GRACE = 300.0
_JITTER = (0.8, 1.2)
_AT_MOST = 20
_TICK = 0.001
_PARTING = 1.0
"""Seconds for giving the Lease up; without that it runs out by itself, a little later."""


class _Known(NamedTuple):
    """A claim, before and after it is deleted."""

    uid: str
    deleting: bool


class GoneNodes:
    """
    Looks for claims whose Node does not exist, every *every* seconds; after *grace* seconds ends them.

    Every agent looks, and a look only reads. Whoever has known a claim without its Node for the whole of the
    grace takes the Lease, asks once more for the Node, deletes the claim, and gives the Lease up. An agent that
    runs although its Node was deleted now has another grace to give the device back; only then our finalizer, and
    no other, is taken off. A Node that is back meanwhile is left alone. All is read anew in each round, so a crash
    between any two requests leaves the rest to the next round, of whichever agent.

    In a large cluster one look asks for a few nodes only, chosen at random: all agents together ask for all.
    """

    def __init__(
        self,
        node_name: str,
        *,
        claims: ClusterClaims,
        election: Election,
        every: float = _EVERY,
        grace: float = _GRACE,
    ) -> None:
        self._node_name = node_name
        self._claims = claims
        self._election = election
        self._every = every
        self._grace = grace
        self._orphans: dict[_Known, float] = {}
        """Since when we know that a claim has no Node; being deleted, it gets another grace."""

    async def run(self) -> None:
        """Look again and again, for ever, whatever the API server does."""
        # Agents that were started together do not look together.
        await sleep(random.uniform(0, self._every))  # noqa: S311  no secret
        while True:
            await self.look()
            await sleep(self._pause())

    async def look(self) -> None:
        """One round. Never fails: what could not be done is left to the next."""
        try:
            await self._look()
        except ClusterError as error:
            log.warning("search.failed", reason=error.reason, error=str(error))
        except TimeoutError:
            log.warning("search.failed", reason="Unavailable", error="the Lease would have ended before an answer")
        except Exception:
            log.exception("search.crashed")

    async def _look(self) -> None:
        listed = await self._claims.everywhere()
        by_node = _by_node(one for one in listed if one.node_name != self._node_name and one.needs_an_agent)
        in_doubt = {name for name, claims in by_node.items() if any(_known(one) in self._orphans for one in claims)}
        orphans = []
        for name in self._chosen(by_node, in_doubt):
            if not await self._claims.has_node(name):
                orphans += by_node[name]
            elif name in in_doubt:
                log.info("node.returned", node=name)
        self._note(orphans)
        due = [claim for claim in orphans if self._left(_known(claim)) <= 0]
        if due:
            await self._end_all(due)

    def _chosen(self, by_node: Collection[str], in_doubt: Collection[str]) -> list[str]:
        """The nodes to ask for: those in doubt, and some of the others."""
        others = [name for name in by_node if name not in in_doubt]
        return sorted([*in_doubt, *random.sample(others, min(len(others), _AT_MOST))])

    def _note(self, orphans: Sequence[ForeignClaim]) -> None:
        """These are without a Node; tell of each once."""
        before, now = self._orphans, current_time()
        self._orphans = {_known(claim): before.get(_known(claim), now) for claim in orphans}
        for claim in orphans:
            if not claim.deleting and _known(claim) not in before:
                log.warning(
                    "claim.orphaned",
                    claim=claim.name,
                    node=claim.node_name,
                    deleted_in=round(self._grace),
                    hint="its Node was deleted" if claim.is_held else "no agent ever took it: is its nodeName right?",
                )

    async def _end_all(self, due: Sequence[ForeignClaim]) -> None:
        if not await self._claims.has_node(self._node_name):
            # Then it is us who are gone, or what answers does not know the nodes of this cluster.
            raise NotFound(f"there is no Node {self._node_name}, so what is said of others is not believed")
        if not await self._election.acquire():
            return
        try:
            for claim in due:
                if not await self._election.renew():
                    return
                with fail_after(self._election.left):
                    await self._end(claim)
        finally:
            # Also when the agent ends: else whoever is next waits until the Lease has run out.
            with move_on_after(_PARTING, shield=True):
                await self._election.release()

    async def _end(self, claim: ForeignClaim) -> None:
        if await self._claims.has_node(claim.node_name):
            log.info("node.returned", node=claim.node_name)
            del self._orphans[_known(claim)]
            return
        try:
            if claim.deleting:
                await self._claims.release(claim)
                log.info("orphan.released", claim=claim.name, node=claim.node_name)
            else:
                await self._claims.delete(claim)
                self._orphans[_Known(claim.uid, deleting=True)] = current_time()
                log.info("orphan.deleted", claim=claim.name, node=claim.node_name)
        except (Conflict, NotFound) as error:
            log.debug("orphan.changed", claim=claim.name, node=claim.node_name, error=str(error))

    def _left(self, known: _Known) -> float:
        """How much of the grace of an orphan is left."""
        return self._orphans[known] + self._grace - current_time()

    def _pause(self) -> float:
        """Until the next round: the usual time, or until a grace has passed."""
        usual = self._every * random.uniform(*_JITTER)  # noqa: S311  no secret
        return min([usual, *(left + _TICK for known in self._orphans if (left := self._left(known)) > 0)])


def _known(claim: ForeignClaim) -> _Known:
    return _Known(claim.uid, claim.deleting)


def _by_node(claims: Iterable[ForeignClaim]) -> dict[str, list[ForeignClaim]]:
    ordered = sorted(claims, key=lambda claim: (claim.node_name, claim.name))
    return {name: list(group) for name, group in groupby(ordered, key=lambda claim: claim.node_name)}
