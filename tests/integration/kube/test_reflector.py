"""List and watch against an API server that has history, bookmarks and faults."""

from __future__ import annotations

import random

from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import anyio
import anyio.lowlevel
import msgspec
import pytest

from anyio import create_task_group
from structlog.testing import capture_logs

from pcidevices.adapters.kube.client import KubeClient
from pcidevices.adapters.kube.credentials import Credentials
from pcidevices.adapters.kube.reflector import Reflector
from pcidevices.sim.apiserver import ApiServer
from tests.support.following import following
from tests.support.kube import a_client, written
from tests.support.waiting import wait_until


PATH = "/api/v1/configmaps"
KIND = "configmaps"
Found = tuple[str, int]


def a_thing(name: str, number: int = 0) -> dict[str, Any]:
    meta = {"name": name, "namespace": "default"}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": {"n": str(number)}}


def found(raw: msgspec.Raw) -> Found:
    """An object's name and version."""
    meta = msgspec.json.decode(raw)["metadata"]
    return meta["name"], int(meta["resourceVersion"])


def a_reflector(client: KubeClient, *, silence: float = 5.0) -> Reflector[Found]:
    return Reflector(
        client=client,
        path=PATH,
        selector=("", ""),
        decode=found,
        backoff=lambda _: 0.002,
        silence=silence,
    )


def there(server: ApiServer) -> tuple[Found, ...]:
    return tuple((o["metadata"]["name"], int(o["metadata"]["resourceVersion"])) for o in server.list(KIND))


def same_as(server: ApiServer) -> Callable[[tuple[Found, ...]], bool]:
    return lambda seen: sorted(seen) == sorted(there(server))


def lists(server: ApiServer) -> int:
    """How often everything was listed with success."""
    return sum(
        n for asked, n in server.requests.items() if (asked.verb, asked.resource, asked.code) == ("list", KIND, 200)
    )


async def a_watch(server: ApiServer) -> None:
    """Wait until somebody watches."""
    await wait_until(lambda: server.faults.open_watches)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("how", ["end", "drop", "mid-line"])
async def test_a_cut_stream_neither_loses_nor_repeats_a_change(
    server: ApiServer, client: KubeClient, how: Literal["end", "drop", "mid-line"], seed: int
) -> None:
    """Every list is newer than the one before, each object only ever gets newer, and the last is the server's."""
    chance = random.Random(seed)
    changes = 0
    async with following(a_reflector(client).lists()) as followed:
        await a_watch(server)
        while changes < 200:
            name = f"thing-{chance.randrange(12)}"
            if chance.random() < 0.2 and any(name == other for other, _ in there(server)):
                server.delete(KIND, name, "default")
            else:
                server.apply(a_thing(name, changes))
            changes += 1
            if chance.random() < 0.15:
                server.faults.cut_watches(how)
            if chance.random() < 0.5:
                await anyio.lowlevel.checkpoint()
        await followed.until(same_as(server))

    versions = [listed.version for listed in followed.lists]
    assert versions == sorted(set(versions))
    for name in {name for listed in followed.lists for name, _ in listed.items}:
        seen = [version for listed in followed.lists for other, version in listed.items if other == name]
        assert seen == sorted(seen)
    assert lists(server) == 1


async def test_without_faults_every_change_is_seen_once(server: ApiServer, client: KubeClient) -> None:
    async with following(a_reflector(client).lists()) as followed:
        await a_watch(server)
        for number in range(200):
            server.apply(a_thing("thing", number))
        await followed.until(same_as(server))

    assert len(followed.lists) == 201


async def test_a_forgotten_version_costs_one_list_and_shows_what_is_gone(server: ApiServer, client: KubeClient) -> None:
    server.apply(a_thing("gone"))
    async with following(a_reflector(client).lists()) as followed:
        await a_watch(server)
        await server.pause()
        server.delete(KIND, "gone", "default")
        server.apply(a_thing("new"))
        server.faults.expire_history()
        await server.resume()
        await followed.until(same_as(server))
        await a_watch(server)

    assert lists(server) == 2


async def test_a_server_that_was_away_costs_no_list(server: ApiServer, client: KubeClient) -> None:
    async with following(a_reflector(client).lists()) as followed:
        await a_watch(server)
        await server.pause()
        server.apply(a_thing("new"))
        await server.resume()
        await followed.until(same_as(server))

    assert lists(server) == 1


async def test_a_server_that_is_not_there_yet_is_waited_for(server: ApiServer, client: KubeClient) -> None:
    await server.pause()
    async with following(a_reflector(client).lists()) as followed:
        await anyio.wait_all_tasks_blocked()
        assert followed.lists == []
        await server.resume()
        await followed.until(same_as(server))


async def test_a_silent_stream_is_cut_and_what_it_held_back_is_seen_without_a_list(tmp_path: Path) -> None:
    """Without bookmarks a stream over a connection that died looks just like one on which nothing happens."""
    quiet = ApiServer()
    with capture_logs() as logs:
        async with (
            quiet.serving(),
            a_client(written(tmp_path / "c", quiet.kubeconfig())) as client,
            following(a_reflector(client, silence=0.15).lists()) as followed,
        ):
            await a_watch(quiet)
            quiet.faults.silence_watches()
            quiet.apply(a_thing("new"))
            await wait_until(lambda: logs)
            quiet.faults.let_watches_speak()
            await followed.until(same_as(quiet))

    assert {log["event"] for log in logs} == {"watch.failed"}
    assert lists(quiet) == 1


async def test_bookmarks_keep_a_quiet_stream_alive(server: ApiServer, client: KubeClient) -> None:
    with capture_logs() as logs:
        async with following(a_reflector(client, silence=0.3).lists()) as followed:
            await a_watch(server)
            await anyio.sleep(0.5)  # waits: longer than the silence that would be taken for death
            server.apply(a_thing("new"))
            await followed.until(same_as(server))

    assert logs == []
    assert lists(server) == 1


async def test_bookmarks_are_no_lists(server: ApiServer, client: KubeClient) -> None:
    async with following(a_reflector(client).lists()) as followed:
        await a_watch(server)
        await anyio.sleep(0.2)  # waits: for some bookmarks, of which nothing must come

    assert len(followed.lists) == 1


async def test_many_objects_come_in_pages_and_as_one_list(server: ApiServer, client: KubeClient) -> None:
    for number in range(1200):
        server.apply(a_thing(f"thing-{number:04}"))
    async with following(a_reflector(client).lists()) as followed:
        await followed.until(same_as(server))

    assert len(followed.lists) == 1
    assert lists(server) == 3


@pytest.mark.parametrize("status", [401, 403, 404, 429, 500, 503])
async def test_whatever_the_server_answers_the_list_comes_in_the_end(
    server: ApiServer, client: KubeClient, status: int
) -> None:
    server.faults.refuse(2, status, retry_after=0 if status == 429 else None, resource=KIND)
    async with following(a_reflector(client).lists()) as followed:
        await followed.until(same_as(server))
        server.faults.refuse(2, status, retry_after=0 if status == 429 else None, resource=KIND)
        server.faults.cut_watches()
        server.apply(a_thing("new"))
        await followed.until(same_as(server))

    assert lists(server) == 1


async def test_who_stops_following_leaves_no_stream_open(server: ApiServer, client: KubeClient) -> None:
    async with following(a_reflector(client).lists()) as followed:
        await a_watch(server)
        await followed.until(same_as(server))
    await wait_until(lambda: not server.faults.open_watches)


async def test_a_client_that_ends_leaves_no_stream_open(server: ApiServer, credentials: Credentials) -> None:
    async with create_task_group() as tg:
        async with a_client(credentials) as client, following(a_reflector(client).lists()):
            await a_watch(server)
        await wait_until(lambda: not server.faults.open_watches)
        tg.cancel_scope.cancel()
