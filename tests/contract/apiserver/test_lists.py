"""Lists: what is selected, page by page, and at which version."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.contract.apiserver.client import WIDGETS, configmap


if TYPE_CHECKING:
    from tests.contract.apiserver.client import Answer, Api


def names(answer: Answer) -> str:
    return "".join(item["metadata"]["name"] for item in answer["items"])


@pytest.fixture
async def abcd(api: Api) -> Api:
    """Four widgets: a and b are red, c is blue, d has no colour; b is on another node."""
    await api.create_widget("a", labels={"colour": "red", "team": "x"})
    await api.create_widget("b", {"node": "n2"}, labels={"colour": "red"})
    await api.create_widget("c", labels={"colour": "blue"})
    await api.create_widget("d")
    return api


@pytest.mark.parametrize(
    ("selector", "expected"),
    [
        ("", "abcd"),
        ("colour=red", "ab"),
        ("colour==red", "ab"),
        ("colour!=red", "cd"),
        ("colour", "abc"),
        ("!colour", "d"),
        ("colour in (red, blue)", "abc"),
        ("colour in (red),team=x", "a"),
        ("colour notin (red)", "cd"),
        ("colour=red, !team", "b"),
        ("colour=", ""),
        ("in=x", ""),
    ],
)
async def test_labels_select(abcd: Api, selector: str, expected: str) -> None:
    assert names(await abcd.get(WIDGETS, labelSelector=selector)) == expected


@pytest.mark.parametrize(
    ("selector", "expected"),
    [
        ("metadata.name=a", "a"),
        ("metadata.name==a", "a"),
        ("metadata.name!=a", "bcd"),
        ("spec.node=n2", "b"),
        ("spec.node=n1,metadata.name!=a", "cd"),
    ],
)
async def test_fields_select(abcd: Api, selector: str, expected: str) -> None:
    """By name, and by the fields that the definition lists."""
    assert names(await abcd.get(WIDGETS, fieldSelector=selector)) == expected


@pytest.mark.parametrize(
    "query",
    [
        {"fieldSelector": "spec.size=3"},
        {"fieldSelector": "metadata.namespace=x"},
        {"fieldSelector": "status.phase=Fine"},
        {"fieldSelector": "metadata.labels=x"},
        {"fieldSelector": "nonsense"},
        {"labelSelector": "!!x"},
        {"labelSelector": "x in (a"},
        {"labelSelector": "a=b=c"},
        {"limit": "many"},
        {"continue": "nonsense"},
        {"resourceVersion": "nonsense"},
    ],
)
async def test_what_is_not_understood_is_a_bad_request(api: Api, query: dict[str, str]) -> None:
    answer = await api.get(WIDGETS, **query)

    assert (answer.status, answer["reason"]) == (400, "BadRequest")


async def test_a_list_comes_in_pages(abcd: Api) -> None:
    first = await abcd.get(WIDGETS, limit="3")
    second = await abcd.get(WIDGETS, limit="3", **{"continue": first["metadata"]["continue"]})

    assert (names(first), names(second)) == ("abc", "d")
    assert first["metadata"]["remainingItemCount"] == 1
    assert not second["metadata"].get("continue")


async def test_pages_are_parts_of_one_moment(abcd: Api) -> None:
    """What happens between two pages is not in the second, and both have the version of the first."""
    first = await abcd.get(WIDGETS, limit="2")
    await abcd.create_widget("bb")
    await abcd.delete(f"{WIDGETS}/c")
    await abcd.patch(f"{WIDGETS}/d", {"spec": {"size": 9}})

    second = await abcd.get(WIDGETS, limit="2", **{"continue": first["metadata"]["continue"]})

    assert names(second) == "cd"
    assert second["items"][1]["spec"]["size"] == 3
    assert second.version == first.version


async def test_pages_are_of_what_is_selected(abcd: Api) -> None:
    first = await abcd.get(WIDGETS, limit="1", labelSelector="colour=red")
    second = await abcd.get(
        WIDGETS, limit="1", labelSelector="colour=red", **{"continue": first["metadata"]["continue"]}
    )

    assert (names(first), names(second)) == ("a", "b")


async def test_a_list_may_be_of_an_earlier_moment(abcd: Api) -> None:
    then = (await abcd.get(WIDGETS)).version
    await abcd.delete(f"{WIDGETS}/a")

    exact = await abcd.get(WIDGETS, resourceVersion=then, resourceVersionMatch="Exact", limit="9")
    newer = await abcd.get(WIDGETS, resourceVersion=then, resourceVersionMatch="NotOlderThan")

    assert (names(exact), exact.version) == ("abcd", then)
    assert names(newer) == "bcd"


async def test_nobody_lists_the_future(api: Api) -> None:
    answer = await api.get(WIDGETS, resourceVersion="9999999999999999")

    assert (answer.status, answer["reason"]) == (504, "Timeout")
    assert answer["details"]["causes"][0]["reason"] == "ResourceVersionTooLarge"


async def test_a_list_has_no_initial_events(api: Api) -> None:
    answer = await api.get(WIDGETS, sendInitialEvents="true")

    assert (answer.status, answer.causes) == (422, {("sendInitialEvents", "FieldValueForbidden")})


async def test_a_namespace_is_a_part_of_all(api: Api) -> None:
    await api.post(api.configmaps, configmap("a"))

    mine = await api.get(api.configmaps)
    all_of_them = await api.get("/api/v1/configmaps", fieldSelector=f"metadata.namespace={api.namespace}")
    elsewhere = await api.get("/api/v1/namespaces/default/configmaps", fieldSelector="metadata.name=a")

    assert "a" in names(mine)
    assert names(all_of_them) == names(mine)
    assert names(elsewhere) == ""


async def test_events_are_found_by_what_they_are_about(api: Api) -> None:
    about = {"kind": "Widget", "name": "a", "uid": "u-1", "namespace": api.namespace}
    event = {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": "a.1"},
        "involvedObject": about,
        "reason": "Tried",
        "message": "It was tried.",
        "type": "Normal",
    }
    events = f"/api/v1/namespaces/{api.namespace}/events"
    assert (await api.post(events, event)).status == 201

    for path, expected in (("uid=u-1", "a.1"), ("uid=u-2", ""), ("kind=Widget", "a.1"), ("name=b", "")):
        assert names(await api.get(events, fieldSelector=f"involvedObject.{path}")) == expected


async def test_an_event_is_shown_by_two_groups(api: Api) -> None:
    event = {
        "apiVersion": "events.k8s.io/v1",
        "kind": "Event",
        "metadata": {"name": "a.1"},
        "regarding": {"kind": "Widget", "name": "a", "namespace": api.namespace},
        "reason": "Tried",
        "note": "It was tried.",
        "type": "Normal",
        "action": "Try",
        "eventTime": "2026-01-01T00:00:00.000000Z",
        "reportingController": "contract.example.com/test",
        "reportingInstance": "test-1",
    }
    created = await api.post(f"/apis/events.k8s.io/v1/namespaces/{api.namespace}/events", event)
    old = await api.get(f"/api/v1/namespaces/{api.namespace}/events/a.1")
    new = await api.get(f"/apis/events.k8s.io/v1/namespaces/{api.namespace}/events/a.1")

    assert (created.status, old.status, new.status) == (201, 200, 200)
    assert (old["apiVersion"], old["message"], old["involvedObject"]["name"]) == ("v1", "It was tried.", "a")
    assert old["reportingComponent"] == "contract.example.com/test"
    assert (new["apiVersion"], new["note"], new["regarding"]["name"]) == ("events.k8s.io/v1", "It was tried.", "a")
    assert new["metadata"]["uid"] == old["metadata"]["uid"]


async def test_pods_are_found_by_node_and_phase(api: Api) -> None:
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "a"},
        "spec": {"nodeName": "n1", "containers": [{"name": "c", "image": "i"}], "automountServiceAccountToken": False},
    }
    pods = f"/api/v1/namespaces/{api.namespace}/pods"
    assert (await api.post(pods, pod)).status == 201

    assert names(await api.get(pods, fieldSelector="spec.nodeName=n1,status.phase!=Failed")) == "a"
    assert names(await api.get(pods, fieldSelector="spec.nodeName=n2")) == ""
    assert (await api.get(pods, fieldSelector="spec.containers=x")).status == 400
    await api.delete(f"{pods}/a", gracePeriodSeconds="0")
