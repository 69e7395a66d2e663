"""A kubectl with a small cluster of its own behind it: what is asked of it happens at once, or is refused in words."""

from __future__ import annotations

import json

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

import msgspec

from pcidevices.api.v1beta1 import NODE_LABEL
from pcidevices.errors import KubectlFailed
from pcidevices.kubectl.objects import CLAIMS, DEVICES, Claim, Device
from pcidevices.kubectl.transport import Event, Kubectl


Object = dict[str, Any]
_THERE = frozenset({DEVICES, CLAIMS, "/api/v1/nodes", "/api/v1/pods"})
"""Lists that every cluster has, although nothing is in them."""
_REVIEWS = "/apis/authentication.k8s.io/v1/selfsubjectreviews"


@dataclass(frozen=True, slots=True)
class SmallCluster(Kubectl):
    """Objects by their paths. A claim is as the agent leaves it as soon as it is made."""

    objects: dict[str, Object] = field(default_factory=dict)
    refusals: dict[str, str] = field(default_factory=dict)
    """What kubectl says of every request for a claim of this name, or for this path."""
    asked: list[str] = field(default_factory=list)
    """The requests so far: verb and address."""
    keeps: set[str] = field(default_factory=set)
    """Names of claims that stay, as if a finalizer kept them."""

    def has(self, *things: Device | Claim, **labels: str) -> None:
        for thing in things:
            whole: Object = json.loads(msgspec.json.encode(thing))
            if isinstance(thing, Device):
                whole["metadata"]["labels"] = {NODE_LABEL: thing.status.node_name, **labels}
            self.objects[f"{DEVICES if isinstance(thing, Device) else CLAIMS}/{thing.name}"] = whole

    def put(self, path: str, *objects: Object) -> None:
        """Objects of any kind, below the path of their list."""
        self.objects.update({f"{path}/{each['metadata']['name']}": each for each in objects})

    def claims(self) -> list[str]:
        return sorted(path.removeprefix(f"{CLAIMS}/") for path in self.objects if path.startswith(CLAIMS))

    def run(self, *arguments: str, fed: bytes = b"") -> bytes:
        verb, address = arguments[0], arguments[2] if arguments[1] == "--raw" else f"/{arguments[1]}/{arguments[2]}"
        parts = urlsplit(address)
        name = str(json.loads(fed)["metadata"]["name"]) if fed and "metadata" in json.loads(fed) else ""
        self.asked.append(f"{verb} {address}")
        for refused, words in self.refusals.items():
            if refused in {name, parts.path} or parts.path == f"{CLAIMS}/{refused}":
                raise KubectlFailed(tuple(words.splitlines()), status=1)
        return self._done(verb, parts.path, {key: each[-1] for key, each in parse_qs(parts.query).items()}, fed)

    @contextmanager
    def watch(
        self, path: str, query: Mapping[str, object] | None = None, *, timeout: float | None = None
    ) -> Iterator[Iterator[Event]]:
        """Nothing happens any more."""
        del path, query, timeout
        yield iter(())

    def _done(self, verb: str, path: str, query: Mapping[str, str], fed: bytes) -> bytes:
        if verb == "create" and path == _REVIEWS:
            return b'{"status": {"userInfo": {"username": "alice"}}}'
        if verb == "create":
            return self._created(path, json.loads(fed))
        there = self.objects.get(path)
        if verb == "delete" and "dryRun" not in query and path.rpartition("/")[2] not in self.keeps:
            self.objects.pop(path, None)
        if there is None and (path in _THERE or any(at.startswith(f"{path}/") for at in self.objects)):
            return self._listed(path, query)
        if there is None:
            raise KubectlFailed((f'Error from server (NotFound): "{path}" not found',), status=1)
        return json.dumps(there).encode()

    def _created(self, path: str, made: Object) -> bytes:
        made["status"] = {
            "conditions": [{"type": "Ready", "status": "True", "reason": "Ready", "message": "all is well"}]
        }
        self.put(path, made)
        return json.dumps(made).encode()

    def _listed(self, path: str, query: Mapping[str, str]) -> bytes:
        wanted = dict(part.partition("=")[::2] for part in query.get("labelSelector", "").split(",") if part)
        items = [
            each
            for at, each in sorted(self.objects.items())
            if at.startswith(f"{path}/") and wanted.items() <= (each["metadata"].get("labels") or {}).items()
        ]
        return json.dumps({"items": items, "metadata": {"resourceVersion": "1"}}).encode()
