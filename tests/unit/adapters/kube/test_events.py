"""What is told about claims becomes Events, in the background, with few writes. Time is virtual."""

from __future__ import annotations

import re

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import looptime
import pytest

from anyio import create_task_group, current_time, sleep, sleep_forever
from structlog.testing import capture_logs

from pcidevices.adapters.kube.client import JSON, MERGE_PATCH, KubeClient, Query
from pcidevices.adapters.kube.events import KubeEvents
from pcidevices.errors import ClusterError, Conflict, Forbidden, NotFound, Refused, Throttled, Unavailable
from tests.support.builders import a_claim


PATH = "/apis/events.k8s.io/v1/namespaces/default/events"
CLAIM = a_claim()
HOUR = 3600.0


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, object]]:
    return "asyncio", {"loop_factory": looptime.new_event_loop}


class Server(KubeClient):
    """The part of an API server that keeps Events, in memory."""

    def __init__(self) -> None:
        self.events: dict[str, dict[str, Any]] = {}
        self.writes: list[tuple[float, str]] = []
        self.trouble: Callable[[str, Mapping[str, Any]], ClusterError | None] = lambda _method, _body: None
        self.stuck: Callable[[Mapping[str, Any]], bool] = lambda _body: False
        self.answers_are_lost = False

    async def request(
        self,
        method: str,
        path: str,
        *,
        query: Query = (),
        body: Mapping[str, Any] | None = None,
        content_type: str = JSON,
    ) -> bytes:
        assert body is not None
        assert not query
        self.writes.append((current_time(), method))
        await sleep(0.01)
        if self.stuck(body):
            await sleep_forever()
        if error := self.trouble(method, body):
            raise error
        if method == "POST":
            assert (path, content_type) == (PATH, JSON)
            name = body["metadata"]["name"]
            if name in self.events:
                raise Conflict(f"{name} exists")
            self.events[name] = dict(body)
        else:
            assert (method, content_type, list(body)) == ("PATCH", MERGE_PATCH, ["series"])
            name = path.removeprefix(f"{PATH}/")
            if name not in self.events:
                raise NotFound(name)
            self.events[name].update(body)
        if self.answers_are_lost:
            raise Unavailable("the connection broke")
        return b"{}"

    @property
    def methods(self) -> list[str]:
        return [method for _, method in self.writes]

    @property
    def only(self) -> dict[str, Any]:
        (event,) = self.events.values()
        return event

    @property
    def counts(self) -> list[int]:
        return [event.get("series", {}).get("count", 1) for event in self.events.values()]


class Scene:
    """Events, with a server that takes them."""

    def __init__(self, node_name: str = "janus") -> None:
        self.server = Server()
        self.events = KubeEvents(self.server, node_name, now=lambda: datetime.fromtimestamp(current_time(), UTC))

    def tell(self, note: str = "It is bound.", reason: str = "Bound", **more: Any) -> None:
        self.events.tell(more.pop("claim", CLAIM), reason=reason, note=note, **more)

    async def pass_time(self, seconds: float) -> None:
        """Let `run` run for so long."""
        async with create_task_group() as tg:
            tg.start_soon(self.events.run)
            await sleep(seconds)
            tg.cancel_scope.cancel()


async def test_what_is_told_becomes_an_event_about_the_claim() -> None:
    scene = Scene()
    scene.tell()
    await scene.pass_time(1)

    event = scene.server.only
    assert event.pop("metadata")["namespace"] == "default"
    assert re.fullmatch(r"1970-01-01T00:00:00\.\d{6}Z", event.pop("eventTime"))
    assert event == {
        "apiVersion": "events.k8s.io/v1",
        "kind": "Event",
        "regarding": {
            "apiVersion": "devices.harvesterhci.io/v1beta1",
            "kind": "PCIDeviceClaim",
            "name": CLAIM.name,
            "uid": CLAIM.uid,
            "resourceVersion": CLAIM.resource_version,
        },
        "reason": "Bound",
        "note": "It is bound.",
        "type": "Normal",
        "action": "Reconcile",
        "reportingController": "devices.harvesterhci.io/pcidevices",
        "reportingInstance": "pcidevices-janus",
    }


async def test_what_is_told_as_a_warning_is_sent_as_one() -> None:
    scene = Scene()
    scene.tell(warning=True)
    await scene.pass_time(1)

    assert scene.server.only["type"] == "Warning"


async def test_what_is_told_before_anybody_sends_is_sent_in_its_order() -> None:
    scene = Scene()
    for note in ("one", "two", "three"):
        scene.tell(note)
    await scene.pass_time(1)

    assert [event["note"] for event in scene.server.events.values()] == ["one", "two", "three"]


@pytest.mark.parametrize("name", ["a", "a" * 253, f"{'a' * 235}.b", "a" * 234 + "--b"])
async def test_every_claim_makes_a_name_for_its_events(name: str) -> None:
    scene = Scene()
    scene.tell("one", claim=a_claim(name=name))
    scene.tell("two", claim=a_claim(name=name))
    await scene.pass_time(1)

    made = set(scene.server.events)
    assert len(made) == 2
    for one in made:
        assert len(one) <= 253
        assert re.fullmatch(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*", one)
        assert re.fullmatch(r"[0-9a-f]{16}", one.rpartition(".")[2])


@pytest.mark.parametrize(
    ("note", "cut"),
    [("x" * 1024, "x" * 1024), ("x" * 1025, "x" * 1024), ("ä" * 600, "ä" * 512), ("x" + "ä" * 600, "x" + "ä" * 511)],
)
async def test_a_long_note_is_cut_between_two_characters(note: str, cut: str) -> None:
    scene = Scene()
    scene.tell(note)
    await scene.pass_time(1)

    assert scene.server.only["note"] == cut


async def test_a_long_node_name_fits_the_instance() -> None:
    """The API server takes 128 bytes; a node's name may have 253."""
    scene = Scene("n" * 253)
    scene.tell()
    await scene.pass_time(1)

    assert len(scene.server.only["reportingInstance"]) == 128


async def test_text_that_is_no_text_is_told_all_the_same() -> None:
    scene = Scene()
    scene.tell("half \ud83d of a character")
    await scene.pass_time(1)

    assert scene.server.only["note"] == "half ? of a character"


async def test_the_second_time_makes_a_series_at_once() -> None:
    scene = Scene()
    scene.tell()
    await scene.pass_time(10)
    scene.tell()
    await scene.pass_time(1)

    assert scene.server.methods == ["POST", "PATCH"]
    assert scene.server.only["series"] == {"count": 2, "lastObservedTime": "1970-01-01T00:00:10.000000Z"}


async def test_what_is_told_many_times_costs_few_writes() -> None:
    """Once a second for an hour: the Event, its series, and a heartbeat every three minutes."""
    scene = Scene()

    async with create_task_group() as tg:
        tg.start_soon(scene.events.run)
        for _ in range(3600):
            scene.tell()
            await sleep(1)
        await sleep(200)
        tg.cancel_scope.cancel()

    assert scene.server.counts == [3600]
    assert scene.server.methods == ["POST", *["PATCH"] * 21]


async def test_silence_costs_nothing() -> None:
    scene = Scene()
    for _ in range(5):
        scene.tell()
        await scene.pass_time(1)
    await scene.pass_time(200)
    before = len(scene.server.writes)

    await scene.pass_time(24 * HOUR)

    assert len(scene.server.writes) == before
    assert scene.server.counts == [5]


async def test_after_six_minutes_of_silence_it_is_another_event() -> None:
    scene = Scene()
    scene.tell()
    await scene.pass_time(359)
    scene.tell()
    await scene.pass_time(361)
    scene.tell()
    await scene.pass_time(1)

    assert scene.server.counts == [2, 1]


@pytest.mark.parametrize(
    "other",
    [
        {"note": "Something else."},
        {"reason": "Other"},
        {"warning": True},
        {"claim": a_claim(uid="another")},
    ],
)
async def test_what_differs_is_another_event(other: dict[str, Any]) -> None:
    scene = Scene()
    scene.tell()
    scene.tell(**other)
    await scene.pass_time(1)

    assert scene.server.counts == [1, 1]


async def test_another_version_of_the_claim_is_the_same_event() -> None:
    scene = Scene()
    scene.tell()
    scene.tell(claim=a_claim(resource_version="2"))
    await scene.pass_time(1)

    assert scene.server.counts == [2]


async def test_what_was_told_again_before_it_was_sent_is_one_write() -> None:
    scene = Scene()
    for _ in range(7):
        scene.tell()
    await scene.pass_time(1)

    assert scene.server.methods == ["POST"]
    assert scene.server.counts == [7]


async def test_an_event_that_has_gone_is_made_anew() -> None:
    """Events live for an hour in most clusters; a series may be longer than that."""
    scene = Scene()
    scene.tell()
    await scene.pass_time(1)
    (gone,) = scene.server.events
    scene.server.events.clear()

    scene.tell()
    await scene.pass_time(1)

    assert scene.server.methods == ["POST", "PATCH", "POST"]
    assert scene.server.counts == [2]
    assert gone not in scene.server.events


async def test_an_api_server_that_was_away_is_told_later() -> None:
    scene = Scene()
    scene.server.trouble = lambda _method, _body: Unavailable("away")
    scene.tell("one")
    await scene.pass_time(20)
    scene.server.trouble = lambda _method, _body: None
    scene.tell("two")
    await scene.pass_time(40)

    assert {event["note"] for event in scene.server.events.values()} == {"one", "two"}


async def test_a_lost_answer_makes_no_second_event() -> None:
    scene = Scene()
    scene.server.answers_are_lost = True
    scene.tell()
    await scene.pass_time(0.3)
    scene.server.answers_are_lost = False
    await scene.pass_time(10)

    assert scene.server.methods == ["POST", "POST"]
    assert scene.server.counts == [1]


async def test_what_is_refused_is_dropped_and_told_once() -> None:
    scene = Scene()
    scene.server.trouble = lambda _method, _body: Refused("no such field")
    with capture_logs() as logs:
        for note in ("one", "two"):
            scene.tell(note)
        await scene.pass_time(HOUR)

    assert scene.server.methods == ["POST", "POST"]
    assert [(entry["event"], entry["log_level"], entry["claim"]) for entry in logs] == [
        ("event.dropped", "warning", CLAIM.name),
        ("event.dropped", "debug", CLAIM.name),
    ]


@pytest.mark.parametrize("error", [Forbidden("no"), Unavailable("away"), NotFound("no namespace")])
async def test_after_a_few_tries_it_is_given_up(error: ClusterError) -> None:
    scene = Scene()
    scene.server.trouble = lambda _method, _body: error
    scene.tell()
    with capture_logs() as logs:
        await scene.pass_time(HOUR)

    assert len(scene.server.writes) == 8
    assert [entry["log_level"] for entry in logs] == ["warning"]


async def test_what_was_told_again_after_a_lost_answer_is_counted() -> None:
    scene = Scene()
    scene.server.answers_are_lost = True
    scene.tell()
    await scene.pass_time(0.3)
    scene.server.answers_are_lost = False
    scene.tell()
    await scene.pass_time(10)

    assert scene.server.methods == ["POST", "POST", "PATCH"]
    assert scene.server.counts == [2]


async def test_a_name_that_is_taken_is_no_answer_to_the_first_try() -> None:
    scene = Scene()
    troubles = [Conflict("somebody has that name"), None]
    scene.server.trouble = lambda _method, _body: troubles.pop(0) if troubles else None
    scene.tell()
    await scene.pass_time(10)

    assert scene.server.methods == ["POST", "POST"]
    assert scene.server.counts == [1]


async def test_one_in_trouble_does_not_hold_up_the_others() -> None:
    scene = Scene()
    scene.server.trouble = lambda _method, body: Unavailable("away") if body.get("note") == "bad" else None
    scene.tell("bad")
    scene.tell("good")
    await scene.pass_time(0.1)

    assert scene.server.only["note"] == "good"


async def test_one_without_an_answer_holds_up_the_others_for_a_moment_only() -> None:
    scene = Scene()
    scene.server.stuck = lambda body: body.get("note") == "bad"
    scene.tell("bad")
    scene.tell("good")
    await scene.pass_time(16)

    assert scene.server.only["note"] == "good"


async def test_a_server_that_asks_for_time_gets_it_and_nothing_is_lost() -> None:
    scene = Scene()
    scene.server.trouble = lambda _method, _body: Throttled("later", retry_after=60)
    scene.tell("one")
    scene.tell("two")
    await scene.pass_time(610)
    tried = len(scene.server.writes)
    scene.server.trouble = lambda _method, _body: None
    await scene.pass_time(61)

    assert tried <= 22
    assert scene.server.counts == [1, 1]


async def test_of_too_many_the_oldest_is_dropped() -> None:
    scene = Scene()
    with capture_logs() as logs:
        for number in range(1002):
            scene.tell(str(number))
    await scene.pass_time(60)

    assert len(scene.server.events) == 1000
    assert next(iter(scene.server.events.values()))["note"] == "2"
    assert [entry["log_level"] for entry in logs] == ["warning", "debug"]


async def test_memory_is_bounded() -> None:
    """What has been sent makes room for what has not, and is not missed."""
    scene = Scene()
    with capture_logs() as logs:
        for number in range(3000):
            scene.tell(str(number))
            if number % 500 == 0:
                await scene.pass_time(20)
    await scene.pass_time(60)

    assert len(scene.server.events) == 3000
    assert len(scene.events._series) <= 1000
    assert logs == []
