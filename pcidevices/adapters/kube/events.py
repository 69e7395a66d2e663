"""Events on the API server: what people are told about claims, beside the status."""

from __future__ import annotations

import secrets

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from math import inf
from typing import Any, NamedTuple

import structlog

from anyio import Event, current_time, fail_after, move_on_after

from pcidevices.api.v1beta1 import API_VERSION, GROUP
from pcidevices.domain.claim import Claim
from pcidevices.errors import ClusterError, Conflict, NotFound, Throttled, Unavailable
from pcidevices.runtime.backoff import Backoff

from .client import MERGE_PATCH, KubeClient


log = structlog.get_logger()

# Events about what is in no namespace are kept here; the API server accepts no other (validation/events.go).
_PATH = "/apis/events.k8s.io/v1/namespaces/default/events"
_CONTROLLER = f"{GROUP}/pcidevices"
_ACTION = "Reconcile"
_LONGEST_NOTE = 1024
_LONGEST_WORD = 128
_LONGEST_NAME = 253

# client-go's events library (event_broadcaster.go): what has not been repeated for so long is a new Event.
_TOGETHER = 360.0
_HEARTBEAT = 180.0
_MOST = 1000
_TRIES = 8
_PATIENCE = 15.0


class _Key(NamedTuple):
    uid: str
    reason: str
    note: str
    type: str


@dataclass(slots=True)
class _Series:
    """One Event: what it says, how often it was told, and how often the API server knows of."""

    key: _Key
    claim: str
    version: str
    begun: str
    seen_at: float
    observed: str
    name: str = field(init=False)
    count: int = 1
    known: int = 0
    failures: int = 0
    due_at: float = -inf

    def __post_init__(self) -> None:
        self.rename()

    def rename(self) -> None:
        """Take a name that no Event has had."""
        suffix = f".{secrets.token_hex(8)}"
        self.name = self.claim[: _LONGEST_NAME - len(suffix)].rstrip(".-") + suffix

    @property
    def is_known(self) -> bool:
        return self.known == self.count


class KubeEvents:
    """
    Implements the port `Events`.

    What is told waits in memory until `run` has sent it. The same told again within six minutes of the last
    time belongs to one Event: the second time is written to its series at once, all further ones together,
    every *heartbeat* seconds at the most. So a repeating event costs few writes, and silence costs none.

    Memory and trouble are bounded: of too many the oldest is dropped, and one that the API server does not
    take is dropped after a few tries, which the others do not wait for.
    """

    def __init__(
        self,
        client: KubeClient,
        node_name: str,
        *,
        heartbeat: float = _HEARTBEAT,
        backoff: Callable[[int], float] = Backoff(1.0, 30.0),  # noqa: B008  a value
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._client = client
        self._instance = _cut(f"pcidevices-{node_name}", _LONGEST_WORD)
        self._heartbeat = heartbeat
        self._backoff = backoff
        self._now = now
        self._series: dict[_Key, _Series] = {}
        self._paused_until = -inf
        self._complained = False
        self._stirred = Event()

    def tell(self, claim: Claim, *, reason: str, note: str, warning: bool = False) -> None:
        kind = "Warning" if warning else "Normal"
        key = _Key(claim.uid, _cut(reason, _LONGEST_WORD), _cut(note, _LONGEST_NOTE), kind)
        moment, at = self._now().astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"), current_time()
        series = self._series.get(key)
        if series is not None and (at - series.seen_at <= _TOGETHER or not series.is_known):
            series.count += 1
            series.seen_at, series.observed = at, moment
        else:
            self._make_room()
            # As the newest, behind all others.
            self._series.pop(key, None)
            self._series[key] = _Series(key, claim.name, claim.resource_version, moment, at, moment)
        self._stirred.set()

    async def run(self) -> None:
        """Send what is told, one after the other, for ever."""
        while True:
            await self._send(await self._next())

    async def _next(self) -> _Series:
        """Wait for an Event that the API server does not know all of, and that may be sent now."""
        while True:
            self._stirred = Event()
            waiting = [series for series in self._series.values() if not series.is_known]
            first = min(waiting, key=lambda series: series.due_at, default=None)
            due_at = inf if first is None else max(first.due_at, self._paused_until)
            if first is not None and due_at <= current_time():
                return first
            with move_on_after(due_at - current_time()):
                await self._stirred.wait()

    async def _send(self, series: _Series) -> None:
        count = series.count
        try:
            with fail_after(_PATIENCE):
                known = await self._write(series, count)
        except Throttled as error:
            self._paused_until = current_time() + error.retry_after
        except NotFound as error:
            if series.known:  # its time to live has passed, or somebody deleted it
                series.known = 0
                series.rename()
            else:
                self._failed(series, error)
        except ClusterError as error:
            self._failed(series, error)
        except TimeoutError:
            self._failed(series, Unavailable(f"no answer within {_PATIENCE:.0f} seconds"))
        else:
            self._complained = False
            series.known, series.failures = known, 0
            series.due_at = -inf if known == 1 else current_time() + self._heartbeat

    async def _write(self, series: _Series, count: int) -> int:
        """Return how many times the API server knows of now."""
        if series.known:
            body = {"series": _series(series, count)}
            await self._client.request("PATCH", f"{_PATH}/{series.name}", body=body, content_type=MERGE_PATCH)
            return count
        try:
            await self._client.request("POST", _PATH, body=self._body(series, count))
        except Conflict:
            if not series.failures:
                raise
            return 1  # the answer to an earlier try was lost, but not the try
        return count

    def _body(self, series: _Series, count: int) -> dict[str, Any]:
        return {
            "apiVersion": "events.k8s.io/v1",
            "kind": "Event",
            "metadata": {"name": series.name, "namespace": "default"},
            "regarding": {
                "apiVersion": API_VERSION,
                "kind": "PCIDeviceClaim",
                "name": series.claim,
                "uid": series.key.uid,
                "resourceVersion": series.version,
            },
            "reason": series.key.reason,
            "note": series.key.note,
            "type": series.key.type,
            "action": _ACTION,
            "eventTime": series.begun,
            "reportingController": _CONTROLLER,
            "reportingInstance": self._instance,
            **({"series": _series(series, count)} if count > 1 else {}),
        }

    def _failed(self, series: _Series, error: ClusterError) -> None:
        series.failures += 1
        if error.terminal or series.failures >= _TRIES:
            self._drop(series, why=str(error))
        else:
            series.due_at = current_time() + self._backoff(series.failures - 1)

    def _make_room(self) -> None:
        if len(self._series) < _MOST:
            return
        oldest = next((series for series in self._series.values() if series.is_known), None)
        if oldest is not None:
            del self._series[oldest.key]
        else:
            self._drop(next(iter(self._series.values())), why=f"{_MOST} others wait already")

    def _drop(self, series: _Series, *, why: str) -> None:
        """Warns once, until one gets through again."""
        if self._series.get(series.key) is series:
            del self._series[series.key]
        tell = log.debug if self._complained else log.warning
        self._complained = True
        tell("event.dropped", claim=series.claim, reason=series.key.reason, why=why)


def _series(series: _Series, count: int) -> dict[str, Any]:
    return {"count": count, "lastObservedTime": series.observed}


def _cut(text: str, longest: int) -> str:
    """The beginning of *text* that has no more than so many bytes."""
    return text.encode(errors="replace")[:longest].decode(errors="ignore")
