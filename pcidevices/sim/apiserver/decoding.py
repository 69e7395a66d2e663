"""The first look at a body: is it an object of this kind, and are all its fields known?"""

from __future__ import annotations

from collections.abc import Iterable

from . import validation
from .errors import Cause, bad_request, invalid
from .kinds import Kind
from .schemas import OBJECT_META, pruned, unknown_fields
from .values import Json, Object, dig


def decoded(body: Json, kind: Kind, field_validation: str) -> tuple[Object, tuple[str, ...]]:
    """The object without unknown fields, and the warnings about them; `ApiError` where they are not wanted."""
    obj = _of_kind(body, kind)
    if not isinstance(obj.setdefault("metadata", {}), dict):
        raise _not_decoded(kind, "json: cannot unmarshal metadata into Go value of type ObjectMeta")
    wrong = next(validation.causes(obj["metadata"], OBJECT_META, "metadata"), None)
    if wrong:
        raise _not_decoded(kind, f"json: cannot unmarshal {wrong}")
    unknown = [f'unknown field "{path}"' for path in unknown_fields(obj, kind.schema)]
    if unknown and field_validation == "Strict":
        raise _not_decoded(kind, f"strict decoding error: {', '.join(unknown)}")
    return pruned(obj, kind.schema), tuple(unknown if field_validation == "Warn" else ())


def _of_kind(body: Json, kind: Kind) -> Object:
    if not isinstance(body, dict):
        raise bad_request(f"the object provided is unrecognized (must be of type {kind.kind})")
    missing = next((f for f in ("kind", "apiVersion") if not body.get(f)), None)
    if missing and kind.custom:
        what = f"Object '{missing[0].upper()}{missing[1:]}' is missing"
        raise bad_request(f"the object provided is unrecognized (must be of type {kind.kind}): {what}")
    obj = {"apiVersion": kind.api_version, "kind": kind.kind, **body}
    if obj["apiVersion"] != kind.api_version:
        raise bad_request(
            f"the API version in the data ({obj['apiVersion']}) does not match "
            f"the expected API version ({kind.api_version})"
        )
    if obj["kind"] != kind.kind:
        cause = Cause("FieldValueInvalid", "kind", f'Invalid value: "{obj["kind"]}": must be {kind.kind}')
        name = dig(obj, "metadata", "name") or ""
        raise invalid(kind, name, [cause], says=obj["kind"]) if kind.custom else bad_request(str(cause))
    return obj


def _not_decoded(kind: Kind, why: str) -> Exception:
    return bad_request(f'{kind.kind} in version "{kind.version}" cannot be handled as a {kind.kind}: {why}')


def namespace_for(kind: Kind, obj: Object, namespace: str) -> str:
    """The namespace that an object of this kind is in, when it comes by this way."""
    said = obj["metadata"].get("namespace", "")
    if not kind.namespaced:
        return ""
    if said and said != namespace:
        raise bad_request("the namespace of the provided object does not match the namespace sent on the request")
    return namespace


def parameter(name: str, value: str, allowed: Iterable[str]) -> str:
    """The value of a query parameter that must be one of a few."""
    if value not in allowed:
        raise bad_request(f"invalid {name}: {value!r}, must be one of {', '.join(allowed)}")
    return value
