"""Refusals, each of which becomes a ``Status`` object in the answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus

from .kinds import Kind
from .values import Json, Object


@dataclass(frozen=True, slots=True)
class Cause:
    """One thing that is wrong with one field."""

    reason: str
    field: str
    message: str

    def as_object(self) -> Object:
        return {"reason": self.reason, "message": self.message, "field": self.field}

    def __str__(self) -> str:
        return f"{self.field}: {self.message}"


class ApiError(Exception):
    """A request that the API server refuses."""

    def __init__(
        self, code: HTTPStatus, reason: str, message: str, *, details: Object | None = None, token: str = ""
    ) -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason
        self.message = message
        self.details = details
        self.token = token

    def as_status(self) -> Object:
        """The body of the answer."""
        status = {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {"continue": self.token} if self.token else {},
            "status": "Failure",
            "message": self.message,
            "code": int(self.code),
        }
        if self.reason:
            status["reason"] = self.reason
        if self.details is not None:
            status["details"] = self.details
        return status


def _about(kind: Kind, name: str) -> Object:
    details = {"name": name, "group": kind.group, "kind": kind.plural}
    return {key: value for key, value in details.items() if value}


def not_found(kind: Kind, name: str) -> ApiError:
    """There is no such object."""
    message = f'{kind.resource} "{name}" not found'
    return ApiError(HTTPStatus.NOT_FOUND, "NotFound", message, details=_about(kind, name))


def already_exists(kind: Kind, name: str) -> ApiError:
    """The name is taken."""
    message = f'{kind.resource} "{name}" already exists'
    return ApiError(HTTPStatus.CONFLICT, "AlreadyExists", message, details=_about(kind, name))


def conflict(kind: Kind, name: str) -> ApiError:
    """The writer has seen an older version."""
    why = "the object has been modified; please apply your changes to the latest version and try again"
    message = f'Operation cannot be fulfilled on {kind.resource} "{name}": {why}'
    return ApiError(HTTPStatus.CONFLICT, "Conflict", message, details=_about(kind, name))


def precondition_failed(kind: Kind, name: str, what: str, wanted: str, found: str) -> ApiError:
    """The object is not the one that the client means."""
    title = f"{kind.kind}.{kind.group}" if kind.group else kind.kind
    why = f"the {what} in the precondition ({wanted}) does not match the {what} in record ({found})"
    message = f'Operation cannot be fulfilled on {title} "{name}": {why}'
    return ApiError(HTTPStatus.CONFLICT, "Conflict", message, details=_about(kind, name) | {"kind": kind.kind})


def undeclared(kind: Kind, fields: Sequence[str]) -> ApiError:
    """Server-side apply of fields that the schema does not have: a 500 in a cluster, too."""
    listed = ", ".join(f".{field}: field not declared in schema" for field in fields)
    message = f"failed to create typed patch object ({kind.api_version}, Kind={kind.kind}): {listed}"
    return ApiError(HTTPStatus.INTERNAL_SERVER_ERROR, "", message)


def field_conflict(message: str, causes: Sequence[Cause]) -> ApiError:
    """An applied field belongs to another manager."""
    details = {"causes": [cause.as_object() for cause in causes]}
    return ApiError(HTTPStatus.CONFLICT, "Conflict", message, details=details)


def invalid(kind: Kind, name: str, causes: Sequence[Cause], *, says: str = "") -> ApiError:
    """The object is well-formed, and wrong."""
    listed = ", ".join(map(str, causes))
    says = says or kind.kind
    title = f"{says}.{kind.group}" if kind.group else says
    message = f'{title} "{name}" is invalid: ' + (listed if len(causes) == 1 else f"[{listed}]")
    details = _about(kind, name) | {"kind": says, "causes": [cause.as_object() for cause in causes]}
    return ApiError(HTTPStatus.UNPROCESSABLE_ENTITY, "Invalid", message, details=details)


def invalid_options(says: str, cause: Cause) -> ApiError:
    """The parameters of the request contradict each other."""
    message = f'{says}.meta.k8s.io "" is invalid: {cause}'
    details = {"group": "meta.k8s.io", "kind": says, "causes": [cause.as_object()]}
    return ApiError(HTTPStatus.UNPROCESSABLE_ENTITY, "Invalid", message, details=details)


def unprocessable(message: str) -> ApiError:
    """The request cannot be carried out on the object as it is."""
    return ApiError(HTTPStatus.UNPROCESSABLE_ENTITY, "Invalid", message, details={})


def bad_request(message: str) -> ApiError:
    """The request is not understood."""
    return ApiError(HTTPStatus.BAD_REQUEST, "BadRequest", message)


def forbidden(message: str) -> ApiError:
    """The request is understood, and not wanted."""
    return ApiError(HTTPStatus.FORBIDDEN, "Forbidden", message)


def expired(message: str, *, token: str = "") -> ApiError:
    """The history does not reach back that far."""
    return ApiError(HTTPStatus.GONE, "Expired", message, token=token)


def too_new(wanted: int, current: int) -> ApiError:
    """The version asked for has not come yet."""
    message = f"Timeout: Too large resource version: {wanted}, current: {current}"
    cause: Json = {"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}
    details = {"causes": [cause], "retryAfterSeconds": 1}
    return ApiError(HTTPStatus.GATEWAY_TIMEOUT, "Timeout", message, details=details)


def unsupported_body(accepted: Sequence[str], *, hint: str = "") -> ApiError:
    """The body is in a form that is not read here."""
    message = "the body of the request was in an unknown format - accepted media types include: "
    message += ", ".join(accepted) + hint
    return ApiError(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "UnsupportedMediaType", message)


def no_such_resource() -> ApiError:
    """There is no such path."""
    message = "the server could not find the requested resource"
    return ApiError(HTTPStatus.NOT_FOUND, "NotFound", message, details={})


def not_allowed() -> ApiError:
    """There is such a path, but nothing to do there in this way."""
    message = "the server does not allow this method on the requested resource"
    return ApiError(HTTPStatus.METHOD_NOT_ALLOWED, "MethodNotAllowed", message, details={})
