"""What a scrape says of this moment."""

from __future__ import annotations

from typing import Any

import pytest

from pcidevices.api.v1beta1 import PCIDeviceClaimStatus
from pcidevices.domain.device import Scan, Unreadable
from pcidevices.domain.held import HeldDevice
from pcidevices.domain.offer import Offer, OfferedDevice
from pcidevices.registry import Registry
from pcidevices.runtime.controller import Request
from pcidevices.runtime.pulse import Pulse
from pcidevices.runtime.workqueue import WorkQueue
from pcidevices.state import State
from tests.support.builders import a_bridge, a_claim, a_condition, a_device, a_gpu, a_nic, a_published


GPU, NIC = a_gpu(driver="vfio-pci"), a_nic()
READY = PCIDeviceClaimStatus(conditions=(a_condition("Ready", "True", reason="Ready"),))


class Scrape:
    """All that a scrape finds, by name and the values of its labels."""

    def __init__(self, registry: Registry, **parts: Any) -> None:
        empty: dict[str, Any] = {"offers": dict, "queues": {}, "synced": {}, "pulses": {}}
        self._found = {
            (sample.name.removeprefix("pcidevices_"), *sample.labels.values()): sample.value
            for family in State(registry=registry, **(empty | parts)).collect()
            for sample in family.samples
        }

    def __getitem__(self, wanted: tuple[str, ...] | str) -> float | None:
        return self._found.get(wanted if isinstance(wanted, tuple) else (wanted,))

    def names(self) -> set[str]:
        return {name for name, *_ in self._found}


@pytest.fixture
def registry() -> Registry:
    return Registry()


def test_every_function_is_in_one_state(registry: Registry) -> None:
    broken = Unreadable("0000:09:00.0", "class cannot be read")
    registry.replace_scan(Scan((GPU, NIC, a_bridge(), a_device("0000:00:1f.2")), (broken,)))

    scrape = Scrape(registry)

    assert [scrape["devices", it] for it in ("host", "vfio", "driverless", "bridge", "unreadable")] == [1] * 5


def test_claims_are_counted_by_why_they_are_as_they_are(registry: Registry) -> None:
    registry.replace_claims([a_claim(GPU, name="a", status=READY), a_claim(NIC, name="b", deleting=True)])

    scrape = Scrape(registry)

    assert (scrape["claims", "Ready"], scrape["claims", "Undecided"], scrape["claims_deleting"]) == (1, 1, 1)


def test_a_reason_that_somebody_else_wrote_makes_no_label(registry: Registry) -> None:
    """Whoever may write a status could otherwise make as many series as they like."""
    strange = PCIDeviceClaimStatus(conditions=(a_condition("Ready", "False", reason="x" * 999),))
    registry.replace_claims([a_claim(GPU, status=strange)])

    assert Scrape(registry)["claims", "Other"] == 1


def test_no_claim_is_a_figure_too(registry: Registry) -> None:
    """What was never there cannot be compared with anything."""
    assert Scrape(registry)["claims", "Ready"] == 0


def test_what_is_offered_is_told_by_resource_and_health(registry: Registry) -> None:
    gpu, nic = OfferedDevice(address=GPU.address), OfferedDevice(address=NIC.address, unhealthy="it is gone")
    registry.replace_published([a_published(GPU)], 1)

    scrape = Scrape(registry, offers=lambda: {"a.com/b": Offer("a.com/b", (gpu, nic, nic))})

    assert scrape["offered_devices", "a.com/b", "healthy"] == 1
    assert scrape["offered_devices", "a.com/b", "unhealthy"] == 2
    assert scrape["published_devices"] == 1


def test_of_what_pods_have_only_devices_of_the_node_count(registry: Registry) -> None:
    registry.replace_scan(Scan((GPU,)))
    registry.replace_held((HeldDevice("default", "vm", "compute", "some.com/thing", (str(GPU.address), "gpu-7")),))

    assert Scrape(registry)["held_devices"] == 1


async def test_requests_that_wait_are_told_from_those_that_are_due_later(registry: Registry) -> None:
    queue: WorkQueue[Request] = WorkQueue(lambda _: 0.0)
    queue.add(Request("claims", "a"))
    queue.add_after(Request("claims", "b"), 3600)
    queue.add_after(Request("claims", "c"), 3600)

    scrape = Scrape(registry, queues={"claims": queue})

    assert (scrape["queue_depth", "claims"], scrape["queue_delayed", "claims"]) == (1, 2)


def test_feeds_are_told_as_probes_tell_them(registry: Registry) -> None:
    late = Pulse(iter(range(100)).__next__)
    late.expect("the end of a scan", within=-1)

    scrape = Scrape(registry, synced={"node": False}, pulses={"hardware": late, "node": Pulse()})

    assert scrape["feed_synced", "node"] == 0
    assert (scrape["feed_late", "hardware"], scrape["feed_late", "node"]) == (1, 0)
