"""List and watch, against a server that says exactly what a test wants."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import anyio
import msgspec
import pytest

from anyio import Event, current_time
from structlog.testing import capture_logs

from pcidevices.adapters.kube.reflector import Reflector, version_number
from tests.support.following import Following, following
from tests.support.kube import a_client, kubeconfig, written
from tests.support.nolists import NO_LISTS
from tests.support.scripted_api import (
    Answer,
    ScriptedApi,
    a_list,
    a_status,
    an_event,
    an_object,
    says,
    streams,
)


FOREVER = streams(then=anyio.sleep_forever)


def name_of(raw: msgspec.Raw) -> str | None:
    """An object's name and version; None for what does not concern us."""
    meta = msgspec.json.decode(raw)["metadata"]
    return None if meta["name"].startswith("other") else f"{meta['name']}@{meta['resourceVersion']}"


@dataclass
class Scene:
    followed: Following[str]
    api: ScriptedApi
    waits: list[int] = field(default_factory=list)
    """The number of failures before each wait."""

    async def until(self, *items: str) -> None:
        await self.followed.until(lambda seen: seen == items)

    @property
    def seen(self) -> list[tuple[str, ...]]:
        return [listed.items for listed in self.followed.lists]


@asynccontextmanager
async def a_scene(
    tmp_path: Path, *answers: Answer, selector: tuple[str, str] = ("", ""), silence: float = 5.0
) -> AsyncIterator[Scene]:
    """A reflector that is given these answers."""
    waits: list[int] = []

    def backoff(failures: int) -> float:
        waits.append(failures)
        return 0.001

    api = ScriptedApi(list(answers))
    async with api.serving() as url, a_client(written(tmp_path / "c", kubeconfig(url))) as client:
        reflector = Reflector(
            client=client, path="/things", selector=selector, decode=name_of, backoff=backoff, silence=silence
        )
        async with following(reflector.lists()) as followed:
            yield Scene(followed, api, waits)


async def test_first_comes_the_list_then_each_change(tmp_path: Path) -> None:
    events = streams(
        an_event("ADDED", an_object("b", 11)),
        an_event("MODIFIED", an_object("a", 12)) + an_event("DELETED", an_object("b", 13)),
        then=anyio.sleep_forever,
    )
    async with a_scene(tmp_path, says(a_list(an_object("a", 5), version=10)), events) as scene:
        await scene.until("a@12")

        assert scene.seen == [("a@5",), ("a@5", "b@11"), ("a@12", "b@11"), ("a@12",)]
        assert [listed.version for listed in scene.followed.lists] == [10, 11, 12, 13]


async def test_an_empty_list_is_a_list(tmp_path: Path) -> None:
    """Else nobody would ever be told that there is nothing."""
    async with a_scene(tmp_path, says({"metadata": {"resourceVersion": "7"}, "items": None}), FOREVER) as scene:
        await scene.until()

        assert scene.followed.lists[0].version == 7


async def test_a_watch_begins_where_the_list_ended(tmp_path: Path) -> None:
    async with a_scene(
        tmp_path, says(a_list(version=10)), streams(an_event("ADDED", an_object("a", 11)), then=anyio.sleep_forever)
    ) as scene:
        await scene.until("a@11")

    listed, watched = scene.api.queries()
    assert listed == {"limit": "500"}
    assert (watched["watch"], watched["resourceVersion"], watched["allowWatchBookmarks"]) == ("true", "10", "true")
    assert 240 <= int(watched["timeoutSeconds"]) <= 480


async def test_pages_are_one_list(tmp_path: Path) -> None:
    pages = [
        says(a_list(an_object("a", 1), version=10, token="more")),
        says(a_list(an_object("b", 2), version=10, token="yet more")),
        says(a_list(an_object("c", 3), version=10)),
    ]
    async with a_scene(tmp_path, *pages, FOREVER, selector=("labelSelector", "x=y")) as scene:
        await scene.until("a@1", "b@2", "c@3")

        assert scene.seen == [("a@1", "b@2", "c@3")]
        assert [query.get("continue") for query in scene.api.queries()[:3]] == [None, "more", "yet more"]
        assert all(query["labelSelector"] == "x=y" for query in scene.api.queries()[:3])


async def test_a_list_whose_pages_expire_is_begun_anew(tmp_path: Path) -> None:
    """Half a list is none."""
    answers = [
        says(a_list(an_object("a", 1), version=10, token="more")),
        says(a_status(410, "the provided continue parameter is too old"), status=410),
        says(a_list(an_object("b", 12), version=12)),
    ]
    async with a_scene(tmp_path, *answers, FOREVER) as scene:
        await scene.until("b@12")

        assert scene.seen == [("b@12",)]
        assert "continue" not in scene.api.queries()[2]


async def test_a_stream_that_ends_goes_on_where_it_ended(tmp_path: Path) -> None:
    async with a_scene(
        tmp_path,
        says(a_list(version=10)),
        streams(an_event("ADDED", an_object("a", 11))),
        streams(an_event("ADDED", an_object("b", 12)), then=anyio.sleep_forever),
    ) as scene:
        await scene.until("a@11", "b@12")

        assert [query.get("resourceVersion") for query in scene.api.queries()] == [None, "10", "11"]


async def test_a_line_that_was_cut_off_is_told_by_the_next_stream(tmp_path: Path) -> None:
    line = an_event("ADDED", an_object("b", 12))
    async with a_scene(
        tmp_path,
        says(a_list(version=10)),
        streams(an_event("ADDED", an_object("a", 11)), line[:-9]),
        streams(line, then=anyio.sleep_forever),
    ) as scene:
        await scene.until("a@11", "b@12")

        assert scene.seen == [(), ("a@11",), ("a@11", "b@12")]
        assert scene.api.queries()[2]["resourceVersion"] == "11"


async def test_a_bookmark_moves_the_version_and_is_no_change(tmp_path: Path) -> None:
    async with a_scene(
        tmp_path,
        says(a_list(an_object("a", 1), version=10)),
        streams(an_event("BOOKMARK", {"kind": "Thing", "metadata": {"resourceVersion": "99"}})),
        streams(an_event("ADDED", an_object("b", 100)), then=anyio.sleep_forever),
    ) as scene:
        await scene.until("a@1", "b@100")

        assert scene.api.queries()[2]["resourceVersion"] == "99"
        assert scene.seen == [("a@1",), ("a@1", "b@100")]


async def test_what_is_not_known_yet_and_empty_lines_are_passed_over(tmp_path: Path) -> None:
    async with a_scene(
        tmp_path,
        says(a_list(version=10)),
        streams(b"\n", an_event("NOVELTY", {}), an_event("ADDED", an_object("a", 11)), then=anyio.sleep_forever),
    ) as scene:
        await scene.until("a@11")

        assert scene.seen == [(), ("a@11",)]


@pytest.mark.parametrize(
    "expired",
    [
        says(a_status(410, "too old resource version", "Expired"), status=410),
        streams(an_event("ERROR", a_status(410, "too old resource version", "Expired"))),
        streams(an_event("ADDED", an_object("x", 11)), an_event("ERROR", a_status(410, "too old", "Expired"))),
    ],
    ids=["an answer", "an event", "an event after others"],
)
async def test_a_version_that_the_server_has_forgotten_costs_one_list(tmp_path: Path, expired: Answer) -> None:
    """And what is gone meanwhile is not in it."""
    async with a_scene(
        tmp_path,
        says(a_list(an_object("a", 1), an_object("b", 2), version=10)),
        expired,
        says(a_list(an_object("b", 2), version=20)),
        FOREVER,
    ) as scene:
        await scene.until("b@2")

        assert [query.get("resourceVersion") for query in scene.api.queries()[:3]] == [None, "10", None]
        assert scene.seen[-1] == ("b@2",)


async def test_an_error_of_another_kind_in_a_stream_goes_on_from_where_it_was(tmp_path: Path) -> None:
    async with a_scene(
        tmp_path,
        says(a_list(version=10)),
        streams(an_event("ADDED", an_object("a", 11)), an_event("ERROR", a_status(500, "etcd is away"))),
        streams(an_event("ADDED", an_object("b", 12)), then=anyio.sleep_forever),
    ) as scene:
        await scene.until("a@11", "b@12")

        assert [query.get("resourceVersion") for query in scene.api.queries()] == [None, "10", "11"]


@pytest.mark.parametrize("body", NO_LISTS)
async def test_a_list_that_makes_no_sense_is_asked_for_again(tmp_path: Path, body: bytes) -> None:
    """Something between us and the server may answer in its place; that must not end the agent, nor be a list."""
    async with a_scene(tmp_path, says(body), says(a_list(an_object("a", 1), version=10)), FOREVER) as scene:
        await scene.until("a@1")

        assert scene.seen == [("a@1",)]


@pytest.mark.parametrize(
    "line", [b"<html>\n", b"{}\n", b'{"type": "ADDED", "object": 5}\n', b'{"type": "ERROR", "object": []}\n']
)
async def test_a_line_that_makes_no_sense_breaks_the_stream_and_no_more(tmp_path: Path, line: bytes) -> None:
    async with a_scene(
        tmp_path,
        says(a_list(version=10)),
        streams(an_event("ADDED", an_object("a", 11)), line),
        streams(an_event("ADDED", an_object("b", 12)), then=anyio.sleep_forever),
    ) as scene:
        await scene.until("a@11", "b@12")


async def test_what_does_not_concern_us_is_not_in_the_list(tmp_path: Path) -> None:
    async with a_scene(
        tmp_path,
        says(a_list(an_object("other1", 1), an_object("a", 2), version=10)),
        streams(
            an_event("ADDED", an_object("other2", 11)),
            an_event("ADDED", an_object("b", 12)),
            then=anyio.sleep_forever,
        ),
    ) as scene:
        await scene.until("a@2", "b@12")


async def test_each_failure_waits_longer_and_only_news_begins_anew(tmp_path: Path) -> None:
    broken = says("", status=500)
    async with a_scene(
        tmp_path,
        broken,
        broken,
        broken,
        says(a_list(version=10)),
        broken,
        broken,
        streams(an_event("ADDED", an_object("a", 11)), an_event("ERROR", a_status(500))),
        streams(an_event("ADDED", an_object("b", 12)), then=anyio.sleep_forever),
    ) as scene:
        await scene.until("a@11", "b@12")

        assert scene.waits == [0, 1, 2, 3, 4, 0]


async def test_a_server_that_asks_for_time_is_given_it(tmp_path: Path) -> None:
    async with a_scene(
        tmp_path,
        says(a_list(version=10)),
        says("", status=429, Retry_After="0.3"),
        streams(an_event("ADDED", an_object("a", 11)), then=anyio.sleep_forever),
    ) as scene:
        begun = current_time()
        await scene.until("a@11")

        assert current_time() - begun >= 0.25


async def test_a_kind_that_is_not_there_is_waited_for_and_told(tmp_path: Path) -> None:
    """The definitions may be installed after the agent."""
    with capture_logs() as logs:
        async with a_scene(
            tmp_path, says("404 page not found", status=404), says(a_list(version=10)), FOREVER
        ) as scene:
            await scene.until()

    assert "pcidevices crds" in logs[0]["hint"]


async def test_a_silent_stream_is_cut_and_goes_on_without_a_list(tmp_path: Path) -> None:
    async with a_scene(
        tmp_path,
        says(a_list(version=10)),
        streams(an_event("ADDED", an_object("a", 11)), then=anyio.sleep_forever),
        streams(an_event("ADDED", an_object("b", 12)), then=anyio.sleep_forever),
        silence=0.1,
    ) as scene:
        await scene.until("a@11", "b@12")

        assert scene.api.queries()[2]["resourceVersion"] == "11"


async def test_streams_that_end_at_once_are_not_asked_for_without_a_pause(tmp_path: Path) -> None:
    """A server or a proxy that cuts every stream must not be asked as fast as it can answer."""
    enough = Event()

    async def stop() -> None:
        enough.set()

    async with a_scene(tmp_path, says(a_list(version=10)), streams(), streams(), streams(then=stop), FOREVER) as scene:
        await enough.wait()
        await scene.until()

        assert len(scene.waits) >= 2


async def test_a_selector_that_an_old_server_does_not_know_is_left_out(tmp_path: Path) -> None:
    """What then comes too much is left to the decoding."""
    async with a_scene(
        tmp_path,
        says(a_status(400, "field label not supported: spec.nodeName"), status=400),
        says(a_list(an_object("a", 1), an_object("other", 2), version=10)),
        FOREVER,
        selector=("fieldSelector", "spec.nodeName=janus"),
    ) as scene:
        await scene.until("a@1")

        assert [query.get("fieldSelector") for query in scene.api.queries()[:2]] == ["spec.nodeName=janus", None]
        assert scene.waits == []


@pytest.mark.parametrize("selector", [("labelSelector", "nodename=janus"), ("fieldSelector", "metadata.name=janus")])
async def test_a_selector_that_every_server_knows_is_never_left_out(tmp_path: Path, selector: tuple[str, str]) -> None:
    """Without it, the objects of the whole cluster would come."""
    async with a_scene(
        tmp_path, says(a_status(400, "no"), status=400), says(a_list(version=10)), FOREVER, selector=selector
    ) as scene:
        await scene.until()

        assert [query[selector[0]] for query in scene.api.queries()[:2]] == [selector[1]] * 2
        assert scene.waits == [0]


@pytest.mark.parametrize(
    ("text", "expected"), [("42", 42), ("", 0), ("4a", 0), ("-1", 0), ("18446744073709551616", 1 << 64)]
)
def test_a_version_is_a_number_or_nothing(text: str, expected: int) -> None:
    assert version_number(text) == expected


async def test_a_version_of_which_nothing_comes_is_listed_anew(tmp_path: Path) -> None:
    """As after etcd was restored: the server opens the stream, and never has anything to tell."""
    async with a_scene(
        tmp_path,
        says(a_list(version=1000)),
        streams(b"<html>\n"),
        streams(b"<html>\n"),
        says(a_list(an_object("a", 11), version=11)),
        FOREVER,
    ) as scene:
        await scene.until("a@11")
