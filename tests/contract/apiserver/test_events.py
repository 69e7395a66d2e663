"""Events: what events.k8s.io/v1 takes, and the port `Events`, seen as people see it."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import anyio
import pytest

from pcidevices.adapters.kube.events import KubeEvents
from tests.contract.apiserver.claiming import make_claim, read_claim, until
from tests.contract.apiserver.kubectl import words


if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from pcidevices.adapters.kube.client import KubeClient
    from pcidevices.domain.claim import Claim
    from tests.contract.apiserver.client import Api
    from tests.contract.apiserver.kubectl import Kubectl


EVENTS = "/apis/events.k8s.io/v1/namespaces/default/events"
TIME = "2026-01-01T00:00:00.000000Z"
WRONG: list[tuple[dict[str, Any], set[tuple[str, str]]]] = [
    ({"eventTime": None}, {("eventTime", "FieldValueRequired")}),
    ({"note": "x" * 1025}, {("message", "FieldValueInvalid")}),
    ({"note": "\u00e4" * 513}, {("message", "FieldValueInvalid")}),
    ({"action": None}, {("action", "FieldValueRequired")}),
    ({"action": "x" * 129}, {("action", "FieldValueInvalid")}),
    ({"reason": None}, {("reason", "FieldValueRequired")}),
    ({"reason": "x" * 129}, {("reason", "FieldValueInvalid")}),
    ({"type": "Other"}, {("type", "FieldValueInvalid")}),
    ({"type": None}, {("type", "FieldValueInvalid")}),
    ({"reportingController": "a b"}, {("reportingController", "FieldValueInvalid")}),
    (
        {"reportingController": None},
        {("reportingController", "FieldValueInvalid"), ("reportingController", "FieldValueRequired")},
    ),
    ({"reportingInstance": None}, {("reportingInstance", "FieldValueRequired")}),
    ({"reportingInstance": "x" * 129}, {("reportingInstance", "FieldValueInvalid")}),
    ({"series": {"count": 1, "lastObservedTime": TIME}}, {("series.count", "FieldValueInvalid")}),
    ({"series": {"count": 2}}, {("series.lastObservedTime", "FieldValueRequired")}),
    ({"deprecatedCount": 1}, {("count", "FieldValueInvalid")}),
    ({"deprecatedSource": {"component": "a"}}, {("source", "FieldValueInvalid")}),
    ({"deprecatedFirstTimestamp": "2026-01-01T00:00:00Z"}, {("firstTimestamp", "FieldValueInvalid")}),
]
UNCHANGEABLE = {
    "note": "message",
    "reason": "reason",
    "action": "action",
    "type": "type",
    "reportingInstance": "reportingInstance",
    "reportingController": "reportingController",
}


def an_event(name: str, **changes: Any) -> dict[str, Any]:
    """An event that is right in every way, but for the changes."""
    whole = {
        "apiVersion": "events.k8s.io/v1",
        "kind": "Event",
        "metadata": {"name": name},
        "eventTime": TIME,
        "regarding": {"kind": "Widget", "name": name},
        "reason": "Tried",
        "note": "It was tried.",
        "type": "Normal",
        "action": "Try",
        "reportingController": "contract.example.com/test",
        "reportingInstance": "test-1",
    } | changes
    return {key: value for key, value in whole.items() if value is not None}


class Told:
    """The agent's events about one claim, and what the server has of them."""

    def __init__(self, api: Api, client: KubeClient, claim: Claim) -> None:
        self._api = api
        self._client = client
        self.claim = claim

    @asynccontextmanager
    async def sending(self, node_name: str = "janus") -> AsyncIterator[KubeEvents]:
        """An agent's events, sent for the length of the block."""
        events = KubeEvents(self._client, node_name, heartbeat=0.1)
        async with anyio.create_task_group() as tg:
            tg.start_soon(events.run)
            yield events
            tg.cancel_scope.cancel()

    async def listed(self) -> list[dict[str, Any]]:
        """What the server has about the claim."""
        selector = f"regarding.kind=PCIDeviceClaim,regarding.name={self.claim.name},regarding.uid={self.claim.uid}"
        found: list[dict[str, Any]] = (await self._api.get(EVENTS, fieldSelector=selector))["items"]
        return found

    async def until_counted(self, *counts: int) -> list[dict[str, Any]]:
        """Wait for events that were seen so many times."""

        async def counted() -> bool:
            return [event.get("series", {}).get("count", 1) for event in await self.listed()] == list(counts)

        await until(counted)
        return await self.listed()


@pytest.fixture
async def told(api: Api, client: KubeClient) -> Told:
    await make_claim(api, "janus-000004000", "janus")
    return Told(api, client, await read_claim(client, "janus-000004000", "janus"))


@pytest.mark.parametrize(("changes", "causes"), WRONG)
async def test_an_event_says_all_that_it_must(api: Api, changes: dict[str, Any], causes: set[tuple[str, str]]) -> None:
    answer = await api.post(EVENTS, an_event(api.namespace, **changes))

    assert (answer.status, answer["reason"]) == (422, "Invalid")
    assert answer.causes == causes


@pytest.mark.parametrize("field", ["eventTime", "series"])
@pytest.mark.parametrize("time", ["2026-01-01T00:00:00Z", "2026-01-01T00:00:00.123Z"])
async def test_the_times_of_an_event_are_told_to_the_microsecond(api: Api, field: str, time: str) -> None:
    value = time if field == "eventTime" else {"count": 2, "lastObservedTime": time}

    assert (await api.post(EVENTS, an_event(api.namespace, **{field: value}))).status in (400, 422)


async def test_an_event_about_what_is_in_no_namespace_is_in_default(api: Api) -> None:
    elsewhere = await api.post(f"/apis/events.k8s.io/v1/namespaces/{api.namespace}/events", an_event("a"))

    assert elsewhere.causes == {("involvedObject.namespace", "FieldValueInvalid")}


@pytest.mark.parametrize("field", UNCHANGEABLE)
async def test_an_event_does_not_change(api: Api, field: str) -> None:
    path = f"{EVENTS}/{api.namespace}"
    await api.post(EVENTS, an_event(api.namespace))

    answer = await api.patch(path, {field: "Other"})

    assert answer.causes == {(UNCHANGEABLE[field], "FieldValueInvalid")}
    await api.delete(path)


async def test_the_series_of_an_event_changes(api: Api) -> None:
    path = f"{EVENTS}/{api.namespace}"
    await api.post(EVENTS, an_event(api.namespace))

    series = {"count": 2, "lastObservedTime": TIME}
    good = await api.patch(path, {"series": series})
    bad = await api.patch(path, {"series": {"count": 1}})

    assert (good.status, good["series"]) == (200, series)
    assert bad.causes == {("series.count", "FieldValueInvalid")}
    await api.delete(path)


@pytest.mark.parametrize(
    ("selector", "status"),
    [
        ("regarding.name={}", 200),
        ("regarding.name={},regarding.kind=Widget,regarding.uid=,regarding.fieldPath=", 200),
        ("regarding.name={},type=Normal,reason=Tried,reportingController=contract.example.com/test", 200),
        ("involvedObject.name={}", 400),
        ("regarding.name={},reportingComponent=x", 400),
        ("regarding.name={},source=x", 400),
        ("note={}", 400),
    ],
)
async def test_events_are_found_by_the_names_of_their_own_group(api: Api, selector: str, status: int) -> None:
    path = f"{EVENTS}/{api.namespace}"
    await api.post(EVENTS, an_event(api.namespace))

    answer = await api.get(EVENTS, fieldSelector=selector.format(api.namespace))

    assert answer.status == status
    if status == 200:
        assert [event["metadata"]["name"] for event in answer["items"]] == [api.namespace]
    await api.delete(path)


async def test_what_is_told_is_an_event_about_the_claim(told: Told) -> None:
    async with told.sending() as events:
        events.tell(told.claim, reason="GroupNotViable", note="0000:04:00.1 is on snd_hda_intel.", warning=True)
        (event,) = await told.until_counted(1)

    assert event["metadata"]["namespace"] == "default"
    assert event["metadata"]["name"].startswith(f"{told.claim.name}.")
    assert (event["type"], event["reason"]) == ("Warning", "GroupNotViable")
    assert event["note"] == "0000:04:00.1 is on snd_hda_intel."
    assert event["reportingInstance"] == "pcidevices-janus"


async def test_what_is_told_again_becomes_a_series(told: Told) -> None:
    async with told.sending() as events:
        events.tell(told.claim, reason="Bound", note="It is bound.")
        await told.until_counted(1)
        events.tell(told.claim, reason="Bound", note="It is bound.")
        (second,) = await told.until_counted(2)
        for _ in range(5):
            events.tell(told.claim, reason="Bound", note="It is bound.")
        (last,) = await told.until_counted(7)

    assert second["metadata"]["uid"] == last["metadata"]["uid"]
    assert second["eventTime"] == last["eventTime"] < second["series"]["lastObservedTime"]
    assert second["series"]["lastObservedTime"] < last["series"]["lastObservedTime"]


async def test_a_series_that_has_gone_is_begun_anew(api: Api, told: Told) -> None:
    async with told.sending() as events:
        events.tell(told.claim, reason="Bound", note="It is bound.")
        (first,) = await told.until_counted(1)
        await api.delete(f"{EVENTS}/{first['metadata']['name']}")
        events.tell(told.claim, reason="Bound", note="It is bound.")
        (second,) = await told.until_counted(2)

    assert first["metadata"]["uid"] != second["metadata"]["uid"]


async def test_the_longest_names_and_notes_are_taken(api: Api, client: KubeClient) -> None:
    name = f"{'a' * 234}--{'b' * 17}"
    await make_claim(api, name, "janus")
    told = Told(api, client, await read_claim(client, name, "janus"))

    async with told.sending("n" * 253) as events:
        events.tell(told.claim, reason="R" * 200, note="\u00e4" * 2000)
        (event,) = await told.until_counted(1)

    assert len(event["metadata"]["name"]) <= 253
    assert event["note"] == "\u00e4" * 512


async def test_kubectl_shows_what_was_told_with_the_claim(told: Told, kubectl: Kubectl) -> None:
    async with told.sending() as events:
        events.tell(told.claim, reason="GroupNotViable", note="Another driver has 0000:04:00.1.", warning=True)
        await told.until_counted(1)
        events.tell(told.claim, reason="GroupNotViable", note="Another driver has 0000:04:00.1.", warning=True)
        await told.until_counted(2)

    described = await kubectl("describe", "pciclaim", told.claim.name)
    listed = await kubectl("events", "--for", f"pcideviceclaim.v1beta1.devices.harvesterhci.io/{told.claim.name}")
    got = await kubectl("get", "events", "--field-selector", f"involvedObject.uid={told.claim.uid}", "-o", "wide")

    section = words(described.partition("Events:")[2])
    (line,) = [line for line in section if "GroupNotViable" in line]
    assert line[:2] == ["Warning", "GroupNotViable"]
    assert "(x2" in line
    assert line[-5:] == ["devices.harvesterhci.io/pcidevices", "Another", "driver", "has", "0000:04:00.1."]
    for said in (listed, got):
        assert "GroupNotViable" in said
        assert "Another driver has 0000:04:00.1." in said
