"""One request, and one stream of lines."""

from __future__ import annotations

import socket

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import cast

import anyio
import pytest

from aiohttp import web
from anyio import Event, create_task_group, current_time, fail_after

from pcidevices.adapters.kube.client import MERGE_PATCH, KubeClient
from pcidevices.adapters.kube.credentials import Credentials
from pcidevices.errors import (
    ConfigError,
    Conflict,
    Forbidden,
    Refused,
    Throttled,
    Unauthorized,
    Unavailable,
)
from tests.support.kube import a_client, kubeconfig, written
from tests.support.scripted_api import Answer, ScriptedApi, a_status, says, streams
from tests.support.waiting import wait_until


@asynccontextmanager
async def asking(api: ScriptedApi, tmp_path: Path, *, longest: float = 5.0, **user: str) -> AsyncIterator[KubeClient]:
    """A client of this server."""
    async with api.serving() as url:
        credentials = written(tmp_path / "c", kubeconfig(url, **user))
        async with a_client(credentials, longest=longest) as client:
            yield client


async def stream(client: KubeClient, *, silence: float = 5.0) -> AsyncGenerator[bytes, None]:
    """An open stream, which can be closed; without the empty line that says that it is open."""
    lines = cast("AsyncGenerator[bytes, None]", client.lines("/watch", query=(), silence=silence))
    async with aclosing(lines):
        assert await anext(lines) == b""
        async for line in lines:
            yield line


async def lines_of(client: KubeClient, *, silence: float = 5.0) -> list[bytes]:
    async with aclosing(stream(client, silence=silence)) as lines:
        return [line async for line in lines]


async def test_a_request_is_sent_as_it_is_asked_for(tmp_path: Path) -> None:
    api = ScriptedApi([says({"ok": True})])
    async with asking(api, tmp_path) as client:
        answer = await client.request(
            "PATCH", "/apis/x", query=[("a", "b c"), ("a", "&")], body={"x": None}, content_type=MERGE_PATCH
        )

    (request,) = api.asked
    assert answer == b'{"ok": true}'
    assert (request.method, request.path, request.query.getall("a")) == ("PATCH", "/apis/x", ["b c", "&"])
    assert request.headers["Content-Type"] == "application/merge-patch+json"
    assert request.headers["Accept"] == "application/json"
    assert request.headers["User-Agent"] == "pcidevices/test"
    assert api.bodies == [{"x": None}]


async def test_without_credentials_none_are_sent(tmp_path: Path) -> None:
    api = ScriptedApi([says({})])
    async with asking(api, tmp_path) as client:
        await client.request("GET", "/x")

    assert "Authorization" not in api.asked[0].headers


async def test_a_created_object_is_an_answer_like_any(tmp_path: Path) -> None:
    async with asking(ScriptedApi([says("made", status=201)]), tmp_path) as client:
        assert await client.request("POST", "/x", body={}) == b"made"


async def test_a_refusal_is_an_error_that_says_why(tmp_path: Path) -> None:
    api = ScriptedApi([says(a_status(409, "the object has been modified"), status=409)])
    async with asking(api, tmp_path) as client:
        with pytest.raises(Conflict, match=r"^PATCH /x: the object has been modified \(409\)$"):
            await client.request("PATCH", "/x", body={})


async def test_a_server_that_is_not_there_is_unavailable_and_named(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        async with a_client(written(tmp_path / "c", kubeconfig(f"http://{address}"))) as client:
            with pytest.raises(Unavailable, match=f"GET /x: .*{address}"):
                await client.request("GET", "/x")
            with pytest.raises(Unavailable, match=f"WATCH /watch: .*{address}"):
                await lines_of(client)


async def test_a_server_that_does_not_answer_is_given_up(tmp_path: Path) -> None:
    async def never(_: web.BaseRequest) -> web.StreamResponse:
        await anyio.sleep_forever()
        raise AssertionError

    async with asking(ScriptedApi([never]), tmp_path, longest=0.1) as client:
        with fail_after(2), pytest.raises(Unavailable, match="GET /x: "):
            await client.request("GET", "/x")


async def test_an_answer_that_never_ends_is_given_up(tmp_path: Path) -> None:
    async with asking(ScriptedApi([streams(b"[", then=anyio.sleep_forever)]), tmp_path, longest=0.1) as client:
        with fail_after(2), pytest.raises(Unavailable):
            await client.request("GET", "/x")


async def test_an_answer_that_breaks_off_is_no_answer(tmp_path: Path) -> None:
    async with asking(ScriptedApi([streams(b'{"items": []', drop=True)]), tmp_path) as client:
        with pytest.raises(Unavailable):
            await client.request("GET", "/x")


async def test_a_redirect_to_somewhere_that_is_not_there_is_unavailable(tmp_path: Path) -> None:
    async with asking(ScriptedApi([says("", status=307, Location="http://127.0.0.1:1/")]), tmp_path) as client:
        with pytest.raises(Unavailable):
            await client.request("GET", "/x")


async def test_when_the_server_asks_to_come_later_everyone_waits(tmp_path: Path) -> None:
    api = ScriptedApi([says(a_status(429), status=429, Retry_After="0.3"), says({})])
    async with asking(api, tmp_path) as client:
        with pytest.raises(Throttled) as error:
            await client.request("GET", "/x")
        refused_at = current_time()
        async with create_task_group() as tg:
            for _ in range(3):
                tg.start_soon(client.request, "GET", "/other")
        waited = current_time() - refused_at

    assert error.value.retry_after == 0.3
    assert waited >= 0.29
    assert len(api.asked) == 4


async def test_a_server_that_is_too_busy_after_all_makes_everyone_wait_too(tmp_path: Path) -> None:
    """Also when it says so to the second try, with fresh credentials."""
    api = ScriptedApi([says("", status=401), says("", status=429, Retry_After="0.3"), says({})])
    async with asking(api, tmp_path) as client:
        with pytest.raises(Throttled):
            await client.request("GET", "/x")
        refused_at = current_time()
        await client.request("GET", "/other")

        assert current_time() - refused_at >= 0.29


async def test_no_more_requests_are_sent_than_the_rate_allows(tmp_path: Path) -> None:
    api = ScriptedApi([says({})])
    credentials = written(tmp_path / "c", kubeconfig("http://x"))
    async with api.serving() as url:
        credentials = written(tmp_path / "c", kubeconfig(url))
        async with a_client(credentials, rate=20, burst=2) as client:
            begun = current_time()
            for _ in range(6):
                await client.request("GET", "/x")

    assert current_time() - begun >= 4 / 20 - 0.01


def wants(*tokens: str) -> Answer:
    """Lets in who has the token of the moment; the last one stays."""
    left = list(tokens)

    async def answer(request: web.BaseRequest) -> web.StreamResponse:
        token = left.pop(0) if len(left) > 1 else left[0]
        known = request.headers.get("Authorization") == f"Bearer {token}"
        return web.Response(status=200 if known else 401, text="{}")

    return answer


async def test_a_token_that_has_been_replaced_is_read_again_once(tmp_path: Path) -> None:
    """All who are turned away at the same time share one new reading."""
    token = tmp_path / "token"
    token.write_text("old")
    api = ScriptedApi([wants("new")])
    async with asking(api, tmp_path, tokenFile="token") as client:
        token.write_text("new")
        async with create_task_group() as tg:
            for _ in range(5):
                tg.start_soon(client.request, "GET", "/x")
        sent = [request.headers["Authorization"] for request in api.asked]
        assert sorted(sent) == ["Bearer new"] * 5 + ["Bearer old"] * 5

        api.asked.clear()
        await client.request("GET", "/x")
        assert [request.headers["Authorization"] for request in api.asked] == ["Bearer new"]


async def test_who_is_not_let_in_with_fresh_credentials_either_is_told_so(tmp_path: Path) -> None:
    api = ScriptedApi([says(a_status(401, "Unauthorized"), status=401)])
    async with asking(api, tmp_path) as client:
        with pytest.raises(Unauthorized):
            await client.request("GET", "/x")
        assert len(api.asked) == 2


async def test_a_refused_stream_reads_the_credentials_for_the_next_try(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("old")
    api = ScriptedApi([wants("new")])
    async with asking(api, tmp_path, tokenFile="token") as client:
        token.write_text("new")
        with pytest.raises(Unauthorized):
            await lines_of(client)

        assert await lines_of(client) == []


@pytest.mark.parametrize("damage", ["", "{", None], ids=["empty", "half written", "gone"])
async def test_credentials_that_cannot_be_read_again_are_no_end_of_everything(
    tmp_path: Path, damage: str | None
) -> None:
    """A file may be read while it is being replaced: the request was turned away, and will be tried again."""
    api = ScriptedApi([says(a_status(401, "token expired"), status=401)])
    async with api.serving() as url:
        path = tmp_path / "c"
        async with a_client(written(path, kubeconfig(url))) as client:
            if damage is None:
                path.unlink()
            else:
                path.write_text(damage)
            with pytest.raises(Unauthorized):
                await client.request("GET", "/x")
            with pytest.raises(Unauthorized):
                await lines_of(client)


async def test_credentials_may_lead_to_another_server(tmp_path: Path) -> None:
    old, new = ScriptedApi([says("", status=401)]), ScriptedApi([says("new")])
    async with asking(old, tmp_path) as client, new.serving() as after:
        written(tmp_path / "c", kubeconfig(after))

        assert await client.request("GET", "/x") == b"new"
        assert client.server == after


async def test_a_stream_is_cut_into_lines_wherever_its_pieces_end(tmp_path: Path) -> None:
    api = ScriptedApi([streams(b"on", b"e\ntw", b"o\n", b"\n", b"three\nfour\n")])
    async with asking(api, tmp_path) as client:
        assert await lines_of(client) == [b"one", b"two", b"", b"three", b"four"]


async def test_a_line_that_is_cut_off_is_dropped(tmp_path: Path) -> None:
    async with asking(ScriptedApi([streams(b"one\n", b"tw")]), tmp_path) as client:
        assert await lines_of(client) == [b"one"]


async def test_a_stream_whose_connection_breaks_is_an_error_after_its_whole_lines(tmp_path: Path) -> None:
    read = Event()
    async with (
        asking(ScriptedApi([streams(b"one\ntw", then=read.wait, drop=True)]), tmp_path) as client,
        aclosing(stream(client)) as lines,
    ):
        assert await anext(lines) == b"one"
        read.set()
        with pytest.raises(Unavailable, match="WATCH /watch"):
            await anext(lines)


async def test_a_silent_stream_is_taken_for_dead(tmp_path: Path) -> None:
    api = ScriptedApi([streams(b"one\n", then=anyio.sleep_forever)])
    async with asking(api, tmp_path) as client:
        with fail_after(2), pytest.raises(Unavailable):
            await lines_of(client, silence=0.1)


async def test_a_stream_outlasts_any_request(tmp_path: Path) -> None:
    """It goes on after a request, begun later than it, was given up."""
    go_on = Event()

    async def two_lines(request: web.BaseRequest) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b"one\n")
        await go_on.wait()
        await response.write(b"two\n")
        return response

    api = ScriptedApi([two_lines, streams(b"[", then=anyio.sleep_forever)])
    async with asking(api, tmp_path, longest=0.1) as client, aclosing(stream(client)) as lines:
        assert await anext(lines) == b"one"
        with pytest.raises(Unavailable):
            await client.request("GET", "/x")
        go_on.set()
        assert [line async for line in lines] == [b"two"]


async def test_a_long_line_is_one_line(tmp_path: Path) -> None:
    """An object may have a megabyte and a half."""
    line = b"x" * (3 << 20)
    async with asking(ScriptedApi([streams(line, b"\n")]), tmp_path) as client:
        assert await lines_of(client) == [line]


@pytest.mark.parametrize(("status", "expected"), [(400, Refused), (403, Forbidden), (500, Unavailable)])
async def test_a_stream_that_is_refused_is_an_error(tmp_path: Path, status: int, expected: type[Exception]) -> None:
    async with asking(ScriptedApi([says(a_status(status, "no"), status=status)]), tmp_path) as client:
        with pytest.raises(expected, match="WATCH /watch: no"):
            await lines_of(client)


async def test_a_stream_that_nobody_reads_any_more_is_closed(tmp_path: Path) -> None:
    gone = Event()

    async def until_gone() -> None:
        try:
            await anyio.sleep_forever()
        finally:
            gone.set()

    async with asking(ScriptedApi([streams(b"one\n", then=until_gone)]), tmp_path) as client:
        async with aclosing(stream(client)) as lines:
            assert await anext(lines) == b"one"
        with fail_after(2):
            await gone.wait()


async def test_a_client_leaves_no_connection_behind(tmp_path: Path) -> None:
    api = ScriptedApi([says({})])
    async with asking(api, tmp_path) as client:
        await client.request("GET", "/x")
        transport = api.asked[0].transport
        assert transport is not None
        assert not transport.is_closing()
    await wait_until(transport.is_closing)


async def test_credentials_that_cannot_be_used_are_told_before_the_first_request(tmp_path: Path) -> None:
    with pytest.raises(ConfigError):
        async with a_client(Credentials(str(tmp_path / "none"))):
            pass
