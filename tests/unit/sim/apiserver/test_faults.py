"""Faults happen when they are asked for, and to nobody else."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio
import pytest

from aiohttp import ClientConnectorError, ClientError, ClientPayloadError

from tests.unit.sim.apiserver.things import THINGS, event, thing


if TYPE_CHECKING:
    from aiohttp import ClientSession

    from pcidevices.sim.apiserver import ApiServer


async def test_watches_can_be_dropped(server: ApiServer, client: ClientSession) -> None:
    server.apply(thing("a"))
    async with client.get(THINGS, params={"watch": "1"}) as watch:
        await event(watch)

        assert server.faults.cut_watches("drop") == 1
        with pytest.raises(ClientError):
            await watch.content.readline()
    assert server.faults.open_watches == 0


async def test_watches_can_be_cut_in_the_middle_of_a_line(server: ApiServer, client: ClientSession) -> None:
    server.apply(thing("a"))
    async with client.get(THINGS, params={"watch": "1"}) as watch:
        await event(watch)
        server.faults.cut_watches("mid-line")

        half = await watch.content.readany()
        with pytest.raises(ClientPayloadError):
            await watch.content.readany()
    assert half.startswith(b'{"type":')
    assert not half.endswith(b"\n")


async def test_watches_can_be_ended_in_good_order(server: ApiServer, client: ClientSession) -> None:
    server.apply(thing("a"))
    async with client.get(THINGS, params={"watch": "1"}) as watch:
        await event(watch)
        server.faults.cut_watches("end")

        assert await watch.content.readline() == b""


async def test_expired_history_ends_a_resumed_watch_with_a_410(server: ApiServer, client: ClientSession) -> None:
    """Who watches already goes on undisturbed."""
    version = server.apply(thing("a"))["metadata"]["resourceVersion"]
    async with client.get(THINGS, params={"watch": "1", "resourceVersion": version}) as watching:
        server.faults.expire_history()
        async with client.get(THINGS, params={"watch": "1", "resourceVersion": version}) as resumed:
            error = await event(resumed)
            assert await resumed.content.readline() == b""
        server.apply(thing("b"))

        assert (await event(watching))["object"]["metadata"]["name"] == "b"
    assert (error["type"], error["object"]["code"], resumed.status) == ("ERROR", 410, 200)

    async with client.get(THINGS) as listed:
        fresh = (await listed.json())["metadata"]["resourceVersion"]
    async with client.get(THINGS, params={"watch": "1", "resourceVersion": fresh}) as again:
        server.apply(thing("c"))
        assert (await event(again))["object"]["metadata"]["name"] == "c"


async def test_expired_history_ends_a_list_between_two_pages(server: ApiServer, client: ClientSession) -> None:
    """The 410 offers the rest of the list, as it is now."""
    server.apply(thing("a"))
    server.apply(thing("b"))
    async with client.get(THINGS, params={"limit": "1"}) as first:
        token = (await first.json())["metadata"]["continue"]
    server.faults.expire_history()

    async with client.get(THINGS, params={"limit": "1", "continue": token}) as late:
        refused = await late.json()
    async with client.get(THINGS, params={"continue": refused["metadata"]["continue"]}) as rest:
        names = [item["metadata"]["name"] for item in (await rest.json())["items"]]

    assert (late.status, refused["reason"]) == (410, "Expired")
    assert names == ["b"]


async def test_silent_watches_say_everything_later(server: ApiServer, client: ClientSession) -> None:
    server.apply(thing("a"))
    async with client.get(THINGS, params={"watch": "1"}) as open_one:
        await event(open_one)
        server.faults.silence_watches()
        server.apply(thing("b"))
        async with client.get(THINGS, params={"watch": "1"}) as new_one:
            with anyio.move_on_after(0.05) as waited:
                await anyio.wait_all_tasks_blocked()
                await new_one.content.readline()
            assert waited.cancelled_caught

            server.faults.let_watches_speak()
            assert (await event(open_one))["object"]["metadata"]["name"] == "b"
            assert {(await event(new_one))["object"]["metadata"]["name"] for _ in range(2)} == {"a", "b"}


@pytest.mark.parametrize("status", [401, 403, 429, 500, 503])
async def test_the_next_requests_can_be_refused(server: ApiServer, client: ClientSession, status: int) -> None:
    server.faults.refuse(2, status, retry_after=7)

    answers = []
    for _ in range(3):
        async with client.get(THINGS) as response:
            answers.append((response.status, response.headers.get("Retry-After"), (await response.json())["kind"]))

    assert answers == [(status, "7", "Status")] * 2 + [(200, None, "ThingList")]


async def test_a_refused_write_is_not_done(server: ApiServer, client: ClientSession) -> None:
    server.faults.refuse(1, 500, verb="create", resource="things")

    async with client.get(THINGS) as read:
        assert read.status == 200
    async with client.post(THINGS, json=thing("a")) as written:
        assert written.status == 500
    assert server.list("things.example.com") == []


async def test_a_paused_server_refuses_connections_and_keeps_its_data(server: ApiServer, client: ClientSession) -> None:
    server.apply(thing("a"))
    async with client.get(THINGS, params={"watch": "1"}) as watch:
        await event(watch)
        await server.pause()

        assert await watch.content.readline() == b""
    with pytest.raises(ClientConnectorError):
        await client.get(THINGS)

    before = server.url
    await server.resume()
    async with client.get(f"{THINGS}/a") as found:
        assert found.status == 200
    assert server.url == before


async def test_what_is_written_while_paused_is_seen_by_a_resumed_watch(
    server: ApiServer, client: ClientSession
) -> None:
    version = server.apply(thing("a"))["metadata"]["resourceVersion"]
    await server.pause()
    server.apply(thing("b"))
    await server.resume()

    async with client.get(THINGS, params={"watch": "1", "resourceVersion": version}) as watch:
        assert (await event(watch))["object"]["metadata"]["name"] == "b"
