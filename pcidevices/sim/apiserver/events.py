"""
Events, which two API groups show: core v1 (what kubectl reads) and events.k8s.io/v1 (what new clients write).

They are kept as core v1, and renamed on the way in and out. What events.k8s.io/v1 asks of an event is more: all of its
own fields, none of the deprecated ones, and only the series changes later.
"""

from __future__ import annotations

import json
import re

from collections.abc import Iterator

from .errors import Cause
from .microtime import microtime_causes
from .values import Object, dig


_STRING: Object = {"type": "string"}
_REFERENCE: Object = {
    "type": "object",
    "properties": dict.fromkeys(
        ("kind", "namespace", "name", "uid", "apiVersion", "resourceVersion", "fieldPath"), _STRING
    ),
}
_TIME: Object = {"type": "string", "format": "date-time", "nullable": True}
_INTEGER: Object = {"type": "integer"}

_NAMES = {
    "involvedObject": "regarding",
    "message": "note",
    "source": "deprecatedSource",
    "firstTimestamp": "deprecatedFirstTimestamp",
    "lastTimestamp": "deprecatedLastTimestamp",
    "count": "deprecatedCount",
    "reportingComponent": "reportingController",
}
_FIELDS: dict[str, Object] = {
    "involvedObject": _REFERENCE,
    "related": _REFERENCE,
    "reason": _STRING,
    "message": _STRING,
    "source": {"type": "object", "properties": {"component": _STRING, "host": _STRING}},
    "firstTimestamp": _TIME,
    "lastTimestamp": _TIME,
    "count": _INTEGER,
    "type": _STRING,
    "eventTime": _TIME,
    "series": {"type": "object", "properties": {"count": _INTEGER, "lastObservedTime": _TIME}},
    "action": _STRING,
    "reportingComponent": _STRING,
    "reportingInstance": _STRING,
}

EVENT_SCHEMA: Object = {"properties": _FIELDS}
NEW_EVENT_SCHEMA: Object = {"properties": {_NAMES.get(name, name): field for name, field in _FIELDS.items()}}
EVENT_SELECTABLE = (
    *(
        f"involvedObject.{name}"
        for name in ("kind", "namespace", "name", "uid", "apiVersion", "resourceVersion", "fieldPath")
    ),
    "reason",
    "reportingComponent",
    "source",
    "type",
)
NEW_EVENT_SELECTABLE = (
    *(path.replace("involvedObject", "regarding") for path in EVENT_SELECTABLE if path.startswith("involvedObject")),
    "reason",
    "reportingController",
    "type",
)

_LONGEST = {"action": 128, "reason": 128, "reportingInstance": 128, "message": 1024}
_DEPRECATED = ("firstTimestamp", "lastTimestamp", "count", "source")
_NEVER_CHANGED = (
    *("involvedObject", "reason", "message", *_DEPRECATED, "type", "eventTime", "action", "related"),
    *("reportingComponent", "reportingInstance"),
)
_NAME = r"([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]"


def from_core(event: Object) -> Object:
    """A core v1 event in the words of events.k8s.io/v1."""
    return {_NAMES.get(key, key): value for key, value in event.items()}


def to_core(event: Object) -> Object:
    """An event of events.k8s.io/v1 in the words of core v1."""
    back = {new: old for old, new in _NAMES.items()}
    return {back.get(key, key): value for key, value in event.items()} | {"apiVersion": "v1"}


def core_path(path: str) -> str:
    """Where core v1 has a field that events.k8s.io/v1 selects by."""
    first, dot, rest = path.partition(".")
    back = {new: old for old, new in _NAMES.items()}
    return f"{back.get(first, first)}{dot}{rest}"


def core_causes(new: Object, _: Object | None) -> Iterator[Cause]:
    """What is wrong with an event that is written as core v1."""
    yield from _causes(new, "reportingComponent")


def new_causes(new: Object, old: Object | None) -> Iterator[Cause]:
    """What is wrong with an event that is written as events.k8s.io/v1; the fields are called as in core v1."""
    yield from _causes(new, "reportingController")
    if old is None or new.get("series") != old.get("series"):
        yield from _series_causes(new.get("series"))
    if old is not None:
        for name in _NEVER_CHANGED:
            if (new.get(name) or None) != (old.get(name) or None):
                field = "reportingController" if name == "reportingComponent" else name
                yield _invalid(field, "field is immutable", new.get(name))
        return
    if not new.get("eventTime"):
        yield _required("eventTime")
    if new.get("type") not in ("Normal", "Warning"):
        yield _invalid("type", f"has invalid value: {new.get('type', '')}")
    for name in _DEPRECATED:
        if new.get(name):
            yield _invalid(name, "needs to be unset")


def _causes(new: Object, controller: str) -> Iterator[Cause]:
    yield from microtime_causes(new, ("eventTime",), ("series", "lastObservedTime"))
    namespace, about = new["metadata"].get("namespace"), dig(new, "involvedObject", "namespace")
    if not new.get("eventTime"):
        if namespace != (about or "default"):
            yield _invalid("involvedObject.namespace", "does not match event.namespace", about)
        return
    if not about and namespace not in ("default", "kube-system"):
        yield _invalid("involvedObject.namespace", "does not match event.namespace", about)
    if not new.get("reportingComponent"):
        yield _required(controller)
    if not re.fullmatch(rf"([^/]+/)?{_NAME}", new.get("reportingComponent") or ""):
        yield _invalid(controller, f"a qualified name must match '{_NAME}'", new.get("reportingComponent"))
    for name in ("action", "reason", "reportingInstance"):
        if not new.get(name):
            yield _required(name)
    for name, longest in _LONGEST.items():
        if len((new.get(name) or "").encode()) > longest:
            yield _invalid(name, f"can have at most {longest} characters")


def _series_causes(series: Object | None) -> Iterator[Cause]:
    if series is None:
        return
    if series.get("count", 0) < 2:  # noqa: PLR2004 - once is no series
        yield _invalid("series.count", "should be at least 2")
    if not series.get("lastObservedTime"):
        yield _required("series.lastObservedTime")


def _invalid(field: str, rule: str, value: object = "") -> Cause:
    return Cause("FieldValueInvalid", field, f"Invalid value: {json.dumps(value or '')}: {rule}")


def _required(field: str) -> Cause:
    return Cause("FieldValueRequired", field, "Required value")
