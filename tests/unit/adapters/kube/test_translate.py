"""Answers that are none, and connections that break, become our errors."""

from __future__ import annotations

import json
import ssl

import aiohttp
import pytest

from pcidevices.adapters.kube.translate import error_of, translated
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
from tests.support.scripted_api import a_status


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (301, Unavailable),
        (400, Refused),
        (401, Unauthorized),
        (403, Forbidden),
        (404, NotFound),
        (405, Refused),
        (408, Unavailable),
        (409, Conflict),
        (410, Expired),
        (413, Refused),
        (415, Refused),
        (418, Unavailable),
        (422, Refused),
        (429, Throttled),
        (500, Unavailable),
        (502, Unavailable),
        (503, Unavailable),
        (504, Unavailable),
        (0, Unavailable),
    ],
)
def test_each_status_is_one_error(status: int, expected: type[ClusterError]) -> None:
    assert type(error_of(status, b"", what="GET /x")) is expected


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize(
    ("header", "expected"), [("7", 7.0), ("0.5", 0.5), ("0", 0.0), ("-3", 0.0), ("Wed, 21 Oct 2026 07:28:00 GMT", 1.0)]
)
def test_when_to_come_again_is_taken_from_the_answer(status: int, header: str, expected: float) -> None:
    error = error_of(status, b"", what="GET /x", retry_after=header)

    assert isinstance(error, Throttled)
    assert error.retry_after == expected


@pytest.mark.parametrize("header", ["nan", "inf", "1e400"])
def test_a_time_that_never_comes_is_no_time(header: str) -> None:
    """Nothing a server sends may hold the agent up for ever."""
    error = error_of(429, b"", what="GET /x", retry_after=header)

    assert isinstance(error, Throttled)
    assert error.retry_after == 1.0


def test_too_many_requests_without_a_time_means_a_second() -> None:
    error = error_of(429, b"", what="GET /x")

    assert isinstance(error, Throttled)
    assert error.retry_after == 1.0


def test_the_message_says_what_was_asked_and_what_the_server_said() -> None:
    body = json.dumps(a_status(403, 'pcidevices is forbidden: User "x" cannot list', "Forbidden")).encode()

    assert str(error_of(403, body, what="GET /apis/x")) == (
        'GET /apis/x: pcidevices is forbidden: User "x" cannot list (403)'
    )


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "no reason given"),
        (b"{}", "{}"),
        (b"<html>Bad Gateway</html>", "<html>Bad Gateway</html>"),
        (b'{"message": 5}', '{"message": 5}'),
        (b"\xff\xfe", "\ufffd\ufffd"),
        (b"x" * 10_000, "x" * 200),
        (b"[]", "[]"),
        (b"null", "null"),
    ],
)
def test_an_answer_that_is_no_status_is_quoted_in_part(body: bytes, said: str) -> None:
    assert str(error_of(500, body, what="GET /x")) == f"GET /x: {said} (500)"


@pytest.mark.parametrize(
    "error",
    [
        aiohttp.ClientPayloadError("cut"),
        aiohttp.ServerDisconnectedError(),
        TimeoutError(),
        ssl.SSLError("bad certificate"),
        ConnectionRefusedError(111, "Connection refused"),
        OSError("no network"),
    ],
)
def test_a_connection_that_breaks_is_unavailable(error: Exception) -> None:
    with pytest.raises(Unavailable, match=r"^GET /x: .") as found, translated("GET /x"):
        raise error
    assert found.value.__cause__ is error


def test_our_own_mistakes_are_not_taken_for_the_servers() -> None:
    with pytest.raises(KeyError), translated("GET /x"):
        raise KeyError("x")


def test_a_server_that_knows_less_than_we_do_is_listed_anew() -> None:
    """As after a cluster was restored from a backup (storage/errors.go, TooLargeResourceVersion)."""
    body = {"code": 504, "message": "Timeout", "details": {"causes": [{"reason": "ResourceVersionTooLarge"}]}}

    assert isinstance(error_of(504, json.dumps(body).encode(), what="WATCH /x"), Expired)
