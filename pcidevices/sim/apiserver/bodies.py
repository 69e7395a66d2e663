"""Bodies of requests: which forms are read, and how."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import msgspec
import yaml

from .errors import ApiError, bad_request, unsupported_body
from .kinds import Kind
from .patches import edited, merged
from .strategic import strategically_merged
from .values import Json, Object


JSON = "application/json"
MERGE = "application/merge-patch+json"
JSON_PATCH = "application/json-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"
APPLY = "application/apply-patch+yaml"

_YAML = ("application/yaml", APPLY)
_HINT = (
    "; what kubectl sends only as protobuf (create namespace, create configmap, …) can be sent with: kubectl apply -f"
)


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """YAML as JSON: timestamps stay text."""


_Loader.yaml_implicit_resolvers = {
    letter: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for letter, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def parsed(raw: bytes, content_type: str, accepted: Iterable[str]) -> Json:
    """The body of a request, which must have one of the accepted types."""
    type_ = content_type.partition(";")[0].strip() or JSON
    if type_ not in accepted:
        raise unsupported_body(list(accepted), hint=_HINT if "protobuf" in type_ else "")
    if type_ in _YAML and not raw.lstrip().startswith(b"{"):
        return _parsed_yaml(raw)
    try:
        return msgspec.json.decode(raw)
    except ValueError as error:
        raise _not_read(error) from error


def _parsed_yaml(raw: bytes) -> Json:
    try:
        return yaml.load(raw, Loader=_Loader)  # noqa: S506 - a safe loader, and stricter
    except (yaml.YAMLError, ValueError) as error:
        raise _not_read(error) from error


def _not_read(error: Exception) -> ApiError:
    return bad_request(f"the object provided is unrecognized: {error}")


def patch_types(kind: Kind) -> list[str]:
    """The sorts of patch that a kind takes."""
    return [JSON_PATCH, MERGE, *([] if kind.custom else [STRATEGIC]), APPLY]


def patching(patch: Json, content_type: str, kind: Kind) -> Callable[[Object], Any]:
    """What a patch does to an object."""
    match content_type.partition(";")[0].strip():
        case str(type_) if type_ == JSON_PATCH:
            return lambda old: edited(old, patch)
        case str(type_) if type_ == STRATEGIC and isinstance(patch, dict):
            return lambda old: strategically_merged(old, patch, kind.schema)
        case _ if isinstance(patch, dict):
            return lambda old: merged(old, patch)
    raise bad_request("error decoding patch: not an object")
