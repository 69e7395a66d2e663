"""
What is counted and measured, for Prometheus. The reference is docs/reference/metrics.md.

As with logs there is one place for the whole process: whoever does something counts it, in a line. What can be read off
the registry is not counted but looked at when somebody asks (`pcidevices.state`).

A label has few values: a controller, a verb, a reason of the vocabulary. A device's address only stands where the
kernel does not answer for that device.
"""

from __future__ import annotations

import platform

from collections.abc import Iterator
from contextlib import contextmanager

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info, disable_created_metrics
from prometheus_client.exposition import choose_encoder
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector

from pcidevices import __version__


disable_created_metrics()  # type: ignore[no-untyped-call]
REGISTRY = CollectorRegistry()
_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)

RECONCILES = Counter(
    "pcidevices_reconciles",
    "Looks at one object, by how they ended; the reason is that of the error, if any",
    ["controller", "outcome", "reason"],
    registry=REGISTRY,
)
RECONCILE_SECONDS = Histogram(
    "pcidevices_reconcile_duration_seconds",
    "How long a look at one object took, with all that it wrote",
    ["controller", "outcome"],
    registry=REGISTRY,
    buckets=_SECONDS,
)
QUEUE_SECONDS = Histogram(
    "pcidevices_queue_latency_seconds",
    "How long a request that was due waited for a worker",
    ["controller"],
    registry=REGISTRY,
    buckets=_SECONDS,
)
SCAN_SECONDS = Histogram(
    "pcidevices_scan_duration_seconds", "How long one look at all devices took", registry=REGISTRY, buckets=_SECONDS
)
HINTS = Counter(
    "pcidevices_hints", "Reasons to look at the hardware again, by who gave them", ["source"], registry=REGISTRY
)
WRITE_SECONDS = Histogram(
    "pcidevices_sysfs_write_duration_seconds",
    "How long one write to a device took, and whether it was done, refused or overdue",
    ["step", "outcome"],
    registry=REGISTRY,
    buckets=_SECONDS,
)
HUNG_WRITES = Gauge(
    "pcidevices_hung_writes",
    "1 for each device for which the kernel has not ended a write",
    ["address"],
    registry=REGISTRY,
)
API_REQUESTS = Counter(
    "pcidevices_api_requests",
    "Requests to the API server, by the status of its answer, or none",
    ["verb", "code"],
    registry=REGISTRY,
)
API_SECONDS = Histogram(
    "pcidevices_api_request_duration_seconds",
    "How long the API server took to answer; of a watch, until it began",
    ["verb"],
    registry=REGISTRY,
    buckets=_SECONDS,
)
WATCH_RESTARTS = Counter(
    "pcidevices_watch_restarts",
    "Watches that ended, and lists that failed; the reason is Ended where the server has ended a watch as servers do",
    ["resource", "reason"],
    registry=REGISTRY,
)
REGISTRATIONS = Counter(
    "pcidevices_kubelet_registrations",
    "Tries to register a resource with the kubelet; the outcome is registered, or the reason of the error",
    ["outcome"],
    registry=REGISTRY,
)
PLUGIN_REGISTERED = Gauge(
    "pcidevices_plugin_registered",
    "1 for a resource that the kubelet has taken and listens for, 0 for one that it should",
    ["resource"],
    registry=REGISTRY,
)
ALLOCATIONS = Counter(
    "pcidevices_allocations", "Requests of the kubelet for devices: granted or refused", ["outcome"], registry=REGISTRY
)
PROBLEMS = Counter(
    "pcidevices_problems_logged",
    "Events logged as warning (it goes on by itself) or error (a person must act)",
    ["level"],
    registry=REGISTRY,
)

# A counter that comes into being with its first event has no increase then: these are watched for the first one.
for _level in ("warning", "error"):
    PROBLEMS.labels(_level)
for _outcome in ("granted", "refused"):
    ALLOCATIONS.labels(_outcome)

Info("pcidevices_build", "Which program runs", registry=REGISTRY).info(
    {"version": __version__, "python": platform.python_version()}
)
ProcessCollector(registry=REGISTRY)


@contextmanager
def collecting(collector: Collector) -> Iterator[None]:
    """Have *collector* asked with each scrape, for the length of the block."""
    REGISTRY.register(collector)
    try:
        yield
    finally:
        REGISTRY.unregister(collector)


def exposition(accept: str) -> tuple[bytes, str]:
    """All figures, in the format that *accept*, a header, asks for; and the type of that format. Blocking, a little."""
    encode, content_type = choose_encoder(accept)
    return encode(REGISTRY), content_type
