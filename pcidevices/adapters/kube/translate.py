"""The one place where answers and failures of HTTP become our errors."""

from __future__ import annotations

import math
import ssl

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress

import aiohttp
import msgspec

from pcidevices.errors import (
    ClusterError,
    Conflict,
    Expired,
    Forbidden,
    NotFound,
    Refused,
    Throttled,
    Unauthorized,
    Unavailable,
)


_DEFAULT_RETRY_AFTER = 1.0
_LONGEST_RETRY_AFTER = 300.0
_SIMPLE: Mapping[int, type[ClusterError]] = {
    400: Refused,
    401: Unauthorized,
    403: Forbidden,
    404: NotFound,
    405: Refused,
    409: Conflict,
    410: Expired,
    413: Refused,
    415: Refused,
    422: Refused,
}


class _Cause(msgspec.Struct, frozen=True):
    reason: str = ""


class _Details(msgspec.Struct, frozen=True):
    causes: tuple[_Cause, ...] = ()


class Status(msgspec.Struct):
    """What the API server says went wrong (meta/v1, Status)."""

    code: int = 0
    reason: str = ""
    message: str = ""
    details: _Details | None = None

    @property
    def is_too_large_version(self) -> bool:
        """The server knows less than we do: it was restored from an older backup (storage/errors.go)."""
        return self.details is not None and _Cause("ResourceVersionTooLarge") in self.details.causes


def error_of(status: int, body: bytes, *, what: str, retry_after: str | None = None) -> ClusterError:
    """The error for an answer that is none; *what* was asked, such as ``PATCH /apis/…``."""
    told = Status()
    with suppress(msgspec.MsgspecError):
        told = msgspec.json.decode(body, type=Status)
    message = f"{what}: {told.message or body[:200].decode(errors='replace') or 'no reason given'} ({status})"
    if told.is_too_large_version:
        return Expired(message)
    if status in {429, 503} and (retry_after is not None or status == 429):  # noqa: PLR2004  HTTP
        return Throttled(message, retry_after=_seconds(retry_after))
    return _SIMPLE.get(status, Unavailable)(message)


@contextmanager
def translated(what: str) -> Iterator[None]:
    """
    Turn failures of the connection into Unavailable.

    Raises:
        Unavailable: no answer, or it broke off.
    """
    try:
        yield
    except (aiohttp.ClientError, TimeoutError, ssl.SSLError, OSError) as error:
        raise Unavailable(f"{what}: {str(error) or 'no answer in time'}") from error


@contextmanager
def understood(what: str) -> Iterator[None]:
    """
    Turn an answer that makes no sense into Unavailable: something between us and the server spoke.

    Raises:
        Unavailable: it is no JSON, or not of the shape that the API has.
    """
    try:
        yield
    except msgspec.MsgspecError as error:
        raise Unavailable(f"{what}: an answer that makes no sense: {error}") from error


def _seconds(retry_after: str | None) -> float:
    try:
        seconds = float(retry_after or _DEFAULT_RETRY_AFTER)
    except ValueError:  # a date, which no API server sends
        return _DEFAULT_RETRY_AFTER
    return min(max(seconds, 0.0), _LONGEST_RETRY_AFTER) if math.isfinite(seconds) else _DEFAULT_RETRY_AFTER
