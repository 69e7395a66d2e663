"""What the server itself writes into `metadata`, and what it accepts there from others."""

from __future__ import annotations

import random
import re

from collections.abc import Iterator
from uuid import uuid4

from .errors import Cause
from .kinds import Kind
from .values import Json, Object, now


_LETTERS = "bcdfghjklmnpqrstvwxz2456789"
_SUBDOMAIN = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*"
_LABEL_VALUE = r"(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?"
_QUALIFIED = rf"({_SUBDOMAIN}/)?([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]"
_SYSTEM = ("uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds", "generation", "selfLink")


def begun(obj: Object, kind: Kind) -> Object:
    """A posted object with the metadata of a new one."""
    meta = {k: v for k, v in obj["metadata"].items() if k not in (*_SYSTEM, "resourceVersion")}
    if not meta.get("name") and meta.get("generateName"):
        meta["name"] = meta["generateName"] + "".join(random.choices(_LETTERS, k=5))  # noqa: S311 - a name, no secret
    meta |= {"uid": str(uuid4()), "creationTimestamp": now()}
    if kind.counts_generations:
        meta["generation"] = 1
    return {**obj, "metadata": meta}


def continued(obj: Object, old: Object, kind: Kind) -> Object:
    """A written object with the metadata that writers cannot change; asking for something new begins a generation."""
    meta = {k: v for k, v in obj["metadata"].items() if k not in _SYSTEM}
    meta |= {k: v for k, v in old["metadata"].items() if k in (*_SYSTEM, "resourceVersion", "name", "namespace")}
    if kind.counts_generations and _asked(obj, kind) != _asked(old, kind):
        meta["generation"] = meta.get("generation", 0) + 1
    return {**obj, "metadata": meta}


def _asked(obj: Object, kind: Kind) -> Object:
    left_out = {"apiVersion", "kind", "metadata"} | ({"status"} if kind.has_status else set())
    return {key: value for key, value in obj.items() if key not in left_out}


def deleting(obj: Object) -> Object:
    """An object that is to go as soon as its finalizers allow it."""
    meta = {**obj["metadata"], "deletionTimestamp": now(), "deletionGracePeriodSeconds": 0}
    if "generation" in meta:
        meta["generation"] += 1
    return {**obj, "metadata": meta}


def causes(obj: Object, old: Object | None) -> Iterator[Cause]:
    """What is wrong with the metadata of an object about to be written."""
    meta = obj["metadata"]
    if not meta.get("name"):
        yield Cause("FieldValueRequired", "metadata.name", "Required value: name or generateName is required")
    elif not re.fullmatch(_SUBDOMAIN, meta["name"]):
        yield Cause("FieldValueInvalid", "metadata.name", f"Invalid value: {_quoted(meta['name'])}: {_NAME_RULE}")
    yield from _label_causes(meta.get("labels") or {})
    for key in meta.get("annotations") or {}:
        if not re.fullmatch(_QUALIFIED, key.lower()):
            yield Cause("FieldValueInvalid", "metadata.annotations", f"Invalid value: {_quoted(key)}: {_KEY_RULE}")
    if old and old["metadata"].get("deletionTimestamp"):
        added = sorted(set(meta.get("finalizers") or ()) - set(old["metadata"].get("finalizers") or ()))
        if added:
            rule = f"no new finalizers can be added if the object is being deleted, found new finalizers {added}"
            yield Cause("FieldValueForbidden", "metadata.finalizers", f"Forbidden: {rule}")


_NAME_RULE = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', "
    f"and must start and end with an alphanumeric character (regex used for validation is '{_SUBDOMAIN}')"
)
_KEY_RULE = f"a qualified name must match '{_QUALIFIED}'"
_VALUE_RULE = f"a valid label must match '{_LABEL_VALUE}'"


def _label_causes(labels: dict[str, Json]) -> Iterator[Cause]:
    for key, value in labels.items():
        if not re.fullmatch(_QUALIFIED, key):
            yield Cause("FieldValueInvalid", "metadata.labels", f"Invalid value: {_quoted(key)}: {_KEY_RULE}")
        if not re.fullmatch(_LABEL_VALUE, value):
            yield Cause("FieldValueInvalid", "metadata.labels", f"Invalid value: {_quoted(value)}: {_VALUE_RULE}")


def _quoted(text: str) -> str:
    return f'"{text}"'
