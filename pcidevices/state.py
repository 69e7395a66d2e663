"""What is so at the moment of a scrape, as gauges: read off the snapshot, counted by nobody."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from pcidevices import errors
from pcidevices.api.reasons import Reason
from pcidevices.domain.claim import Claim
from pcidevices.domain.claims import READY
from pcidevices.domain.conditions import condition
from pcidevices.domain.device import PciDevice
from pcidevices.domain.offer import Offer
from pcidevices.registry import Registry, Snapshot
from pcidevices.runtime.controller import Request
from pcidevices.runtime.pulse import Pulse
from pcidevices.runtime.workqueue import WorkQueue


UNDECIDED, OTHER = "Undecided", "Other"
"""A claim that nothing was told of yet; and one whose reason is none of ours, as somebody else may have written."""
_STATES = ("host", "vfio", "driverless", "bridge")
_KNOWN = frozenset(Reason).union(
    kind.reason for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.PciDevicesError)
)


class State(Collector):
    """Implements prometheus_client's `Collector`. It may be asked from any thread: what it reads is never changed."""

    def __init__(
        self,
        *,
        registry: Registry,
        offers: Callable[[], Mapping[str, Offer]],
        queues: Mapping[str, WorkQueue[Request]],
        synced: Mapping[str, bool],
        pulses: Mapping[str, Pulse],
    ) -> None:
        self._registry = registry
        self._offers = offers
        self._queues = queues
        self._synced = synced
        self._pulses = pulses

    def collect(self) -> Iterable[GaugeMetricFamily]:
        view = self._registry.snapshot
        yield _by("state", "devices", "PCI functions of the node, by who has them", _devices(view))
        yield _one("published_devices", "PCIDevices of the node on the API server", len(view.published))
        yield _one("held_devices", "Devices that a pod has, as the kubelet says", _held(view))
        yield _offered(self._offers())
        yield _by("reason", "claims", "Claims for devices of the node, by the reason of Ready", _claims(view))
        deleting = sum(claim.deleting for claim in view.claims.values())
        yield _one("claims_deleting", "Claims that were deleted, and are not let go yet", deleting)
        waiting = {name: len(queue) for name, queue in self._queues.items()}
        yield _by("controller", "queue_depth", "Requests that wait for a worker", waiting)
        delayed = {name: queue.delayed for name, queue in self._queues.items()}
        yield _by("controller", "queue_delayed", "Requests that are due later, to try or to look again", delayed)
        yield _by("feed", "feed_synced", "1 when the feed has delivered its first whole list", self._synced)
        late = {name: pulse.late is not None for name, pulse in self._pulses.items()}
        yield _by("feed", "feed_late", "1 while the feed hangs; /healthz says what is late", late)


def _one(name: str, told: str, figure: int) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"pcidevices_{name}", told, value=figure)


def _by(label: str, name: str, told: str, figures: Mapping[str, int]) -> GaugeMetricFamily:
    family = GaugeMetricFamily(f"pcidevices_{name}", told, labels=[label])
    for value, figure in sorted(figures.items()):
        family.add_metric([value], figure)
    return family


def _devices(view: Snapshot) -> Mapping[str, int]:
    found = Counter(map(_state, view.devices.values()))
    return {state: found[state] for state in _STATES} | {"unreadable": len(view.unreadable)}


def _state(device: PciDevice) -> str:
    if device.is_bridge:
        return "bridge"
    if device.driver is None:
        return "driverless"
    return "vfio" if device.is_on_vfio else "host"


def _held(view: Snapshot) -> int:
    ids = {address for one in view.held for address in one.ids}
    return sum(str(address) in ids for address in view.devices)


def _claims(view: Snapshot) -> Mapping[str, int]:
    # Ready is there from the start, so that none is a figure too.
    return {Reason.READY: 0, **Counter(map(_reason, view.claims.values()))}


def _reason(claim: Claim) -> str:
    reason = condition(claim.status.conditions, READY).reason
    return reason if reason in _KNOWN else OTHER if reason else UNDECIDED


def _offered(offers: Mapping[str, Offer]) -> GaugeMetricFamily:
    told = "Devices that are offered to the kubelet, by resource; it gives away the healthy ones"
    family = GaugeMetricFamily("pcidevices_offered_devices", told, labels=["resource", "health"])
    for resource, offer in offers.items():
        healthy = sum(device.unhealthy is None for device in offer.devices)
        family.add_metric([resource, "healthy"], healthy)
        family.add_metric([resource, "unhealthy"], len(offer.devices) - healthy)
    return family
