"""Take a request off the queue, reconcile it, say how it went."""

from __future__ import annotations

import time

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import structlog

from pcidevices import metrics
from pcidevices.errors import Conflict, PciDevicesError, Throttled

from .workqueue import WorkQueue


log = structlog.get_logger()


# Not for ever: a definition or a webhook may be mended, and nothing tells us.
_AGAIN_AFTER_ALL = 600.0


class Request(NamedTuple):
    """Which object to look at. Never what happened to it."""

    controller: str
    name: str


@dataclass(frozen=True, slots=True)
class Result:
    """How a reconcile went: whether it changed the world, and when to look again although nothing happens."""

    changed: bool = False
    requeue_after: float | None = None
    """Seconds."""


SETTLED = Result()
CHANGED = Result(changed=True)

Reconcile = Callable[[str], Awaitable[Result]]


async def work(queue: WorkQueue[Request], reconcilers: Mapping[str, Reconcile]) -> None:
    """
    Reconcile requests one after another, for ever.

    An error, even a crash, is logged and retried with the request's own backoff. It takes nothing
    else down.
    """
    while True:
        async with queue.take() as request:
            started = time.monotonic()
            with structlog.contextvars.bound_contextvars(**request._asdict()):
                tell, outcome = await _reconcile(request, reconcilers[request.controller], queue)
                seconds = time.monotonic() - started
                tell("reconcile.finished", seconds=round(seconds, 4), **outcome)
            _count(request.controller, seconds, **outcome)


def _count(controller: str, seconds: float, *, outcome: object, reason: object = "", **_: object) -> None:
    metrics.RECONCILES.labels(controller, outcome, reason).inc()
    metrics.RECONCILE_SECONDS.labels(controller, outcome).observe(seconds)


async def _reconcile(
    request: Request, reconcile: Reconcile, queue: WorkQueue[Request]
) -> tuple[Callable[..., object], dict[str, object]]:
    try:
        result = await reconcile(request.name)
    except Conflict as error:
        # The watch brings what we did not know; look again soon, in case it came before.
        return log.debug, {"outcome": "stale", "error": str(error), "retry_in": queue.retry(request)}
    except PciDevicesError as error:
        facts = {"reason": error.reason, "error": str(error)}
        if error.terminal:
            queue.forget(request)
            queue.add_after(request, _AGAIN_AFTER_ALL)
            return log.error, {"outcome": "gave_up", **facts, "retry_in": _AGAIN_AFTER_ALL}
        at_least = error.retry_after if isinstance(error, Throttled) else 0.0
        return log.warning, {
            "outcome": "will_retry",
            **facts,
            "retry_in": queue.retry(request, at_least=at_least),
        }
    except Exception:
        log.exception("reconcile.crashed")
        return log.error, {"outcome": "crashed", "retry_in": queue.retry(request)}
    queue.forget(request)
    if result.requeue_after is not None:
        queue.add_after(request, result.requeue_after)
    if result.requeue_after is not None and not result.changed:
        return log.debug, {"outcome": "waiting", "retry_in": result.requeue_after}
    return log.debug, {"outcome": "changed" if result.changed else "settled"}
