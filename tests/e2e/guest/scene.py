"""A person with kubectl beside the machine: claims, and what the kernel shows of the devices. Standard library only."""

from __future__ import annotations

import time

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import rig

from tests.e2e.guest.agent import CLAIMS, NODE, PATIENCE, Agent, Api, Object, Objects, name_of


NIC, TWIN, SPARE = "0000:00:03.0", "0000:00:04.0", "0000:00:05.0"
BOOT_DISK, DATA_DISK = "0000:00:07.0", "0000:00:08.0"
PF, VF = "0000:04:00.0", "0000:04:10.0"
PAIR = ("0000:06:00.0", "0000:06:00.1")
GPU, SOUND = "0000:07:00.0", "0000:07:00.1"
PLUGGED = "0000:02:00.0"
VFIO = rig.BUS / "drivers/vfio-pci"
_ANNOTATION = "devices.harvesterhci.io/allow-protected"


class Scene:
    """The agent, the API server, and what is noted about the two."""

    def __init__(self, kubeconfig: Path) -> None:
        self.kubeconfig = kubeconfig
        self.api = Api(kubeconfig)
        self.report: Object = {}
        self.agent = self._started()

    def _started(self) -> Agent:
        return Agent(self.kubeconfig)

    def restart(self) -> None:
        """Start another agent; the one before has ended."""
        self.agent = self._started()

    def wait_for_sync(self) -> None:
        rig.wait_until(lambda: self.agent.events("agent.synced"), timeout=PATIENCE)

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

    def ready(self, *addresses: str, within: float = PATIENCE) -> float:
        """Wait until virtual machines can have them; return the moment."""
        return self.told("Ready", *addresses, within=within)

    def told(self, reason: str, *addresses: str, within: float = PATIENCE) -> float:
        """Wait until the claims say *reason*; return the moment."""
        return self.told_one_of({reason}, *addresses, within=within)

    def told_one_of(self, reasons: set[str], *addresses: str, within: float = PATIENCE) -> float:
        names = [name_of(address) for address in addresses]
        return self._until(
            lambda claims: all(name in claims and _ready(claims[name]).get("reason") in reasons for name in names),
            " or ".join(sorted(reasons)),
            addresses,
            within,
        )

    def gone(self, *addresses: str, within: float = PATIENCE) -> float:
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

    def steps(self, address: str, *, since: int = 0) -> list[Object]:
        """What the agent did to a device."""
        return [step for step in self.agent.events("step.taken", since=since) if step.get("address") == address]

    @contextmanager
    def scenario(self, name: str) -> Iterator[Object]:
        """A part of the report. What fails is told in it, its claims are deleted, and the next scenario goes on."""
        facts: Object = {}
        self.report[name] = facts
        begun = time.monotonic()
        try:
            yield facts
        except Exception as error:  # noqa: BLE001  it is the test outside that fails
            facts["failed"] = f"{type(error).__name__}: {error}"
            print(f"{name}: {facts['failed']}", flush=True)
            self._clean_up(facts)
        facts["took"] = round(time.monotonic() - begun, 1)
        print(f"{name}: {facts}", flush=True)

    def _clean_up(self, facts: Object) -> None:
        try:
            if self.agent.process.poll() is not None:
                self.restart()
            left = [str(claim["spec"]["address"]) for claim in self.api.claims.values()]
            self.give_back(*left)
        except (OSError, TimeoutError, RuntimeError) as error:
            facts["not cleaned up"] = str(error)

    def _until(
        self, true: Callable[[Objects], bool], what: str, addresses: tuple[str, ...], within: float = PATIENCE
    ) -> float:
        try:
            return self.api.wait_until_claims(true, within=within)
        except TimeoutError:
            seen = {
                address: _ready(self.api.claims.get(name_of(address), {})) or "no claim, or nothing told"
                for address in addresses
            }
            raise TimeoutError(f"not {what} within {within:.0f} s: {seen}") from None


def _ready(claim: Object) -> Object:
    conditions = claim.get("status", {}).get("conditions", [])
    return next((condition for condition in conditions if condition["type"] == "Ready"), {})


def state(*addresses: str) -> dict[str, list[str | None]]:
    """Each device's driver and override, as the kernel has them."""
    return {it: [rig.driver(it), rig.read(rig.device(it) / "driver_override", timeout=5)] for it in addresses}


def on_vfio() -> list[str]:
    """Who is on vfio-pci now."""
    return sorted(entry.name for entry in VFIO.glob("0000:*")) if VFIO.exists() else []


def seconds(moments: list[float]) -> Object:
    """Figures of a distribution, and what they were taken from."""
    ordered = sorted(moments)
    return {
        "p50": round(ordered[len(ordered) // 2], 3),
        "p99": round(ordered[-1], 3),
        "n": len(ordered),
        "all": [round(moment, 3) for moment in moments],
    }
