"""Somebody with kubectl, who claims devices of the node and reads what is told of that."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pcidevices.api.v1beta1 import ALLOW_PROTECTED
from tests.support.agent import CLAIMS, Object, Scene, until
from tests.support.manifests import a_claim_manifest


@dataclass
class Person:
    """Claims are named by the address of their device, or by their own name where they have another."""

    scene: Scene

    def name(self, claim: str) -> str:
        return self.scene.name(claim) if ":" in claim else claim

    def claim(self, address: str, *, name: str = "", node: str = "", allow_protected: str = "", **spec: Any) -> None:
        manifest = a_claim_manifest(name or self.name(address), address, node or self.scene.node_name, **spec)
        if allow_protected:
            manifest["metadata"]["annotations"] = {ALLOW_PROTECTED: allow_protected}
        self.scene.server.apply(manifest)

    def delete(self, claim: str) -> None:
        self.scene.server.delete(CLAIMS, self.name(claim))

    def claims(self) -> dict[str, Object]:
        return {claim["metadata"]["name"]: claim for claim in self.scene.server.list(CLAIMS)}

    def status(self, claim: str) -> Object:
        return dict(self.claims().get(self.name(claim), {}).get("status", {}))

    def reason(self, claim: str, kind: str = "Ready") -> str | None:
        """Why the claim is as it is; None of one that is not there, or of which nothing was told yet."""
        found = _condition(self.status(claim), kind)
        return None if found is None else str(found["reason"])

    def message(self, claim: str) -> str:
        return str((_condition(self.status(claim), "Ready") or {}).get("message", ""))

    def ready(self, *claims: str) -> bool:
        there = self.claims()
        found = (_condition(there.get(self.name(claim), {}).get("status", {}), "Ready") for claim in claims)
        return all(condition is not None and condition["reason"] == "Ready" for condition in found)

    def gone(self, *claims: str) -> bool:
        return not self.claims().keys() & {self.name(claim) for claim in claims}

    async def told(self, claim: str, *reasons: str, kind: str = "Ready") -> None:
        """Wait until the claim says one of these."""
        await until(lambda: self.reason(claim, kind) in reasons)

    def events(self, claim: str) -> list[str]:
        """The reasons of its Events, in their order."""
        name = self.name(claim)
        events = sorted(self.scene.server.list("events.events.k8s.io"), key=lambda event: str(event["eventTime"]))
        return [event["reason"] for event in events if event["regarding"]["name"] == name]


def _condition(status: Object, kind: str) -> Object | None:
    return next((condition for condition in status.get("conditions", ()) if condition["type"] == kind), None)
