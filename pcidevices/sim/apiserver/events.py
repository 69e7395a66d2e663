"""
Events, which two API groups show: core v1 (what kubectl reads) and events.k8s.io/v1 (what new clients write).

They are kept as core v1, and renamed on the way in and out.
"""

from __future__ import annotations

from .values import Object


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


def from_core(event: Object) -> Object:
    """A core v1 event in the words of events.k8s.io/v1."""
    return {_NAMES.get(key, key): value for key, value in event.items()}


def to_core(event: Object) -> Object:
    """An event of events.k8s.io/v1 in the words of core v1."""
    back = {new: old for old, new in _NAMES.items()}
    return {back.get(key, key): value for key, value in event.items()} | {"apiVersion": "v1"}
