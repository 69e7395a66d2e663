"""A person with kubectl: claims, and what is told of them. Standard library only."""

from __future__ import annotations

import time

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tests.e2e.guest.agent import CLAIMS, NODE, Api, Object, Objects, name_of


_ANNOTATION = "devices.harvesterhci.io/allow-protected"


class Person:
    """Waits for as long as the API server's *patience* says, unless told otherwise."""

    def __init__(self, api: Api) -> None:
        self.api = api

    def claim(self, *addresses: str, allow: str = "") -> float:
        """Claim devices; return the moment at which the last claim was there."""
        for address in addresses:
            annotations = {_ANNOTATION: allow} if allow else {}
            claim: Object = {
                "apiVersion": "devices.harvesterhci.io/v1beta1",
                "kind": "PCIDeviceClaim",
                "metadata": {"name": name_of(address), "annotations": annotations},
                "spec": {"address": address, "nodeName": NODE, "userName": "alice"},
            }
            self.api.request("POST", CLAIMS, claim)
        return self._until(lambda claims: all(name_of(address) in claims for address in addresses), "there", addresses)

    def delete(self, *addresses: str) -> float:
        """Delete claims; return the moment at which that was begun."""
        begun = time.monotonic()
        for address in addresses:
            self.api.request("DELETE", f"{CLAIMS}/{name_of(address)}")
        return begun

    def ready(self, *addresses: str, within: float | None = None) -> float:
        """Wait until virtual machines can have them; return the moment."""
        return self.told("Ready", *addresses, within=within)

    def told(self, reason: str, *addresses: str, within: float | None = None) -> float:
        """Wait until the claims say *reason*; return the moment."""
        return self.told_one_of({reason}, *addresses, within=within)

    def told_one_of(self, reasons: set[str], *addresses: str, within: float | None = None) -> float:
        names = [name_of(address) for address in addresses]
        return self._until(
            lambda claims: all(name in claims and _ready(claims[name]).get("reason") in reasons for name in names),
            " or ".join(sorted(reasons)),
            addresses,
            within,
        )

    def gone(self, *addresses: str, within: float | None = None) -> float:
        """Wait until the claims are gone; return the moment."""
        names = {name_of(address) for address in addresses}
        return self._until(lambda claims: not names & claims.keys(), "gone", addresses, within)

    def give_back(self, *addresses: str) -> float:
        """Delete claims, and wait; the seconds that it took."""
        begun = self.delete(*addresses)
        return self.gone(*addresses) - begun

    def message(self, address: str) -> str:
        return str(_ready(self.api.claims[name_of(address)]).get("message", ""))

    def reason(self, address: str) -> str:
        return str(_ready(self.api.claims.get(name_of(address), {})).get("reason", ""))

    def _until(
        self, true: Callable[[Objects], bool], what: str, addresses: tuple[str, ...], within: float | None = None
    ) -> float:
        try:
            return self.api.wait_until_claims(true, within=within)
        except TimeoutError:
            seen = {
                address: _ready(self.api.claims.get(name_of(address), {})) or "no claim, or nothing told"
                for address in addresses
            }
            raise TimeoutError(f"not {what} within {within or self.api.patience:.0f} s: {seen}") from None


def _ready(claim: Object) -> Object:
    conditions = claim.get("status", {}).get("conditions", [])
    return next((condition for condition in conditions if condition["type"] == "Ready"), {})


@contextmanager
def noted(report: Object, name: str) -> Iterator[Object]:
    """A part of the report: what was seen, how long it took, and why it failed if it did."""
    facts: Object = {}
    report[name] = facts
    begun = time.monotonic()
    try:
        yield facts
    except Exception as error:
        facts["failed"] = f"{type(error).__name__}: {error}"
        raise
    finally:
        facts["took"] = round(time.monotonic() - begun, 1)
        print(f"{name}: {facts}", flush=True)
