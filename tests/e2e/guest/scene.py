"""A person with kubectl beside the machine: the agent, and what the kernel shows of devices. Standard library only."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import rig

from tests.e2e.guest.agent import PATIENCE, Agent, Api, Object
from tests.e2e.guest.person import Person, noted


NIC, TWIN, SPARE = "0000:00:03.0", "0000:00:04.0", "0000:00:05.0"
BOOT_DISK, DATA_DISK = "0000:00:07.0", "0000:00:08.0"
PF, VF = "0000:04:00.0", "0000:04:10.0"
PAIR = ("0000:06:00.0", "0000:06:00.1")
GPU, SOUND = "0000:07:00.0", "0000:07:00.1"
PLUGGED = "0000:02:00.0"
VFIO = rig.BUS / "drivers/vfio-pci"


class Scene(Person):
    """With the agent, and what is noted about it."""

    def __init__(self, kubeconfig: Path) -> None:
        super().__init__(Api(kubeconfig))
        self.kubeconfig = kubeconfig
        self.report: Object = {}
        self.agent = self._started()

    def _started(self) -> Agent:
        return Agent(self.kubeconfig)

    def restart(self) -> None:
        """Start another agent; the one before has ended."""
        self.agent = self._started()

    def wait_for_sync(self) -> None:
        rig.wait_until(lambda: self.agent.events("agent.synced"), timeout=PATIENCE)

    def steps(self, address: str, *, since: int = 0) -> list[Object]:
        """What the agent did to a device."""
        return [step for step in self.agent.events("step.taken", since=since) if step.get("address") == address]

    @contextmanager
    def scenario(self, name: str) -> Iterator[Object]:
        """A part of the report. What fails is told in it, its claims are deleted, and the next scenario goes on."""
        try:
            with noted(self.report, name) as facts:
                yield facts
        except Exception:  # noqa: BLE001  it is the test outside that fails
            self._clean_up(self.report[name])

    def _clean_up(self, facts: Object) -> None:
        try:
            if self.agent.process.poll() is not None:
                self.restart()
            left = [str(claim["spec"]["address"]) for claim in self.api.claims.values()]
            self.give_back(*left)
        except (OSError, TimeoutError, RuntimeError) as error:
            facts["not cleaned up"] = str(error)


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
