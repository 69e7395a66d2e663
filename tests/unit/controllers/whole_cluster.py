"""A cluster's claims, Nodes and Lease, in memory: versions, conflicts, finalizers, and a crash at any request."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import TypeVar

from anyio import sleep
from anyio.lowlevel import checkpoint

from pcidevices.api.v1beta1 import FINALIZERS, GIVE_BACK_FINALIZER
from pcidevices.domain.foreign import ForeignClaim
from pcidevices.domain.lease import Lease
from pcidevices.errors import ClusterError, Conflict, NotFound


T = TypeVar("T")


class WholeCluster:
    """Implements the ports `ClusterClaims` and `Leases`."""

    def __init__(self, *nodes: str) -> None:
        self.nodes = set(nodes)
        self.claims: dict[str, ForeignClaim] = {}
        self.lease: Lease | None = None
        self.version = 100
        self.requests: list[str] = []
        self.trouble: dict[str, ClusterError] = {}
        """What is refused, and why."""
        self.at_each_request: Callable[[], None] = lambda: None
        """Called just before and just after each request takes effect."""
        self.seconds: Callable[[str], float] = lambda _: 0.0
        """How long a request takes to have an effect."""

    @property
    def writes(self) -> list[str]:
        return [asked for asked in self.requests if asked.split(maxsplit=1)[0] not in ("list", "get", "read")]

    def claim(self, name: str, node: str, *finalizers: str, deleting: bool = False) -> ForeignClaim:
        """Somebody makes a claim; its agent has taken it up, unless told otherwise."""
        made = ForeignClaim(
            name=name,
            uid=f"uid-{name}-{self.version}",
            resource_version="",
            node_name=node,
            finalizers=finalizers or (GIVE_BACK_FINALIZER,),
            deleting=deleting,
        )
        return self._put(made)

    def touch(self, name: str) -> None:
        """Somebody writes the claim."""
        self._put(self.claims[name])

    async def everywhere(self) -> Sequence[ForeignClaim]:
        return await self._do("list claims", lambda: list(self.claims.values()))

    async def has_node(self, name: str) -> bool:
        return await self._do(f"get {name}", lambda: name in self.nodes)

    async def delete(self, claim: ForeignClaim) -> ForeignClaim | None:
        def effect() -> ForeignClaim | None:
            newest = self._newest(claim)
            if newest.finalizers:
                return newest if newest.deleting else self._put(replace(newest, deleting=True))
            del self.claims[claim.name]
            return None

        return await self._do(f"delete {claim.name}", effect)

    async def release(self, claim: ForeignClaim) -> None:
        def effect() -> None:
            newest = self._newest(claim)
            left = tuple(name for name in newest.finalizers if name not in FINALIZERS)
            self._put(replace(newest, finalizers=left))
            if newest.deleting and not left:
                del self.claims[claim.name]

        await self._do(f"release {claim.name}", effect)

    async def read(self) -> Lease | None:
        return await self._do("read lease", lambda: self.lease)

    async def create(self, lease: Lease) -> Lease:
        def effect() -> Lease:
            if self.lease is not None:
                raise Conflict("the lease exists")
            return self.put_lease(lease)

        return await self._do("create lease", effect)

    async def write(self, lease: Lease) -> Lease:
        def effect() -> Lease:
            if self.lease is None or self.lease.version != lease.version:
                raise Conflict("the lease was written since")
            return self.put_lease(lease)

        return await self._do("write lease", effect)

    @contextmanager
    def in_trouble(self, **verbs: ClusterError) -> Iterator[None]:
        """These verbs are refused for the length of the block."""
        self.trouble = dict(verbs)
        yield
        self.trouble = {}

    async def _do(self, what: str, effect: Callable[[], T]) -> T:
        self.at_each_request()
        await sleep(self.seconds(what))
        verb = what.split(maxsplit=1)[0]
        if verb in self.trouble:
            raise self.trouble[verb]
        self.requests.append(what)
        done = effect()
        self.at_each_request()
        await checkpoint()
        return done

    def _newest(self, claim: ForeignClaim) -> ForeignClaim:
        newest = self.claims.get(claim.name)
        if newest is None:
            raise NotFound(f"{claim.name} does not exist")
        if (newest.uid, newest.resource_version) != (claim.uid, claim.resource_version):
            raise Conflict(f"{claim.name} was written since")
        return newest

    def _put(self, claim: ForeignClaim) -> ForeignClaim:
        self.version += 1
        self.claims[claim.name] = written = replace(claim, resource_version=str(self.version))
        return written

    def put_lease(self, lease: Lease) -> Lease:
        """Somebody writes the Lease, whatever its version."""
        self.version += 1
        self.lease = replace(lease, version=str(self.version))
        return self.lease
